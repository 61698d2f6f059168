"""Volume rendering of tri-planes along rays: sampling, decoding and compositing.

Two ways: EG3D's own (evenly spaced samples, then finer ones where the first found something), and that of models with a
density grid, whose samples are proposed from the grid and whose rays that meet nothing are never evaluated.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from inv3d.core.camera import Rays, screen_height
from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.field import Field, TriPlanes, background_colors
from inv3d.core.generator.interface import RayColors
from inv3d.core.generator.rays import (
    PROPOSALS,
    box_limits,
    importance_depths,
    march,
    places_along,
    proposal_depths,
    stratified_depths,
)

_CPU_RAYS = 4096
"""Rays that a CPU samples and decodes at a time: as many as fit into its cache."""
_GPU_SAMPLES = 1 << 21
"""Samples that a GPU decodes at a time: enough to keep it busy. With gradients they take about 3 GB at EG3D's full size, of
which one view has 1.6 million."""
_LOOKS = 20  # along a ray, to see whether it passes the head at all
_MANY = 4096  # rays for which these looks pay
_VISIBLE = 1 / 255  # optical depth of a grid cell above which a ray may meet something
_BETWEEN = 0.3  # raw density by which a place between the cells of a grid may exceed them

Marched = tuple[Tensor, Tensor, Tensor]
"""Colours [M,P,K], depths [M,P] and alphas [M,P] of rays."""
Limits = tuple[Tensor | float, Tensor | float]
"""Depths, of all rays or [M,P,1]."""


def rays_at_once(device: torch.device, most: int | None, samples: int) -> int:
    """How many rays of so many `samples` are rendered at a time, at most `most`."""
    if device.type == "cpu":
        return _CPU_RAYS if most is None else most
    fitting = max(1, _GPU_SAMPLES // samples)
    return fitting if most is None else min(most, fitting)


def _marked(marks: Tensor) -> Tensor:
    """The places [M,K] of what is marked in the rows of `marks` [M,P]; K is the most of a row, others are filled up."""
    return marks.byte().argsort(dim=1, descending=True, stable=True)[:, : int(marks.sum(1).max())]


def _some(values: Tensor, places: Tensor) -> Tensor:
    """`values` [M,P,C] at some `places` [M,K]."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1]))


