"""The recipes of encoders: pictures, training, the finished file; every part continues where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import torch

from inv3d.core.bundle import LENDER, Bundle
from inv3d.core.encoders.kinds import E3DGE, PREIM3D, WTRI
from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, build_encoder, small_config
from inv3d.core.encoders.store import load_encoder, save_encoder
from inv3d.core.training.e3dge_recipe import e3dge_steps, train_e3dge
from inv3d.core.training.job import EncoderJob, Show, finished_file, first_alone
from inv3d.core.training.needs import Step, compared_rays
from inv3d.core.training.outside import OUTSIDE, draw_outside, outside_bytes
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.preim3d import SMALL, EncoderRecipe, EncoderTrainer
from inv3d.core.training.wtri import train_wtri, wtri_steps

_CLUTTERED = 0.5
"""Share of the pictures of things before clutter: nobody matts a photo before its code is read."""
_CODE = 0.125
"""The weight of the codes of things, which pictures tell less of: with more, they would drown what drawn things teach."""
_SEEN = 2.5
"""The weight of what the perceptual network sees of things, where no identity is compared."""


def recipe_for(bundle: Bundle) -> EncoderRecipe:
    """The paper's; a smaller one for models without super-resolution, such as the embedded ones; without the losses of
    identity for things, which have none."""
    recipe = EncoderRecipe() if bundle.generator.superresolution is not None else SMALL
    if bundle.shows_things:
        fit = replace(recipe.fit, identity=0.0, perceptual=_SEEN * recipe.fit.perceptual)
        recipe = replace(
            recipe, fit=fit, around_start=recipe.steps, cluttered=_CLUTTERED, code_growth=_CODE * recipe.code_growth
        )
    return recipe


def config_for(bundle: Bundle) -> EncoderConfig:
    """The encoder's configuration for a model: the public size or the small one."""
    space = bundle.generator.code_space
    if bundle.generator.superresolution is None:
        return small_config(space.num_ws, space.w_dim)
    return EncoderConfig(num_ws=space.num_ws, w_dim=space.w_dim)


def without(recipe: EncoderRecipe, names: Collection[str]) -> EncoderRecipe:
    """The recipe without some of the paper's ingredients (section 4.3): `alternating` rounds on the generator's own pictures,
    and the identity loss on views `around`."""
    if "alternating" in names:
        recipe = replace(recipe, alternating=False)
    return replace(recipe, around_start=recipe.steps) if "around" in names else recipe


def preim3d_steps(job: EncoderJob) -> list[Step]:
    """What a step of `train_preim3d` computes once all of its losses are on."""
    recipe, config, generator = recipe_for(job.bundle).scaled(job.scale), config_for(job.bundle), job.bundle.generator
    seen = (recipe.batch, 3, recipe.samples.resolution, recipe.samples.resolution)
    compared = compared_rays(recipe.fit, generator, recipe.rendered, recipe.around_heads)
    size = recipe.fit.whole_resolution or generator.resolution
    held = recipe.samples.bytes(recipe.sample_shards) + outside_bytes(job, recipe.samples.resolution)
    return [
        Step(
            make=lambda: build_encoder(config), read=lambda encoder: encoder(torch.zeros(seen)), scenes=recipe.rendered,
            vectors=config.num_ws, rays=compared, size=size, held=held, halves=True,
        )
    ]  # fmt: skip


def draw_inside(bundle: Bundle, recipe: EncoderRecipe, folder: Path, report: Callable[[str], None]) -> None:
    """The generator's own pictures, in `folder`."""
    recipe.samples.draw(bundle, folder, recipe.sample_shards, report)


def train_preim3d(job: EncoderJob, report: Callable[[str], None], show: Show) -> Path:
    """Train PREIM3D's encoder; returns where it was written."""
    job.folder.mkdir(parents=True, exist_ok=True)
    recipe = without(recipe_for(job.bundle).scaled(job.scale), job.without)

    def draw() -> None:
        draw_inside(job.bundle, recipe, job.folder, report)
        draw_outside(job, recipe.samples.resolution, report)

    first_alone(draw)
    path = finished_file(job.bundle, PREIM3D, job.folder)
    trainer = make_trainer(job.bundle, recipe, job.folder, job.device)
    trainer.run_showing(job.folder / f"{PREIM3D}.pt", report, show)
    first_alone(lambda: save_encoder(trainer.average, path))
    return path


RECIPES = {PREIM3D: train_preim3d, E3DGE: train_e3dge, WTRI: train_wtri}
"""How each of `ENCODERS` is trained."""
STEPS = {PREIM3D: preim3d_steps, E3DGE: e3dge_steps, WTRI: wtri_steps}
"""What the steps of these trainings compute, one after the other."""


def make_trainer(bundle: Bundle, recipe: EncoderRecipe, folder: Path, device: torch.device) -> EncoderTrainer:
    """A trainer on the shards in `folder`. Raises InputError if there are none."""
    inside = Pictures.read(folder, recipe.samples.kind, own=True)
    outside = Pictures.read(folder, OUTSIDE, own=False)
    torch.manual_seed(recipe.seed)
    encoder = build_encoder(config_for(bundle))
    if bundle.shows_things:
        begin(encoder)
    return EncoderTrainer(bundle, encoder, recipe, inside, outside, device)


def begin(encoder: Encoder) -> None:
    """Let an encoder begin with the features of the embedded model's, where its own have the same sizes; they are nearer to those
    of other things than random weights. What turns them into codes begins at nothing, and the codes at the mean."""
    own, lent = encoder.state_dict(), load_encoder(LENDER, PREIM3D).state_dict()
    fitting = {name: tensor for name, tensor in lent.items() if name in own and own[name].shape == tensor.shape}
    linear = {name: torch.zeros_like(tensor) for name, tensor in own.items() if ".linear." in name}
    encoder.load_state_dict({**own, **fitting, **linear})
