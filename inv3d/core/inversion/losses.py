"""The reconstruction losses of Eq. 3 (Barthel et al. 2024) between renders and target views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera, pixel_centers
from inv3d.core.generator import Render, TriplaneGenerator
from inv3d.core.generator.field import TriPlanes
from inv3d.core.inversion.loop import Losses
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.inversion.warping import depth_smoothness, warp


def resize(images: Tensor, size: int) -> Tensor:
    """[B,3,H,W] to [B,3,size,size], antialiased."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


_GRID_SIZE = 40
_GRID_AGE = 10  # steps after which the density grid is made anew


@dataclass
class Reconstruction:
    """Renders views and compares them; `random` is the seeded source of pixels and samples.

    For models that propose samples from a density grid, one coarse grid of the mean code serves all codes and
    several steps: the codes stay close to each other, and proposals need not be exact.
    """

    bundle: Bundle
    settings: FitSettings
    random: torch.Generator
    grid: Tensor | None = None

    @torch.no_grad()
    def begin(self, step: int, generator: TriplaneGenerator, codes: Tensor) -> None:
        """Start a step with the current `codes` [M,num_ws,w_dim]."""
        size = generator.config.rendering.proposal_grid
        if size is not None and step % _GRID_AGE == 0:
            self.grid = generator.density_grid(generator.planes(codes.mean(0, keepdim=True)), min(size, _GRID_SIZE))

    def grid_for(self, codes: int) -> Tensor | None:
        """The density grid for each of so many codes."""
        return None if self.grid is None else self.grid.expand(codes, -1, -1, -1, -1)

    def image_losses(self, image: Tensor, target: Tensor, weights: Tensor) -> Losses:
        """Perceptual, pixel and identity losses of whole images [B,3,R,R], summed over them with `weights` [B]."""
        settings = self.settings
        perceptual = self.bundle.perceptual.distance(image, target)
        identity = 1.0 - self.bundle.identity.similarity(image, target)
        return {
            "perceptual": settings.perceptual * (weights * perceptual).sum(),
            "identity": settings.identity * (weights * identity).sum(),
            **self.pixel_losses(image - target, weights),
        }

    def pixel_losses(self, error: Tensor, weights: Tensor) -> Losses:
        """Losses of pixel errors [B,...], means over each image, summed over the images with `weights` [B]."""
        losses = {"pixel": self.settings.pixel * (weights * error.square().flatten(1).mean(1)).sum()}
        if self.settings.absolute:
            losses["absolute"] = self.settings.absolute * (weights * error.abs().flatten(1).mean(1)).sum()
        return losses

    def whole(
        self,
        generator: TriplaneGenerator,
        planes: TriPlanes,
        codes: Tensor,
        cameras: Camera,
        images: Tensor,
        weights: Tensor,
        resolution: int | None = None,
        moving: bool = False,
    ) -> Losses:
        """Losses of whole renders of the `planes` of `codes`; `resolution` renders and compares smaller images.

        With `moving` cameras also the warping loss, whose gradient reaches them alone.
        """
        grid = self.grid_for(len(planes))
        render = generator.render(
            planes, codes, cameras, resolution, self.random, grid, 1 << 16, superresolution=resolution is None
        )
        size = resolution or images.shape[-1]
        targets = resize(images, size)
        losses = self.image_losses(resize(render.image, size), targets, weights)
        if moving and self.settings.warping:
            losses["warping"] = (
                self.settings.warping
                * (weights * self.warping(generator, planes, codes, cameras, targets, render)).sum()
            )
        if self.settings.smoothness and not moving:
            smooth = depth_smoothness(render.depth, render.alpha)
            losses["smoothness"] = self.settings.smoothness * (weights * smooth).sum()
        return losses

    def warping(
        self,
        generator: TriplaneGenerator,
        planes: TriPlanes,
        codes: Tensor,
        cameras: Camera,
        images: Tensor,
        seen: Render,
    ) -> Tensor:
        """Distance [B] between the frontal render and `images` [B,3,R,R] warped to the front (Eq. 11 of Ko et al.)."""
        zero = torch.zeros(len(images), device=images.device)
        front = self.bundle.info.camera(zero, zero).to(images.device)
        with torch.no_grad():
            render = generator.render(
                planes,
                codes,
                front,
                images.shape[-1],
                grid=self.grid_for(len(planes)),
                superresolution=False,
            )
        warped = warp(images, seen, cameras, render, front)
        difference = (warped - render.image_raw).abs().flatten(1).mean(1)
        return self.bundle.perceptual.distance(warped, render.image_raw) + difference

    def rays(
        self, generator: TriplaneGenerator, planes: TriPlanes, cameras: Camera, images: Tensor, weights: Tensor
    ) -> Losses:
        """Pixel losses on random pixels of every image; cameras are grouped by their planes."""
        settings = self.settings
        assert settings.rays_per_view is not None
        count, size = len(images), images.shape[-1]
        pixels = torch.randint(size * size, (count, settings.rays_per_view), generator=self.random).to(images.device)
        origins, directions = (r.reshape(len(planes), -1, 3) for r in cameras.rays_through(pixel_centers(pixels, size)))
        rays = generator.render_rays(
            planes, origins, directions, self.random, self.grid_for(len(planes)), 1 << 20, settings.samples
        )
        target = images.flatten(2).gather(2, pixels[:, None].expand(-1, 3, -1)).transpose(1, 2)
        return self.pixel_losses(rays.features[..., :3].reshape(target.shape) - target, weights)