class VolumeRenderer:
    """Renders rays through a field. Owns nothing: it borrows the field."""

    def __init__(self, field: Field, config: GeneratorConfig) -> None:
        self.field, self.config, self.color_channels = field, config.rendering, config.color_channels

    def render(
        self,
        planes: TriPlanes,
        rays: Rays,
        grid: Tensor | None,
        random: torch.Generator | None,
        chunk: int | None,
        samples: int | None,
    ) -> RayColors:
        """Render rays [M,P,3] through M tri-planes, with the density `grid` [M,1,S,S,S] of models that have one; see
        `Generator.render_rays` for the other arguments."""
        config, device = self.config, rays.origins.device
        fine = samples or config.fine_samples
        chunk = rays_at_once(device, chunk, fine if grid is not None else config.coarse_samples + fine)
        # a GPU would wait for the number of rays to skip: not in the steps of a fit, which draw at random
        skips = device.type == "cpu" or random is None
        reach = self._reach(grid) if grid is not None and skips and rays.origins.shape[1] > _MANY else None
        per_code = max(1, chunk // len(planes))
        again = torch.is_grad_enabled() and rays.origins.shape[1] > per_code
        pieces: list[Marched] = []
        reached: list[Tensor] = []
        chunks = zip(rays.origins.split(per_code, 1), rays.directions.split(per_code, 1), strict=True)
        for (o, d), limits in zip(chunks, self._limits(rays, per_code), strict=False):
            u = self._quantiles((*o.shape[:2], fine), random, grid is not None, device)
            if grid is not None:
                render = functools.partial(self._proposed, planes, o, d, grid, reach, u, skips)
            else:
                jitter = _uniform((*o.shape[:2], config.coarse_samples), random, device)
                render = functools.partial(self._two_passes, planes, o, d, limits, jitter, u)
            piece, extremes = checkpoint(render, use_reentrant=False, preserve_rng_state=False) if again else render()
            pieces.append(piece)
            reached.append(extremes)
        features, depth, alpha = (torch.cat(parts, 1) for parts in zip(*pieces, strict=True))
        if not config.empty_outside:
            nearest, farthest = torch.stack(reached).unbind(1)
            depth = depth.clamp(nearest.amin(), farthest.amax())
        return RayColors(features * 2.0 - 1.0, depth, alpha)

    @torch.no_grad()
    def _limits(self, rays: Rays, per_code: int) -> Iterator[Limits]:
        """The range of depths in which each chunk of rays is sampled."""
        config = self.config
        if not config.cut_by_box:
            return itertools.repeat((config.near, config.far))
        near, far = box_limits(rays.origins, rays.directions, config.box)
        return zip(near.split(per_code, 1), far.split(per_code, 1), strict=True)

    def _quantiles(
        self, shape: tuple[int, ...], random: torch.Generator | None, stratified: bool, device: torch.device
    ) -> Tensor:
        """The positions of the fine samples in the cumulative density."""
        if stratified:
            strata = torch.arange(shape[-1], device=device)
            return (strata + _uniform(shape, random, device)) / shape[-1]
        if random is None:
            return torch.linspace(0.0, 1.0, shape[-1], device=device).expand(shape)
        return _uniform(shape, random, device)

    def _evaluate(
        self, planes: TriPlanes, origins: Tensor, directions: Tensor, depths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Raw density [M,P,S] and colours [M,P,S,K] at depths [M,P,S]."""
        points = origins[:, :, None] + directions[:, :, None] * depths[..., None]
        sigma, color = self.field(planes, points.flatten(1, 2))
        return sigma.reshape(depths.shape), color.reshape(*depths.shape, -1)

    def _two_passes(
        self, planes: TriPlanes, origins: Tensor, directions: Tensor, limits: Limits, jitter: Tensor, u: Tensor
    ) -> tuple[Marched, Tensor]:
        """EG3D's way, with the depths [2] of the nearest and of the farthest sample."""
        config = self.config
        depths = stratified_depths(*limits, jitter, config.disparity)
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
        return (feature, depth, weights.sum(-1)), torch.stack(depths.detach().aminmax())

    def _proposed(
        self,
        planes: TriPlanes,
        origins: Tensor,
        directions: Tensor,
        grid: Tensor,
        reach: Tensor | None,
        u: Tensor,
        skips: bool,
    ) -> tuple[Marched, Tensor]:
        """Evaluate rays; with `skips` only those that meet something, and the others show the background. `reach` quickly finds
        most."""
        config, count = self.config, origins.shape[1]
        behind = self._behind(planes, origins, directions)
        shape = (len(planes), count, self.color_channels)
        color = origins.new_zeros(shape) if behind is None else behind.expand(shape)
        depth = origins.new_full(shape[:2], config.far)
        alpha = origins.new_zeros(shape[:2])
        rays = torch.arange(count, device=origins.device).expand(len(planes), -1)
        if reach is not None:
            rays = _marked(self._may_meet(reach, origins, directions))
        looks = self._look(grid, _some(origins, rays), _some(directions, rays))
        if skips:
            occupied = _marked(self._visible(looks))
            looks, rays = _some(looks, occupied), rays.gather(1, occupied)
        if rays.shape[1]:
            depths = self._propose(looks, _some(u, rays))
            sigma, found = self._evaluate(planes, _some(origins, rays), _some(directions, rays), depths)
            found, distance, weights = self._march(sigma, found, depths, _some(color, rays))
            color = color.scatter(1, rays[..., None].expand_as(found), found)
            depth, alpha = depth.scatter(1, rays, distance), alpha.scatter(1, rays, weights.sum(-1))
        return (color, depth, alpha), depth.new_empty(2)  # all depths count

    @torch.no_grad()
    def _look(self, grid: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
        """Raw density [M,P,S] that the density grid has along rays; outside the box there is none."""
        config = self.config
        points = places_along(origins, directions, config.near, config.far, PROPOSALS) * (2.0 / config.box)
        sigma = F.grid_sample(grid, points.flatten(1, 2)[:, None, None], padding_mode="border", align_corners=False)
        return sigma.reshape(points.shape[:-1]).masked_fill(points.abs().amax(-1) > 1.0, -torch.inf)

    @torch.no_grad()
    def _propose(self, sigma: Tensor, u: Tensor) -> Tensor:
        """Sorted depths [M,P,F] near the surface that the raw densities along rays [M,P,S] (see `_look`) suggest."""
        config = self.config
        return proposal_depths(self.field.soft_density(sigma), config.near, config.far, u).sort(-1).values

    def _visible(self, sigma: Tensor) -> Tensor:
        """Whether rays [...] on which a density grid has the values `sigma` [...,S] may show anything of the head."""
        config = self.config
        highest = self.field.density(sigma.amax(-1) + _BETWEEN)
        return highest * ((config.far - config.near) / PROPOSALS) > _VISIBLE

    def _reach(self, grid: Tensor) -> Tensor:
        """The density grid [M,1,S,S,S] widened so that a few looks along a ray miss nothing of it."""
        config = self.config
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
        config = self.config
        points = places_along(origins, directions, config.near, config.far, _LOOKS) * (2.0 / config.box)
        sigma = F.grid_sample(
            reach, points.flatten(1, 2)[:, None, None], mode="nearest", padding_mode="border", align_corners=False
        ).reshape(points.shape[:-1])
        return self._visible(sigma)

    def _behind(self, planes: TriPlanes, origins: Tensor, directions: Tensor) -> Tensor | None:
        """What rays [M,P,3] see where there is no head, [M,P,K] or a shape that broadcasts to it."""
        if self.config.white_background:
            return torch.ones(1, 1, 1, device=origins.device)
        if planes.background is None:
            return None
        return background_colors(planes.background, screen_height(origins, directions))

    def _march(
        self, sigma: Tensor, color: Tensor, depths: Tensor, behind: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        config = self.config
        densities = self.field.density(0.5 * (sigma[..., 1:] + sigma[..., :-1]))
        return march(color, densities, depths, behind, config.far if config.empty_outside else None)


def _uniform(shape: tuple[int, ...], random: torch.Generator | None, device: torch.device) -> Tensor:
    """Uniform numbers, or 0.5 without a source of randomness. A device draws its own, from a seed that a source of the host
    gives: millions of numbers take long there, and to be sent."""
    if random is None:
        return torch.full(shape, 0.5, device=device)
    if random.device.type != device.type:
        random = torch.Generator(device).manual_seed(int(torch.randint(1 << 62, (), generator=random)))
    return torch.rand(shape, generator=random, device=device)
