"""Training samples of stylised heads: coloured surface points and signed distances, dense where people look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.surface import HEAD_OFFSET_Y, WORLD_PER_HEAD_UNIT
from inv3d.core.procedural.wear import LENS_Z

_RADIUS = 2.7
_HALF_BOX = 0.365

# fraction of the rays aimed at each region; the rest goes to the front of the face
_SHARES = {"body": 0.30, "eyes": 0.16, "mouth": 0.12, "brows": 0.07, "ears": 0.08, "glasses": 0.07, "hairline": 0.09}


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


def _targets(parameters: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Places [B,count,3] in the world that rays are aimed at."""
    p = Parameters(parameters)
    batch = len(parameters)
    counts = {name: int(count * share) for name, share in _SHARES.items()}

    def uniform(n: int, *rest: int) -> Tensor:
        return torch.rand(batch, n, *rest, generator=generator)

    def side(n: int) -> Tensor:
        return (uniform(n) < 0.5).float() * 2.0 - 1.0

    def around(x: Tensor, y: Tensor, z: Tensor, spread: tuple[float, float, float]) -> Tensor:
        centre = torch.stack(torch.broadcast_tensors(x, y, z), -1)
        world = centre * WORLD_PER_HEAD_UNIT + torch.tensor([0.0, HEAD_OFFSET_Y, 0.0])
        return world + torch.randn(world.shape, generator=generator) * torch.tensor(spread)

    def face(n: int) -> Tensor:
        box = (uniform(n, 3) * 2.0 - 1.0) * torch.tensor([0.125, 0.16, 0.05])
        return box + torch.tensor([0.0, -0.02, 0.13])

    n = counts["body"]
    body = (uniform(n, 3) * 2.0 - 1.0) * torch.tensor([0.26, 0.33, 0.24]) + torch.tensor([0.0, -0.04, 0.0])
    s = side(counts["eyes"])
    eyes = around(s * p.eye_spacing, 0.012 + 0 * s, 0.101 + p.eye_radius, (0.026, 0.020, 0.008))
    s = torch.zeros(batch, counts["mouth"])
    mouth = around(s, s - 0.103, s + 0.136, (0.036, 0.020, 0.012))
    s = side(counts["brows"])
    brows = around(s * (p.eye_spacing + 0.004), 0.056 + p.brow_raise, 0.135 + 0 * s, (0.028, 0.010, 0.010))
    s = side(counts["ears"])
    ears = around(s * (p.head_width + 0.008), -0.008 + 0 * s, -0.015 + 0 * s, (0.012, 0.032, 0.020))
    n = counts["glasses"]
    s, angle = side(n), uniform(n) * 2.0 * math.pi
    rim = around(
        s * p.eye_spacing + p.glasses_size * angle.cos(), 0.010 + 0.9 * p.glasses_size * angle.sin(),
        LENS_Z + 0 * s, (0.005, 0.005, 0.004),
    )  # fmt: skip
    glasses = torch.where((p.glasses > -0.004)[..., None], rim, face(n))
    x = (uniform(counts["hairline"]) * 2.0 - 1.0) * 0.115
    line = p.hair_line - 1.1 * x * x + 0.35 * p.parting * x
    line = torch.where(p.hat > -0.035, 0.120 + 0 * x, line)
    hairline = around(x, line, 0.115 - 3.0 * x * x, (0.010, 0.018, 0.018))
    rest = face(count - sum(counts.values()))
    return torch.cat([body, eyes, mouth, brows, ears, glasses, hairline, rest], 1)


def _origins(batch: int, count: int, generator: torch.Generator) -> Tensor:
    """Camera positions [B,count,3], mostly in front; those that look at the body stand all around it."""
    yaw = torch.randn(batch, count, generator=generator) * math.radians(48)
    yaw = yaw.clamp(-math.radians(110), math.radians(110))
    around = int(count * _SHARES["body"])
    yaw[:, :around] = (torch.rand(batch, around, generator=generator) * 2.0 - 1.0) * math.pi
    pitch = (torch.rand(batch, count, generator=generator) * 2.0 - 1.0) * math.radians(34)
    return _RADIUS * torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)


@torch.no_grad()
def sample_heads(renderer: HeadRenderer, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
    """Trace `count` rays per head and sample the distance field near the surface, on the rays and everywhere."""
    batch = len(parameters)
    origins = _origins(batch, count, generator)
    directions = F.normalize(_targets(parameters, count, generator) - origins, dim=-1)
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
    on_ray = points[:, : 6 * sixth : 6] - directions[:, : 6 * sixth : 6] * 0.2 * uniform(batch, sixth, 1)
    anywhere = (uniform(batch, sixth, 3) * 2.0 - 1.0) * 0.368
    queries = torch.cat([near, on_ray, anywhere], 1)
    inside = points.abs().amax(-1) < _HALF_BOX
    return HeadSamples(points, directions, colours, hit & inside, queries, renderer.distance(queries, parameters))


@torch.no_grad()
def sample_pixels(
    renderer: HeadRenderer, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
) -> PixelSamples:
    """Pixels of `size` x `size` pictures, one of each head: a third anywhere, the rest where people look."""
    batch = len(parameters)
    anywhere = torch.rand(batch, count // 3, 2, generator=generator)
    places = _targets(parameters, count - count // 3, generator)
    inverse = torch.linalg.inv(camera.cam2world)
    local = places @ inverse[:, :3, :3].transpose(1, 2) + inverse[:, None, :3, 3]
    projected = local @ camera.intrinsics.transpose(1, 2)
    uv = torch.cat([anywhere, projected[..., :2] / projected[..., 2:]], 1)
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


_QUARTERS = torch.tensor([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])


def _cells(
    renderer: HeadRenderer, parameters: Tensor, camera: Camera, cells: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [B,P,3], coverage [B,P] and depth [B,P] of the pixels `cells` [B,P,2] (x, y), each the mean of four rays."""
    points = (cells[:, :, None] + 0.5 + _QUARTERS).flatten(1, 2) / size
    colours, hit, depth = renderer.render_rays(parameters, *camera.rays_through(points))
    count = cells.shape[1]
    return tuple(maps.unflatten(1, (count, 4)).mean(2) for maps in (colours, hit.float(), depth))
