"""Training of the encoder into W_tri (Oh and Jo 2023): the passes of ReStyle, and the cycle of codes over poses.

The pictures are those that the generator cannot fully reproduce, each seen by its own camera. A step learns one of the
passes, drawn at random, from the codes and renders of those before it: on average that is the same as all of them, and
needs the memory of one. The generator never moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.kinds import WTRI
from inv3d.core.encoders.store import save_encoder
from inv3d.core.encoders.wtri import Wtri, WtriConfig, public_config, small_config
from inv3d.core.errors import UsageError
from inv3d.core.inversion.settings import FAST, FitSettings
from inv3d.core.training.averaged import AveragedTraining
from inv3d.core.training.job import EncoderJob, Show, finished_file, first_alone
from inv3d.core.training.likeness import beside, likeness
from inv3d.core.training.loop import Losses
from inv3d.core.training.needs import Step, compared_rays
from inv3d.core.training.networks import jitter
from inv3d.core.training.outside import OUTSIDE, draw_outside, outside_bytes
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.renders import GUIDE_CELLS
from inv3d.core.views import from_bytes

_PAPER_FIT = FitSettings(pixel=1.0, perceptual=0.8, identity=0.1, similarity=0.5)


@dataclass(frozen=True)
class WtriRecipe:
    """Sizes, rates and weights of the losses. The paper names no numbers: the weights of the terms that it shares with ReStyle
    and the sizes are ReStyle's, those of Eq. 2 and 3 our own."""

    steps: int = 200_000
    batch: int = 8
    lr: float = 1e-4
    average: float = 0.999
    """Decay of the moving average of the weights, which is what is kept."""
    fit: FitSettings = _PAPER_FIT
    """Weights of the losses from the side of the picture, and how they are sampled."""
    whole: int = 2
    """Pictures that are compared whole where `fit` draws pixels at random."""
    regularisation: float = 0.005
    """Weight of the distance to the mean code (Eq. 2), a root mean square where the paper has a norm."""
    cycle: float = 0.1
    """Weight of the pose cycle loss (Eq. 3), a mean where the paper sums; 0 for the paper's ablation."""
    cycled: int = 4
    """Pictures of a batch whose renders from another side are encoded again."""
    planes: bool = True
    """Whether every plane has its own vectors; without, the encoder is ReStyle's for W+, the paper's baseline."""
    resolution: int = 256
    """Of the pictures."""
    seed: int = 9

    def scaled(self, factor: float) -> WtriRecipe:
        """The recipe with `factor` times the steps."""
        return replace(self, steps=max(1, math.ceil(self.steps * factor)))


SMALL_WTRI = WtriRecipe(
    steps=6_000,
    batch=6,
    lr=1e-3,
    average=0.995,
    fit=replace(FAST, rays_per_view=256, perceptual=0.1, identity=0.2, similarity=0.05, samples=10),
    cycled=3,
    resolution=128,
)
"""For models like the embedded one on a CPU: random pixels and small views instead of whole pictures."""


class WtriTrainer(AveragedTraining[Wtri]):
    """Trains an encoder on `pictures`."""

    name, report_every, save_every = "encoder", 50, 250

    def __init__(
        self, bundle: Bundle, encoder: Wtri, recipe: WtriRecipe, pictures: Pictures, device: torch.device
    ) -> None:
        self.bundle, self.recipe, self.pictures = bundle, recipe, pictures
        self.steps, self.seed, self.lr, self.decay = recipe.steps, recipe.seed, recipe.lr, recipe.average
        encoder.mean_code = bundle.mean_code.expand_as(encoder.mean_code).clone()
        super().__init__(encoder, device)

    def losses(self, random: torch.Generator) -> Losses:
        """L_total of one pass (Eq. 4)."""
        recipe, generator, encoder = self.recipe, self.bundle.generator, self.network
        passes = 1 + int(torch.randint(encoder.config.passes, (), generator=random))
        _, images, yaw, pitch = self.pictures.drawn(recipe.batch, random, mirroring=True)
        cameras = self.bundle.info.camera(yaw, pitch).to(self.device)
        # alignments of photographs are not exact
        seen = jitter(images, random).to(self.device, memory_format=torch.channels_last)
        codes = encoder.encoded(generator, seen, cameras, passes)
        scene = generator.scene(codes, guide_cells=GUIDE_CELLS)
        images = images.to(self.device)
        away = (codes - encoder.mean_code).square().mean((1, 2)).sqrt().mean()
        return {
            **likeness(self.bundle, recipe.fit, scene, cameras, images, recipe.whole, random),
            "regularisation": recipe.regularisation * away,
            **({"cycle": recipe.cycle * self._cycle(codes[: recipe.cycled], passes, random)} if recipe.cycle else {}),
        }

    def _cycle(self, codes: Tensor, passes: int, random: torch.Generator) -> Tensor:
        """How far `codes` [B,...] are from those read off their renders from other sides (Eq. 3), which are drawn from the
        sides of all pictures."""
        rows = torch.randint(len(self.pictures), (len(codes),), generator=random)
        cameras = self.bundle.info.camera(self.pictures.yaw[rows], self.pictures.pitch[rows]).to(self.device)
        generator, encoder = self.bundle.generator, self.network
        again = encoder.encoded(generator, encoder.drawn(generator, codes, cameras), cameras, passes)
        return (codes - again).abs().mean()

    @torch.no_grad()
    def grid(self, pictures: int = 6, sides: tuple[float, ...] = (-30.0, 0.0, 30.0)) -> Tensor:
        """Some pictures, and beside each what the average makes of it: from its own side, then from the `sides` (degrees);
        [3,H,W]."""
        images = from_bytes(self.pictures.images[:pictures]).to(self.device)
        yaw, pitch = self.pictures.yaw[:pictures], self.pictures.pitch[:pictures]
        codes = self.average.encoded(self.bundle.generator, images, self.bundle.info.camera(yaw, pitch).to(self.device))
        return beside(self.bundle, images, codes, yaw, pitch, sides)


