"""The tri-plane generator: `G(codes, cameras) -> Render`.

Cameras are grouped by code: with M codes and N cameras, camera i shows code i // (N / M), so that one code seen by
many cameras computes its planes once.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from inv3d.core.camera import Camera, screen_height
from inv3d.core.generator.backbone import Backbone
from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.field import (
    BACKGROUND_OUTPUTS,
    CanonicalPlanes,
    Decoder,
    Field,
    TriPlanes,
    background_colors,
)
from inv3d.core.generator.layers import FullyConnected, NoiseMode
from inv3d.core.generator.rays import (
    PROPOSALS,
    importance_depths,
    march,
    places_along,
    proposal_depths,
    stratified_depths,
)
from inv3d.core.generator.superresolution import SuperResolution

_CPU_CHUNK, _GPU_CHUNK = 4096, 1 << 17
"""Rays that are sampled and decoded at a time: what a processor's cache holds, and what keeps a GPU busy."""
_LOOKS = 20  # along a ray, to see whether it passes the head at all
_MANY = 4096  # rays for which these looks pay
_VISIBLE = 1 / 255  # optical depth of a grid cell above which a ray may meet something
_BETWEEN = 0.3  # raw density by which a place between the cells of a grid may exceed them


def _marked(marks: Tensor) -> Tensor:
    """The places [M,K] of what is marked in the rows of `marks` [M,P]; K is the most of a row, others are filled up."""
    return marks.byte().argsort(dim=1, descending=True, stable=True)[:, : int(marks.sum(1).max())]


