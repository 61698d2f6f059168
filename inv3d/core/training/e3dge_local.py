"""Training of E3DGE's local branch (Lan et al. 2025, sections 4.2 and 4.3): hourglass, alignment, fusion and FiLM.

The picture of one side is encoded, and the head is rendered from the same or from another side. What the other side shows
and the picture hides has to be invented, so that the features become generative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera, Rays, pixel_centers
from inv3d.core.encoders.local import LocalBranch, residual_of
from inv3d.core.generator import Detail, LocalFeatures, Scene
from inv3d.core.inversion.loop import total
from inv3d.core.inversion.objective import Target, pixel_terms, reconstruction
from inv3d.core.inversion.reconstruction import resize, shown_at
from inv3d.core.inversion.settings import FAST, FitSettings
from inv3d.core.training.adversary import Adversary, PatchDiscriminator
from inv3d.core.training.averaged import AveragedTraining
from inv3d.core.training.job import times
from inv3d.core.training.likeness import shares
from inv3d.core.training.loop import Losses
from inv3d.core.training.renders import GUIDE_CELLS
from inv3d.core.training.residuals import Residuals
from inv3d.core.views import from_bytes

_PAPER_FIT = FitSettings(pixel=1.0, perceptual=0.8, identity=0.1)
WHOLE_RAYS = 1 << 12
"""Rays of whole renders at a time: with local detail a sample keeps forty times as much for its gradient."""


@dataclass(frozen=True)
class LocalRecipe:
    """Sizes, rates and weights of the losses; the defaults are the paper's (section 6).

    `alignment` and R1 as its public code has them. What the paper's ablation (Table 3) leaves out is None or 0.
    """

    steps: int = 500_000
    heads: int = 4
    lr: float = 5e-5
    average: float = 0.999
    fit: FitSettings = _PAPER_FIT
    patch: int = 64
    """Side of the patches that are compared and judged, for models that are rendered at random pixels; otherwise of those
    that are judged."""
    aligns: bool = True
    alignment: float = 1.0
    """Weight of the difference between aligned residuals and the true ones."""
    novel_views: float = 0.5
    """Share of heads that are rendered from the other side."""
    adversarial: float = 0.01
    penalty: float = 10.0
    judge_lr: float = 5e-5
    inside: int = 10_000
    """Heads of the generator's own pictures."""
    outside: int = 10_000
    """Pictures of the world."""
    seed: int = 8

    def scaled(self, factor: float) -> LocalRecipe:
        """The recipe with `factor` times the steps and pictures."""
        return times(self, factor, "steps", "inside", "outside")


SMALL_LOCAL = LocalRecipe(
    steps=4_000,
    heads=2,
    lr=1e-3,
    average=0.995,
    fit=replace(FAST, rays_per_view=256, perceptual=0.1, identity=0.1, samples=10),
    patch=40,
    judge_lr=5e-4,
    inside=600,
    outside=600,
)
"""For models like the embedded one on a CPU."""


