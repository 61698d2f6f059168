"""Training of an encoder as in PREIM3D (Li et al. 2023), by rounds in and out of the generator's domain.

In-domain pictures are the generator's own, whose codes are known (Eq. 4); out-of-domain pictures are those that it
cannot fully reproduce. Both are reconstructed from the side they were seen from, and must show the same person from the
sides around it (Eq. 6). The generator never moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.device import half_where_fast
from inv3d.core.encoders.pyramid import Encoder
from inv3d.core.inversion.loop import total
from inv3d.core.inversion.settings import FAST, FitSettings
from inv3d.core.training.augment import cluttered
from inv3d.core.training.averaged import AveragedTraining
from inv3d.core.training.job import times
from inv3d.core.training.likeness import beside, likeness
from inv3d.core.training.loop import Losses
from inv3d.core.training.networks import jitter
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.renders import GUIDE_CELLS, SAMPLES, SMALL_SAMPLES, Renders
from inv3d.core.views import from_bytes

_PAPER_FIT = FitSettings(pixel=1.0, perceptual=0.8, identity=0.4)


@dataclass(frozen=True)
class EncoderRecipe:
    """Sizes, rates and the schedule of weights; the defaults are the paper's (section 3.3, appendix A.1).

    The paper sums over the entries of a code where we take means: `code_growth` is its 1e-4 times their number.
    """

    steps: int = 500_000
    batch: int = 4
    rendered: int = 4
    """Pictures of a batch that are rendered; the others of an in-domain batch teach their codes alone."""
    cluttered: float = 0.0
    """Share of the pictures that are read before clutter, where their coverage is known. They are compared without it."""
    lr: float = 1e-4
    average: float = 0.999
    """Decay of the moving average of the weights, which is what is kept."""
    fit: FitSettings = _PAPER_FIT
    """Weights of the losses from the side of the picture, and how they are sampled."""
    alternating: bool = True
    code_start: int = 20_000
    code_growth: float = 0.7168
    around_start: int = 100_000
    around_growth: float = 1e-4
    growth_every: int = 5_000
    most: float = math.inf
    """Weights grow no larger than this many times their growth."""
    around_views: int = 4
    around_heads: int = 4
    """Pictures of a batch that are looked at from the sides around."""
    around_yaw: float = math.radians(20)
    around_pitch: float = math.radians(5)
    sample_shards: int = 100
    samples: Renders = SAMPLES
    seed: int = 6

    def scaled(self, factor: float) -> EncoderRecipe:
        """The recipe with `factor` times the steps and pictures, and its schedule stretched alike."""
        return times(self, factor, "steps", "code_start", "around_start", "growth_every", "sample_shards")

    def code_weight(self, step: int) -> float:
        """Weight of Eq. 4 at a step."""
        return self._grown(step, self.code_start, self.code_growth)

    def around_weight(self, step: int) -> float:
        """Weight of the surrounding views in Eq. 6 at a step."""
        return self._grown(step, self.around_start, self.around_growth)

    def _grown(self, step: int, start: int, growth: float) -> float:
        """`growth` more every `growth_every` steps from `start` on."""
        return growth * min(self.most, (step - start) // self.growth_every + 1) if step >= start else 0.0


SMALL = EncoderRecipe(
    steps=6_000,
    batch=24,
    rendered=6,
    lr=2e-3,
    average=0.995,
    fit=replace(FAST, rays_per_view=256, perceptual=0.1, identity=0.2, samples=10),
    code_start=300,
    code_growth=2.0,
    around_start=1_500,
    around_growth=0.05,
    growth_every=300,
    most=4.0,
    around_views=1,
    around_heads=2,
    sample_shards=24,
    samples=SMALL_SAMPLES,
)
"""For models like the embedded one on a CPU: random pixels and small views instead of whole pictures."""


class EncoderTrainer(AveragedTraining[Encoder]):
    """Trains an encoder; `inside` and `outside` are pictures of the two domains."""

    name, report_every, save_every = "encoder", 50, 250

    def __init__(
        self,
        bundle: Bundle,
        encoder: Encoder,
        recipe: EncoderRecipe,
        inside: Pictures,
        outside: Pictures,
        device: torch.device,
    ) -> None:
        self.bundle, self.recipe, self.inside, self.outside = bundle, recipe, inside, outside
        self.steps, self.seed, self.lr, self.decay = recipe.steps, recipe.seed, recipe.lr, recipe.average
        encoder.mean_code.copy_(bundle.generator.code_space.repeat(bundle.mean_code))
        super().__init__(encoder, device)

    def is_inside(self, step: int) -> bool:
        """Whether a step's round is in the domain (section 3.2, alternating training scheme)."""
        return self.recipe.alternating and step % 2 == 1

    def losses(self, random: torch.Generator) -> Losses:
        """Weighted losses of one round (Eq. 7)."""
        recipe, step = self.recipe, self.step
        inside = self.is_inside(step)
        pictures = self.inside if inside else self.outside
        count = recipe.batch if inside else recipe.rendered
        rows, images, yaw, pitch, alpha = pictures.drawn(count, random, mirroring=not inside)
        # alignments of photographs are not exact
        seen = jitter(images if alpha is None else cluttered(images, alpha, recipe.cluttered, random), random).to(self.device, memory_format=torch.channels_last)
        with half_where_fast(self.device):
            codes: Tensor = self.network(seen)
        parts = [self._seen_again(codes[: recipe.rendered], images, yaw, pitch, step, random)]
        if inside and recipe.code_weight(step):
            assert pictures.z is not None
            true = recipe.samples.codes(self.bundle, pictures.z[rows])
            parts.append({"code": recipe.code_weight(step) * (codes - true).square().mean()})
        return total(parts)

    def _seen_again(
        self, codes: Tensor, images: Tensor, yaw: Tensor, pitch: Tensor, step: int, random: torch.Generator
    ) -> Losses:
        """Losses of renders of `codes` [B,...] against the first B `images`, from their own side and from around."""
        recipe, generator, count = self.recipe, self.bundle.generator, len(codes)
        images, yaw, pitch = images[:count].to(self.device), yaw[:count], pitch[:count]
        cameras = self._cameras(yaw, pitch)
        scene = generator.scene(codes, guide_cells=GUIDE_CELLS)
        few, size = min(count, recipe.around_heads), recipe.fit.whole_resolution
        parts = [likeness(self.bundle, recipe.fit, scene, cameras, images, few, random)]
        weight = recipe.around_weight(step)
        if weight:
            around = self._around(yaw[:few], pitch[:few], random)
            render = generator.render(scene[:few], around, size, random, superresolution=size is None)
            target = images[:few].repeat_interleave(recipe.around_views, 0)
            alike = self.bundle.identity.similarity(render.image, target)
            parts.append({"around": weight * (1.0 - alike).mean()})
        return total(parts)

    def _cameras(self, yaw: Tensor, pitch: Tensor) -> Camera:
        return self.bundle.info.camera(yaw, pitch).to(self.device)

    def _around(self, yaw: Tensor, pitch: Tensor, random: torch.Generator) -> Camera:
        """Cameras around those at `yaw` and `pitch` [B], `around_views` for each, grouped."""
        views = self.recipe.around_views

        def moved(angle: Tensor, most: float) -> Tensor:
            offset = (torch.rand(len(angle), views, generator=random) * 2.0 - 1.0) * most
            return (angle[:, None] + offset).flatten()

        return self._cameras(moved(yaw, self.recipe.around_yaw), moved(pitch, self.recipe.around_pitch))

    @torch.no_grad()
    def grid(self, pictures: int = 3, sides: tuple[float, ...] = (-30.0, 0.0, 30.0)) -> Tensor:
        """Some pictures of both domains, and beside each what the average makes of it: from its own side, then from
        the `sides` (degrees); [3,H,W]."""
        rows = []
        for source in (self.outside, self.inside):
            image = from_bytes(source.images[:pictures]).to(self.device)
            rows.append(beside(self.bundle, image, self.average(image), source.yaw, source.pitch, sides))
        return torch.cat(rows, 1)