def recipe_for(bundle: Bundle, scale: float, without: frozenset[str]) -> WtriRecipe:
    """The recipe for EG3D models, or a smaller one for models without super-resolution, such as the embedded one; with `scale`
    times the steps, and without some ingredients (Table 2)."""
    recipe = WtriRecipe() if bundle.generator.resolution != bundle.generator.raw_resolution else SMALL_WTRI
    recipe = replace(recipe.scaled(scale), planes="planes" not in without)
    return replace(recipe, cycle=0.0) if "cycle" in without else recipe


def config_for(bundle: Bundle, planes: bool = True) -> WtriConfig:
    """The encoder's configuration for a model. Raises UsageError if it has no planes."""
    generator = bundle.generator
    space = generator.wtri_space if planes else generator.code_space
    if space is None:
        raise UsageError(f"the model '{bundle.name}' has no planes", "train another encoder, or add --without planes")
    if generator.resolution == generator.raw_resolution:
        return small_config(space.num_ws, space.w_dim)
    return public_config(space.num_ws, space.w_dim, apart=planes)


def wtri_steps(job: EncoderJob) -> list[Step]:
    """What a step of `train_wtri` computes."""
    recipe, generator = recipe_for(job.bundle, job.scale, job.without), job.bundle.generator
    config = config_for(job.bundle, recipe.planes)
    count = recipe.batch + (recipe.cycled if recipe.cycle else 0)
    compared = compared_rays(recipe.fit, generator, recipe.batch, recipe.whole)

    def read(encoder: Wtri) -> Tensor:
        pictures = torch.zeros(count, 3, recipe.resolution, recipe.resolution)
        return encoder(pictures, pictures)

    size = recipe.fit.whole_resolution or generator.resolution
    held = outside_bytes(job, recipe.resolution)
    return [
        Step(
            make=lambda: Wtri(config), read=read, scenes=recipe.batch, vectors=config.num_ws, rays=compared, size=size, held=held
        )
    ]  # fmt: skip


def make_trainer(bundle: Bundle, recipe: WtriRecipe, folder: Path, device: torch.device) -> WtriTrainer:
    """A trainer on the shards in `folder`. Raises InputError if there are none."""
    pictures = Pictures.read(folder, OUTSIDE, own=False)
    torch.manual_seed(recipe.seed)
    return WtriTrainer(bundle, Wtri(config_for(bundle, recipe.planes)), recipe, pictures, device)


def train_wtri(job: EncoderJob, report: Callable[[str], None], show: Show) -> Path:
    """Train the encoder into W_tri; returns where it was written."""
    job.folder.mkdir(parents=True, exist_ok=True)
    recipe = recipe_for(job.bundle, job.scale, job.without)
    path = finished_file(job.bundle, WTRI, job.folder)
    first_alone(lambda: draw_outside(job, recipe.resolution, report))
    trainer = make_trainer(job.bundle, recipe, job.folder, job.device)
    trainer.run_showing(job.folder / f"{WTRI}.pt", report, show)
    first_alone(lambda: save_encoder(trainer.average, path))
    return path