class LocalTrainer(AveragedTraining[LocalBranch]):
    """Trains a local branch on `residuals`."""

    name, report_every, save_every = "E1", 50, 250

    def __init__(
        self, bundle: Bundle, branch: LocalBranch, recipe: LocalRecipe, residuals: Residuals, device: torch.device
    ) -> None:
        self.bundle, self.recipe, self.residuals = bundle, recipe, residuals
        self.steps, self.seed, self.lr, self.decay = recipe.steps, recipe.seed, recipe.lr, recipe.average
        super().__init__(branch, device)
        self.adversary: Adversary | None = None
        if recipe.adversarial:
            self.adversary = Adversary(PatchDiscriminator(), device, recipe.judge_lr, recipe.penalty)
            self.parts |= {"judge": self.adversary.network, "judge_optimizer": self.adversary.optimizer}
        self._patches: tuple[Tensor, Tensor] | None = None

    def losses(self, random: torch.Generator) -> Losses:
        """L_rec + L_adv of the renders (Eq. 22), and the distance of aligned residuals to the true ones."""
        recipe, known = self.recipe, self.residuals
        rows = torch.randint(len(known), (recipe.heads,), generator=random)
        asked = (torch.rand(recipe.heads, generator=random) < recipe.novel_views).long()
        image, render, depth, camera = self._picture(rows, torch.zeros_like(asked))
        target, there, far, asked_camera = self._picture(rows, asked)
        residual = residual_of(image, render)
        losses: Losses = {}
        aligned: tuple[LocalFeatures, ...] = ()
        if recipe.aligns:
            moved = self.network.align(residual, there)
            losses["alignment"] = recipe.alignment * (moved - residual_of(target, there)).abs().mean()
            aligned = (self.network.read(moved, far, asked_camera),)
        detail = Detail(self.network.seen(residual, depth, camera), self.network.film, aligned)
        codes = known.codes[rows].to(self.device)
        scene = self.bundle.generator.scene(codes, detail, guide_cells=GUIDE_CELLS)
        seen, patches = self._compared(scene, asked_camera, target, random)
        if self.adversary is not None:
            self._patches = patches
            losses["adversarial"] = recipe.adversarial * self.adversary.encoder_loss(patches[0])
        return total([seen, losses])

    def after_step(self) -> None:
        super().after_step()
        if self.adversary is not None and self._patches is not None:
            self.adversary.learn(*self._patches, self.step)

    def _picture(self, rows: Tensor, view: Tensor) -> tuple[Tensor, Tensor, Tensor, Camera]:
        """Picture, render, depth and camera of each of the `rows` in one of its two views."""
        known, device = self.residuals, self.device
        image, render = (from_bytes(each[rows, view]).to(device) for each in (known.images, known.renders))
        return image, render, known.depth[rows, view].float().to(device), known.cameras(self.bundle, rows, view).to(device)

    def _compared(
        self, scene: Scene, cameras: Camera, images: Tensor, random: torch.Generator
    ) -> tuple[Losses, tuple[Tensor, Tensor]]:
        """L_rec of renders against `images` [B,3,R,R], and patches of both for the discriminator."""
        fit, generator, count, size = self.recipe.fit, self.bundle.generator, len(images), images.shape[-1]
        patch = min(self.recipe.patch, size)
        top, left = torch.randint(size - patch + 1, (2,), generator=random).tolist()
        window = (slice(top, top + patch), slice(left, left + patch))
        if fit.rays_per_view is None:
            render = generator.render(scene, cameras, None, random, WHOLE_RAYS)
            image = resize(render.image, size)
            losses = self._alike(image, images)
            return losses, (image[..., *window], images[..., *window])
        square = (torch.arange(patch) + top)[:, None] * size + torch.arange(patch) + left
        scattered = torch.randint(size * size, (count, fit.rays_per_view), generator=random)
        pixels = torch.cat([square.flatten().expand(count, -1), scattered], 1).to(self.device)
        rays = cameras.rays_through(pixel_centers(pixels, size))
        found = generator.render_rays(scene, Rays(*rays), random, 1 << 20, fit.samples).features[..., :3]
        wanted = shown_at(images, pixels)
        drawn, real = (
            each[:, : patch * patch].transpose(1, 2).unflatten(2, (patch, patch)) for each in (found, wanted)
        )
        near = self.bundle.perceptual.distance(drawn, real)
        losses = {
            "perceptual": fit.perceptual * near.mean(),
            **pixel_terms(found - wanted, shares(images), fit),
        }
        whole = generator.render(scene[:1], cameras[:1], fit.whole_resolution, random, 1 << 16, superresolution=False)
        least = whole.image.shape[-1]
        return total([losses, self._alike(whole.image, resize(images[:1], least))]), (drawn, real)

    def _alike(self, image: Tensor, target: Tensor) -> Losses:
        networks = self.bundle.perceptual, self.bundle.identity
        known = Target.of(target, *networks)
        return reconstruction(image, known, shares(target), *networks, self.recipe.fit)

    @torch.no_grad()
    def grid(self, pictures: int = 3, sides: tuple[float, ...] = (-40.0, 40.0)) -> Tensor:
        """Some pictures, and beside each the render of its code, then with detail: from its own side and from the `sides`
        (degrees); [3,H,W]."""
        generator, info, known = self.bundle.generator, self.bundle.info, self.residuals
        rows = []
        for row in torch.linspace(0, len(known) - 1, pictures).long():
            image, render, _, camera = self._picture(row[None], torch.zeros(1, dtype=torch.long))
            yaws = torch.tensor(sides).deg2rad()
            around = info.camera(yaws, torch.zeros(len(sides))).to(self.device)
            code = known.codes[row[None]].to(self.device)
            aligned = [camera, *(around[i] for i in range(len(sides)))]
            detail = self.average.detail(generator, generator.scene(code), image, camera, aligned)
            scene = generator.scene(code, detail)
            size = image.shape[-1]
            shown = [
                generator.render(scene, each, size, superresolution=False).image[0] for each in aligned
            ]
            rows.append(torch.cat([image[0], resize(render, size)[0], *shown], 2))
        return torch.cat(rows, 1).cpu()