def _some(values: Tensor, places: Tensor) -> Tensor:
    """`values` [M,P,C] at some `places` [M,K]."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1]))


@dataclass(frozen=True)
class Render:
    """`image` [B,3,R,R] and `image_raw` [B,3,r,r] about in [-1,1], `depth` [B,1,r,r] along the ray in world units,
    `alpha` [B,1,r,r], how much of the pixel is covered."""

    image: Tensor
    image_raw: Tensor
    depth: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class RayColors:
    """Rendered rays: `features` [M,P,K] in [-1,1], `depth` [M,P], `alpha` [M,P]."""

    features: Tensor
    depth: Tensor
    alpha: Tensor


class TriplaneGenerator(nn.Module):
    """EG3D's generator with parameters named as in the public checkpoints, and the options of `GeneratorConfig`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        features = config.plane_channels
        self.canonical: CanonicalPlanes | None = None
        if config.canonical is not None:
            self.canonical = CanonicalPlanes(config.canonical)
            features += config.canonical.channels - 3
        self.decoder = Decoder(features, config)
        self.superresolution: SuperResolution | None = None
        if config.superresolution is not None:
            self.superresolution = SuperResolution(config.superresolution, config.color_channels, config.w_dim)
        self.background: FullyConnected | None = None
        if config.rendering.background:
            self.background = FullyConnected(config.w_dim, BACKGROUND_OUTPUTS)
        self.field = Field(config, self.decoder, self.canonical)

    @property
    def num_ws(self) -> int:
        return self.backbone.synthesis.num_ws

    @property
    def device(self) -> torch.device:
        return self.backbone.mapping.w_avg.device

    def mapping(
        self, z: Tensor, camera: Tensor | None = None, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Codes [B,num_ws,w_dim] of `z` [B,z_dim], conditioned on camera vectors [B,25] where the model needs them."""
        return self.backbone.mapping(z, camera, truncation, truncation_cutoff)

    def planes(self, codes: Tensor, noise_mode: NoiseMode = "const") -> TriPlanes:
        """Tri-planes of `codes` [M,num_ws,w_dim]."""
        config = self.config
        image = self.backbone.synthesis(codes, noise_mode)
        size = config.plane_resolution
        features = image.reshape(len(codes), 3, config.plane_channels, size, size).float()
        first, last = codes[:, 0], codes[:, -1]
        film = self.decoder.film(torch.cat([first, last], 1)) if self.decoder.film is not None else None
        background = self.background(last) if self.background is not None else None
        canonical = self.canonical.laid_out() if self.canonical is not None else None
        return TriPlanes(features, film, background, canonical)

    @torch.no_grad()
    def density_grid(self, planes: TriPlanes, size: int, chunk: int = 8192) -> Tensor:
        """Raw density [M,1,size,size,size] (axes z, y, x) at the cell centres of the box."""
        axis = ((torch.arange(size, device=self.device) + 0.5) / size - 0.5) * self.config.rendering.box
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        points = torch.stack([x, y, z], -1).reshape(1, -1, 3).expand(len(planes), -1, -1)
        sigma = torch.cat([self.field(planes, part)[0] for part in points.split(chunk, 1)], 1)
        return sigma.reshape(-1, 1, size, size, size)

    def proposal_grid(self, planes: TriPlanes) -> Tensor | None:
        """The density grid that guides sampling, for models that have one; may be kept for several renders."""
        size = self.config.rendering.proposal_grid
        return None if size is None else self.density_grid(planes, size)

    @torch.no_grad()
    def _look(self, grid: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
        """Raw density [M,P,S] that the density grid has along rays; outside the box there is none."""
        config = self.config.rendering
        points = places_along(origins, directions, config.near, config.far, PROPOSALS) * (2.0 / config.box)
        sigma = F.grid_sample(grid, points.flatten(1, 2)[:, None, None], padding_mode="border", align_corners=False)
        return sigma.reshape(points.shape[:-1]).masked_fill(points.abs().amax(-1) > 1.0, -torch.inf)

    @torch.no_grad()
    def _propose(self, sigma: Tensor, u: Tensor) -> Tensor:
        """Sorted depths [M,P,F] where the raw densities along rays [M,P,S] (see `_look`) let expect the surface."""
        config = self.config.rendering
        return proposal_depths(self.field.soft_density(sigma), config.near, config.far, u).sort(-1).values

    def _visible(self, sigma: Tensor) -> Tensor:
        """Whether rays [...] on which a density grid has the values `sigma` [...,S] may show anything of the head."""
        config = self.config.rendering
        highest = self.field.density(sigma.amax(-1) + _BETWEEN)
        return highest * ((config.far - config.near) / PROPOSALS) > _VISIBLE

    def render_rays(
        self,
        planes: TriPlanes,
        origins: Tensor,
        directions: Tensor,
        generator: torch.Generator | None = None,
        grid: Tensor | None = None,
        chunk: int | None = None,
        samples: int | None = None,
    ) -> RayColors:
        """Render rays [M,P,3], P of them for each of M tri-planes.

        Without `generator` sampling is deterministic, with it reproducible. `samples` replaces the model's number of
        fine samples. At most `chunk` rays (default: what suits the device) are in memory at a time; with gradients and
        several chunks, each chunk is computed again in the backward pass.
        """
        config = self.config.rendering
        if grid is None:
            grid = self.proposal_grid(planes)
        if chunk is None:
            chunk = _CPU_CHUNK if self.device.type == "cpu" else _GPU_CHUNK
        sparse = grid if config.empty_outside else None
        reach = self._reach(sparse) if sparse is not None and origins.shape[1] > _MANY else None
        per_code = max(1, chunk // len(planes))
        again = torch.is_grad_enabled() and origins.shape[1] > per_code
        pieces: list[tuple[Tensor, Tensor, Tensor]] = []
        low, high = torch.inf, -torch.inf
        for o, d in zip(origins.split(per_code, 1), directions.split(per_code, 1), strict=True):
            jitter = self._random((*o.shape[:2], config.coarse_samples), generator) if grid is None else None
            u = self._quantiles((*o.shape[:2], samples or config.fine_samples), generator, stratified=grid is not None)
            if sparse is not None:
                render = functools.partial(self._render_sparse, planes, o, d, sparse, reach, u)
            else:
                render = functools.partial(self._render_chunk, planes, o, d, grid, jitter, u)
            piece, nearest, farthest = checkpoint(render, use_reentrant=False) if again else render()
            pieces.append(piece)
            low, high = min(low, nearest), max(high, farthest)
        features, depth, alpha = (torch.cat(parts, 1) for parts in zip(*pieces, strict=True))
        if not config.empty_outside:
            depth = depth.clamp(low, high)
        return RayColors(features * 2.0 - 1.0, depth, alpha)

    def _random(self, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Uniform numbers, or 0.5 without a generator."""
        if generator is None:
            return torch.full(shape, 0.5, device=self.device)
        return torch.rand(shape, generator=generator, device=generator.device).to(self.device)

    def _quantiles(self, shape: tuple[int, ...], generator: torch.Generator | None, stratified: bool) -> Tensor:
        """Where in the cumulative density the fine samples lie."""
        if stratified:
            strata = torch.arange(shape[-1], device=self.device)
            return (strata + self._random(shape, generator)) / shape[-1]
        if generator is None:
            return torch.linspace(0.0, 1.0, shape[-1], device=self.device).expand(shape)
        return self._random(shape, generator)

    def _evaluate(
        self, planes: TriPlanes, origins: Tensor, directions: Tensor, depths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Raw density [M,P,S] and colours [M,P,S,K] at depths [M,P,S]."""
        points = origins[:, :, None] + directions[:, :, None] * depths[..., None]
        sigma, color = self.field(planes, points.flatten(1, 2))
        return sigma.reshape(depths.shape), color.reshape(*depths.shape, -1)

    def _render_chunk(
        self,
        planes: TriPlanes,
        origins: Tensor,
        directions: Tensor,
        grid: Tensor | None,
        jitter: Tensor | None,
        u: Tensor,
    ) -> tuple[tuple[Tensor, Tensor, Tensor], float, float]:
        config = self.config.rendering
        if grid is not None:
            depths = self._propose(self._look(grid, origins, directions), u)
            sigma, color = self._evaluate(planes, origins, directions, depths)
        else:
            assert jitter is not None
            depths = stratified_depths(config.near, config.far, jitter, config.disparity)
            sigma, color = self._evaluate(planes, origins, directions, depths)
            if config.fine_samples:
                with torch.no_grad():
                    fine = importance_depths(depths, self._march(sigma, color, depths, None)[2], u)
                more_sigma, more_color = self._evaluate(planes, origins, directions, fine)
                depths, order = torch.cat([depths, fine], -1).sort(-1)
                sigma = torch.cat([sigma, more_sigma], -1).gather(-1, order)
                color = torch.cat([color, more_color], -2)
                color = color.gather(-2, order[..., None].expand_as(color))
        feature, depth, weights = self._march(sigma, color, depths, self._behind(planes, origins, directions))
        return (feature, depth, weights.sum(-1)), float(depths.min()), float(depths.max())

    def _reach(self, grid: Tensor) -> Tensor:
        """The density grid [1,1,S,S,S] widened so that a few looks along a ray miss nothing of it."""
        config = self.config.rendering
        size = grid.shape[-1]
        step = (config.far - config.near) / _LOOKS
        # in cells: half a step to the nearest look, half a cell to its centre, less than one to what is interpolated
        width = 2 * math.floor(0.5 * step * size / config.box + 1.5) + 1
        for axis in range(3):
            kernel, padding = [1, 1, 1], [0, 0, 0]
            kernel[axis], padding[axis] = width, width // 2
            grid = F.max_pool3d(grid, tuple(kernel), 1, tuple(padding))
        return grid

    def _may_meet(self, reach: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
        """Rays [M,P] for which `_look` may find something: all that it finds, and some more."""
        config = self.config.rendering
        points = places_along(origins, directions, config.near, config.far, _LOOKS) * (2.0 / config.box)
        sigma = F.grid_sample(
            reach, points.flatten(1, 2)[:, None, None], mode="nearest", padding_mode="border", align_corners=False
        ).reshape(points.shape[:-1])
        return self._visible(sigma)

    def _render_sparse(
        self, planes: TriPlanes, origins: Tensor, directions: Tensor, grid: Tensor, reach: Tensor | None, u: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], float, float]:
        """Evaluate only the rays that meet something; the others show the background. `reach` finds most of them soon."""
        config, count = self.config.rendering, origins.shape[1]
        behind = self._behind(planes, origins, directions)
        shape = (len(planes), count, self.config.color_channels)
        color = origins.new_zeros(shape) if behind is None else behind.expand(shape)
        depth = origins.new_full(shape[:2], config.far)
        alpha = origins.new_zeros(shape[:2])
        rays = torch.arange(count, device=origins.device).expand(len(planes), -1)
        if reach is not None:
            rays = _marked(self._may_meet(reach, origins, directions))
        looks = self._look(grid, _some(origins, rays), _some(directions, rays))
        occupied = _marked(self._visible(looks))
        looks, rays = _some(looks, occupied), rays.gather(1, occupied)
        if rays.shape[1]:
            depths = self._propose(looks, _some(u, rays))
            sigma, found = self._evaluate(planes, _some(origins, rays), _some(directions, rays), depths)
            found, distance, weights = self._march(sigma, found, depths, _some(color, rays))
            color = color.scatter(1, rays[..., None].expand_as(found), found)
            depth, alpha = depth.scatter(1, rays, distance), alpha.scatter(1, rays, weights.sum(-1))
        return (color, depth, alpha), config.near, config.far

    def _behind(self, planes: TriPlanes, origins: Tensor, directions: Tensor) -> Tensor | None:
        """What rays [M,P,3] see where there is no head, [M,P,K] or a shape that broadcasts to it."""
        if self.config.rendering.white_background:
            return torch.ones(1, 1, 1, device=self.device)
        if planes.background is None:
            return None
        return background_colors(planes.background, screen_height(origins, directions))

    def _march(
        self, sigma: Tensor, color: Tensor, depths: Tensor, behind: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        config = self.config.rendering
        densities = self.field.density(0.5 * (sigma[..., 1:] + sigma[..., :-1]))
        return march(color, densities, depths, behind, config.far if config.empty_outside else None)

    def render(
        self,
        planes: TriPlanes,
        codes: Tensor,
        cameras: Camera,
        resolution: int | None = None,
        generator: torch.Generator | None = None,
        grid: Tensor | None = None,
        chunk: int | None = None,
        superresolution: bool = True,
    ) -> Render:
        """Render planes made by `forward`'s first half; see `forward` for the arguments."""
        if len(cameras) % len(planes):
            raise ValueError(f"{len(cameras)} cameras cannot be shared evenly by {len(planes)} codes")
        size = resolution or self.config.raw_resolution
        views = len(cameras) // len(planes)
        origins, directions = (r.reshape(len(planes), views * size * size, 3) for r in cameras.rays(size))
        rays = self.render_rays(planes, origins, directions, generator, grid, chunk)
        features = (
            rays.features.reshape(len(cameras), size * size, -1).transpose(1, 2).reshape(len(cameras), -1, size, size)
        )
        raw = features[:, :3]
        image = raw
        if superresolution and self.superresolution is not None:
            image = self.superresolution(features, codes.repeat_interleave(views, 0))
        maps = (rays.depth.reshape(-1, 1, size, size), rays.alpha.reshape(-1, 1, size, size))
        return Render(image, raw, *maps)

    def forward(
        self,
        codes: Tensor,
        cameras: Camera,
        resolution: int | None = None,
        generator: torch.Generator | None = None,
        noise_mode: NoiseMode = "const",
        chunk: int | None = None,
        superresolution: bool = True,
    ) -> Render:
        """Render `codes` [M,num_ws,w_dim] from N `cameras`, grouped by code (N a multiple of M).

        `resolution` is that of the rays (default: the model's own). Without `superresolution` `image` is `image_raw`,
        which is what a depth map needs. Raises ValueError if N is not a multiple of M.
        """
        planes = self.planes(codes, noise_mode)
        return self.render(planes, codes, cameras, resolution, generator, None, chunk, superresolution)
