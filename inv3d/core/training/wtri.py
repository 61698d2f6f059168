"""Training of the encoder into W_tri (Oh and Jo 2023): the passes of ReStyle, and the cycle of codes over poses.

The pictures are those that the generator cannot fully reproduce, each seen by its own camera. A step learns one of the
passes, drawn at random, from the codes and renders of those before it: on average that is the same as all of them, and
needs the memory of one. The generator never moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.kinds import PREIM3D, WTRI
from inv3d.core.encoders.store import has_encoder, load_encoder, save_encoder
from inv3d.core.encoders.wtri import Wtri, WtriConfig, public_config, small_config
from inv3d.core.errors import UsageError
from inv3d.core.generator import Scene
from inv3d.core.inversion.settings import FAST, FitSettings
from inv3d.core.training.averaged import AveragedTraining
from inv3d.core.training.job import EncoderJob, Show, finished_file, first_alone, times
from inv3d.core.training.likeness import beside, likeness
from inv3d.core.training.loop import Losses
from inv3d.core.training.needs import Step, compared_rays
from inv3d.core.training.networks import jitter
from inv3d.core.training.outside import OUTSIDE, OUTSIDE_SHARDS, draw_outside, outside_bytes
from inv3d.core.training.pictures import Pictures
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
    shards: int = OUTSIDE_SHARDS
    """Shards of drawn people, for models that are drawn from some."""
    seed: int = 9

    def scaled(self, factor: float) -> WtriRecipe:
        """The recipe with `factor` times the steps and drawn people."""
        return times(self, factor, "steps", "shards")


SMALL_WTRI = WtriRecipe(
    steps=1_600,
    shards=4,
    batch=4,
    lr=1e-3,
    average=0.99,
    fit=replace(FAST, rays_per_view=256, perceptual=0.1, identity=0.2, similarity=0.05, samples=10),
    cycled=2,
    resolution=128,
)
"""For models like the embedded one on a CPU: random pixels and small views instead of whole pictures, from the encoder into W+
that the model has."""


class WtriTrainer(AveragedTraining[Wtri]):
    """Trains an encoder on `pictures`. In one that has `begun` elsewhere the norms keep their statistics: batches are small, and
    of several passes."""

    name, report_every, save_every = "encoder", 50, 250

    def __init__(
        self,
        bundle: Bundle,
        encoder: Wtri,
        recipe: WtriRecipe,
        pictures: Pictures,
        device: torch.device,
        begun: bool = False,
    ) -> None:
        self.bundle, self.recipe, self.pictures = bundle, recipe, pictures
        self.steps, self.seed, self.lr, self.decay = recipe.steps, recipe.seed, recipe.lr, recipe.average
        encoder.mean_code = bundle.mean_code.expand_as(encoder.mean_code).clone()
        super().__init__(encoder, device)
        self.network.train(not begun)

    def losses(self, random: torch.Generator) -> Losses:
        """L_total of one pass (Eq. 4)."""
        recipe, generator, encoder = self.recipe, self.bundle.generator, self.network
        passes = int(torch.randint(encoder.config.passes, (), generator=random))
        _, images, yaw, pitch, _ = self.pictures.drawn(recipe.batch, random, mirroring=True)
        cameras = self.bundle.info.camera(yaw, pitch).to(self.device)
        # alignments of photographs are not exact
        seen = jitter(images, random).to(self.device, memory_format=torch.channels_last)
        before = encoder.encoded(generator, seen, cameras, passes)
        with torch.no_grad():
            shown = encoder.scene(generator, before)
        codes = before + encoder.update(generator, shown, seen, cameras)
        scene = encoder.scene(generator, codes)
        away = (codes - encoder.mean_code).square().mean((1, 2)).sqrt().mean()
        losses = likeness(self.bundle, recipe.fit, scene, cameras, images.to(self.device), recipe.whole, random)
        losses["regularisation"] = recipe.regularisation * away
        if recipe.cycle:
            few = slice(recipe.cycled)
            losses["cycle"] = recipe.cycle * self._cycle(before[few], shown[few], codes[few], scene[few], random)
        return losses

    def _cycle(self, before: Tensor, shown: Scene, codes: Tensor, scene: Scene, random: torch.Generator) -> Tensor:
        """How far `codes` [B,...], which a pass read, are from those that it reads off their renders from other sides (Eq. 3),
        both from the codes `before` it. The sides are those of all pictures; the scenes are those of both codes."""
        rows = torch.randint(len(self.pictures), (len(codes),), generator=random)
        cameras = self.bundle.info.camera(self.pictures.yaw[rows], self.pictures.pitch[rows]).to(self.device)
        generator, encoder = self.bundle.generator, self.network
        again = before + encoder.update(generator, shown, encoder.drawn(generator, scene, cameras), cameras)
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
    recipe = WtriRecipe() if bundle.generator.superresolution is not None else SMALL_WTRI
    recipe = replace(recipe.scaled(scale), planes="planes" not in without)
    return replace(recipe, cycle=0.0) if "cycle" in without else recipe


def config_for(bundle: Bundle, planes: bool = True) -> WtriConfig:
    """The encoder's configuration for a model. Raises UsageError if it has no planes."""
    generator = bundle.generator
    space = generator.wtri_space if planes else generator.code_space
    if space is None:
        raise UsageError(f"the model '{bundle.name}' has no planes", "train another encoder, or add --without planes")
    if generator.superresolution is None:
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
    held = outside_bytes(job, recipe.resolution, recipe.shards)
    return [
        Step(
            make=lambda: Wtri(config), read=read, scenes=recipe.batch, vectors=config.num_ws, rays=compared, size=size, held=held
        )
    ]  # fmt: skip


def begin(encoder: Wtri, bundle: Bundle) -> bool:
    """Let an encoder begin as the one into W+ that the model has (`PREIM3D`). False if there is none of its sizes."""
    if not has_encoder(bundle.name, PREIM3D):
        return False
    finer = bundle.generator.wtri_space
    space = finer if finer is not None and finer.num_ws == encoder.config.num_ws else bundle.generator.code_space
    return encoder.begin_as(load_encoder(bundle.name, PREIM3D), space.origins or range(space.num_ws))


def make_trainer(bundle: Bundle, recipe: WtriRecipe, folder: Path, device: torch.device) -> WtriTrainer:
    """A trainer on the shards in `folder`. Raises InputError if there are none."""
    pictures = Pictures.read(folder, OUTSIDE, own=False)
    torch.manual_seed(recipe.seed)
    encoder = Wtri(config_for(bundle, recipe.planes))
    return WtriTrainer(bundle, encoder, recipe, pictures, device, begin(encoder, bundle))


def train_wtri(job: EncoderJob, report: Callable[[str], None], show: Show) -> Path:
    """Train the encoder into W_tri; returns where it was written."""
    job.folder.mkdir(parents=True, exist_ok=True)
    recipe = recipe_for(job.bundle, job.scale, job.without)
    path = finished_file(job.bundle, WTRI, job.folder)
    first_alone(lambda: draw_outside(job, recipe.resolution, report, recipe.shards))
    trainer = make_trainer(job.bundle, recipe, job.folder, job.device)
    trainer.run_showing(job.folder / f"{WTRI}.pt", report, show)
    first_alone(lambda: save_encoder(trainer.average, path))
    return path
