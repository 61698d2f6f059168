"""Training samples of stylised heads: coloured surface points and signed distances, dense where people look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import FFHQ_RADIUS, Camera
from inv3d.core.procedural.aim import BODY
from inv3d.core.procedural.renderer import HeadRenderer

HALF_BOX = 0.365
"""Half of the side of the box in world units that holds what is sampled."""
QUARTERS = torch.tensor([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])
"""Where the four rays of a pixel are, from its middle."""


@dataclass(frozen=True)
class PixelSamples:
    """N pixels of one picture of each of B heads, each the mean of four rays.

    `pixels` [B,N] row-major; `colours` [B,N,3] and `alpha` [B,N] in [0,1]; `depth` [B,N] of those wholly covered,
    along the ray in world units, 0 for all others.
    """

    pixels: Tensor
    colours: Tensor
    alpha: Tensor
    depth: Tensor


@dataclass(frozen=True)
class HeadSamples:
    """N traced points and M distance samples for each of B heads.

    `points` [B,N,3], `directions` [B,N,3] of the rays that found them, `colours` [B,N,3] in [0,1], `hit` [B,N];
    `queries` [B,M,3] with exact signed `distances` [B,M] in world units.
    """

    points: Tensor
    directions: Tensor
    colours: Tensor
    hit: Tensor
    queries: Tensor
    distances: Tensor


@dataclass(frozen=True)
class Patches:
    """N square patches of one picture of each of B heads: `corners` [B,N,2] in pixels (x, y), `colours` [B,N,3,S,S] in
    [0,1]."""

    corners: Tensor
    colours: Tensor


def _origins(batch: int, count: int, all_round: bool, generator: torch.Generator) -> Tensor:
    """Camera positions [B,count,3]: all around, or mostly in front but for those that look at the body."""
    yaw = torch.randn(batch, count, generator=generator) * math.radians(48)
    yaw = yaw.clamp(-math.radians(110), math.radians(110))
    around = count if all_round else int(count * BODY)
    yaw[:, :around] = (torch.rand(batch, around, generator=generator) * 2.0 - 1.0) * math.pi
    pitch = (torch.rand(batch, count, generator=generator) * 2.0 - 1.0) * math.radians(34)
    return FFHQ_RADIUS * torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)


@torch.no_grad()
def sample_heads(renderer: HeadRenderer, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
    """Trace `count` rays per head and sample the distance field near the surface, on the rays and everywhere."""
    batch = len(parameters)
    origins = _origins(batch, count, renderer.kind.all_round, generator)
    directions = F.normalize(renderer.kind.targets(parameters, count, generator) - origins, dim=-1)
    t, hit = renderer.trace(origins, directions, parameters)
    points = origins + directions * t[..., None]
    colours = renderer.seen(origins, directions, t, renderer.shade(points, parameters), parameters)

    half, sixth = count // 2, count // 6

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    scale = torch.where(uniform(batch, half, 1) < 0.5, 0.005, 0.018)
    inside_box = origins[:, ::2] + directions[:, ::2] * (2.40 + 0.5 * uniform(batch, half, 1))
    near = torch.where(hit[:, ::2, None], points[:, ::2], inside_box)
    near = near + torch.randn(near.shape, generator=generator) * scale
    if renderer.kind.varied:
        # every second place is near a part of any of the figures, which this one may lack
        chosen = torch.randint(batch * half, (batch, len(near[0, ::2])), generator=generator)
        near[:, ::2] = near.flatten(0, 1)[chosen]
    on_ray = points[:, : 6 * sixth : 6] - directions[:, : 6 * sixth : 6] * 0.2 * uniform(batch, sixth, 1)
    anywhere = (uniform(batch, sixth, 3) * 2.0 - 1.0) * 0.368
    queries = torch.cat([near, on_ray, anywhere], 1)
    inside = points.abs().amax(-1) < HALF_BOX
    return HeadSamples(points, directions, colours, hit & inside, queries, renderer.distance(queries, parameters))


@torch.no_grad()
def sample_pixels(
    renderer: HeadRenderer, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
) -> PixelSamples:
    """Pixels of `size` x `size` pictures, one of each head: a third anywhere, the rest where people look."""
    batch = len(parameters)
    anywhere = torch.rand(batch, count // 3, 2, generator=generator)
    places = renderer.kind.targets(parameters, count - count // 3, generator)
    uv = torch.cat([anywhere, camera.project(places)[0]], 1)
    cells = (uv * size).long().clamp(0, size - 1)
    colours, alpha, depth = _cells(renderer, parameters, camera, cells, size)
    depth = torch.where(alpha == 1.0, depth, torch.zeros_like(depth))
    return PixelSamples(cells[..., 1] * size + cells[..., 0], colours, alpha, depth)


@torch.no_grad()
def sample_patches(
    renderer: HeadRenderer, parameters: Tensor, camera: Camera, count: int, side: int, size: int,
    generator: torch.Generator,
) -> Patches:  # fmt: skip
    """`count` patches of `side` x `side` pixels of each of `size` x `size` pictures, most of them in the middle."""
    spread = 0.14 * torch.randn(len(parameters), count, 2, generator=generator)
    corners = ((0.5 + spread) * size - side / 2).round().long().clamp(0, size - side)
    v, u = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    cells = (corners[:, :, None] + torch.stack([u, v], -1).reshape(1, 1, -1, 2)).flatten(1, 2)
    colours, _, _ = _cells(renderer, parameters, camera, cells, size)
    return Patches(corners, colours.reshape(-1, count, side, side, 3).permute(0, 1, 4, 2, 3))


def _cells(
    renderer: HeadRenderer, parameters: Tensor, camera: Camera, cells: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [B,P,3], coverage [B,P] and depth [B,P] of the pixels `cells` [B,P,2] (x, y), each the mean of four rays."""
    points = (cells[:, :, None] + 0.5 + QUARTERS).flatten(1, 2) / size
    colours, hit, depth = renderer.render_rays(parameters, *camera.rays_through(points))
    count = cells.shape[1]
    return tuple(maps.unflatten(1, (count, 4)).mean(2) for maps in (colours, hit.float(), depth))
