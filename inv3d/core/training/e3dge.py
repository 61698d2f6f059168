"""Training of E3DGE's global encoder on the generator's own pictures (Lan et al. 2025, section 4.1).

Their codes, shapes and sides are known exactly, so that the encoder learns all three beside the pictures themselves: no
picture of the world is needed, and no shape collapses to what explains one side alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera, Rays, pixel_centers
from inv3d.core.device import half_where_fast
from inv3d.core.encoders.e3dge import E3dge, Encoded, pose_distance
from inv3d.core.generator import Scene
from inv3d.core.inversion.loop import total
from inv3d.core.inversion.objective import Target, pixel_terms, reconstruction
from inv3d.core.inversion.reconstruction import resize, shown_at
from inv3d.core.inversion.settings import FAST, FitSettings
from inv3d.core.training.averaged import AveragedTraining
from inv3d.core.training.geometry import GeometryWeights, geometry_losses
from inv3d.core.training.job import times
from inv3d.core.training.likeness import beside, shares
from inv3d.core.training.loop import Losses
from inv3d.core.training.networks import jitter
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.renders import GUIDE_CELLS, SAMPLES, SMALL_SAMPLES, Renders
from inv3d.core.views import from_bytes

_PAPER_FIT = FitSettings(pixel=1.0, perceptual=0.8, identity=0.1)
_PAPER_GEOMETRY = GeometryWeights()


@dataclass(frozen=True)
class GlobalRecipe:
    """Sizes, rates and weights of the losses; the defaults are the paper's (section 6).

    Where the paper is silent: `code` 1 and the weights of geometry are those of its public code.
    """

    steps: int = 500_000
    batch: int = 4
    rendered: int = 4
    """Pictures of a batch that are rendered; the others teach their codes and sides alone."""
    lr: float = 5e-5
    average: float = 0.999
    fit: FitSettings = _PAPER_FIT
    code: float = 1.0
    pose: float = 1.0
    geometry: GeometryWeights | None = _PAPER_GEOMETRY
    """None for the paper's ablation (Table 4)."""
    geometry_rays: int = 1024
    """Points on the surface, and as many around it, of every rendered picture."""
    sample_shards: int = 100
    samples: Renders = SAMPLES
    seed: int = 7

    def scaled(self, factor: float) -> GlobalRecipe:
        """The recipe with `factor` times the steps and pictures."""
        return times(self, factor, "steps", "sample_shards")


SMALL_GLOBAL = GlobalRecipe(
    steps=6_000,
    batch=12,
    rendered=2,
    lr=2e-3,
    average=0.995,
    fit=replace(FAST, rays_per_view=256, perceptual=0.1, identity=0.1, samples=10),
    geometry=GeometryWeights(surface=0.5, depth=2.0, around=0.5),
    geometry_rays=192,
    sample_shards=24,
    samples=SMALL_SAMPLES,
)
"""For models like the embedded one on a CPU: random pixels and small views instead of whole pictures."""


class GlobalTrainer(AveragedTraining[E3dge]):
    """Trains the global encoder and the pose head on `pictures` of the generator's own."""

    name, report_every, save_every = "E0", 50, 250

    def __init__(
        self, bundle: Bundle, encoder: E3dge, recipe: GlobalRecipe, pictures: Pictures, device: torch.device
    ) -> None:
        self.bundle, self.recipe, self.pictures = bundle, recipe, pictures
        self.steps, self.seed, self.lr, self.decay = recipe.steps, recipe.seed, recipe.lr, recipe.average
        encoder.mean_code.copy_(bundle.generator.code_space.repeat(bundle.mean_code))
        learning = [*encoder.codes.parameters(), *encoder.pose.parameters()]
        super().__init__(encoder, device, learning)

    def losses(self, random: torch.Generator) -> Losses:
        """L_geo + L_code + L_rec (section 4.1), and L_pose (section 4.4)."""
        recipe, pictures, device = self.recipe, self.pictures, self.device
        assert pictures.z is not None
        rows, images, yaw, pitch, _ = pictures.drawn(recipe.batch, random)
        # alignments of photographs are not exact
        seen = jitter(images, random).to(device, memory_format=torch.channels_last)
        with half_where_fast(device):
            found: Encoded = self.network(seen)
        true = recipe.samples.codes(self.bundle, pictures.z[rows])
        few = slice(recipe.rendered)
        cameras = self.bundle.info.camera(yaw[few], pitch[few]).to(device)
        angles = torch.stack([yaw, pitch], 1).to(device)
        return {
            **self._seen_again(found.codes[few], true[few], images[few].to(device), cameras, random),
            "code": recipe.code * (found.codes - true).square().mean(),
            "pose": recipe.pose * pose_distance(found.pose, angles),
        }

    def _seen_again(self, codes: Tensor, true: Tensor, images: Tensor, cameras: Camera, random: torch.Generator) -> Losses:
        """Losses of renders of predicted `codes` [B,...] against `images`, and of their shapes against those of the `true`
        codes."""
        recipe, generator = self.recipe, self.bundle.generator
        scene = generator.scene(codes, guide_cells=GUIDE_CELLS)
        one_each = recipe.fit.rays_per_view is None
        parts: list[Losses] = []
        size = images.shape[-1]
        count = recipe.fit.rays_per_view or recipe.geometry_rays
        pixels = torch.randint(size * size, (len(codes), count), generator=random).to(self.device)
        rays = cameras.rays_through(pixel_centers(pixels, size))
        if not one_each or recipe.geometry is not None:
            rendered = generator.render_rays(scene, rays, random, 1 << 20, recipe.fit.samples)
        if not one_each:
            error = rendered.features[..., :3] - shown_at(images, pixels)
            parts.append(pixel_terms(error, shares(images), recipe.fit))
        if recipe.geometry is not None:
            few = recipe.geometry_rays
            with torch.no_grad():
                exact = generator.scene(true, guide_cells=GUIDE_CELLS)
            part = Rays(*(each[:, :few] for each in rays))
            parts.append(
                geometry_losses(
                    generator, scene, exact, part, rendered.depth[:, :few], recipe.geometry, random, recipe.fit.samples
                )
            )
        whole = len(codes) if one_each else 1
        parts.append(self._whole(scene[:whole], cameras[:whole], images[:whole], random))
        return total(parts)

    def _whole(self, scene: Scene, cameras: Camera, images: Tensor, random: torch.Generator) -> Losses:
        """L_rec of whole renders; of models with super-resolution, of both resolutions (section 6)."""
        fit, generator = self.recipe.fit, self.bundle.generator
        size = fit.whole_resolution
        render = generator.render(scene, cameras, size, random, 1 << 16, superresolution=size is None)
        both = [render.image] if render.image is render.image_raw else [render.image, render.image_raw]
        compared = []
        for image in both:
            least = min(image.shape[-1], images.shape[-1])
            networks = self.bundle.perceptual, self.bundle.identity
            target = Target.of(resize(images, least), *networks)
            compared.append(reconstruction(resize(image, least), target, shares(images), *networks, fit))
        return total(compared)

    @torch.no_grad()
    def grid(self, pictures: int = 4, sides: tuple[float, ...] = (-40.0, 0.0, 40.0)) -> Tensor:
        """Some pictures, and beside each what the average makes of it: from its own side, then from the `sides` (degrees);
        [3,H,W]."""
        image = from_bytes(self.pictures.images[:pictures]).to(self.device)
        return beside(self.bundle, image, self.average(image).codes, self.pictures.yaw, self.pictures.pitch, sides)
