"""Training samples of procedural heads: coloured surface points and signed distances, dense where people look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.surface import HEAD_OFFSET_Y, WORLD_PER_HEAD_UNIT

_RADIUS = 2.7
_HALF_BOX = 0.365

# share of the rays aimed at each region; what is left goes to the front of the face
_SHARES = {"body": 0.24, "eyes": 0.20, "mouth": 0.16, "brows": 0.09, "ears": 0.07, "glasses": 0.08, "hairline": 0.08}


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
    ears = around(s * (p.head_width + 0.008), 0.002 + 0 * s, -0.015 + 0 * s, (0.012, 0.028, 0.020))
    n = counts["glasses"]
    s, angle = side(n), uniform(n) * 2.0 * math.pi
    rim = around(
        s * p.eye_spacing + 0.039 * angle.cos(), 0.010 + 0.036 * angle.sin(), 0.163 + 0 * s, (0.004, 0.004, 0.004)
    )
    glasses = torch.where((p.glasses > -0.004)[..., None], rim, face(n))
    x = (uniform(counts["hairline"]) * 2.0 - 1.0) * 0.115
    line = p.hair_line - 1.1 * x * x + 0.35 * p.parting * x
    hairline = around(x, line, 0.115 - 3.0 * x * x, (0.010, 0.014, 0.015))
    rest = face(count - sum(counts.values()))
    return torch.cat([body, eyes, mouth, brows, ears, glasses, hairline, rest], 1)


def _origins(batch: int, count: int, generator: torch.Generator) -> Tensor:
    """Camera positions [B,count,3], mostly in front; a quarter of them all the way to the sides and behind."""
    yaw = torch.randn(batch, count, generator=generator) * math.radians(48)
    yaw = yaw.clamp(-math.radians(110), math.radians(110))
    wide = int(count * _SHARES["body"])
    yaw[:, :wide] = (torch.rand(batch, wide, generator=generator) * 2.0 - 1.0) * math.radians(125)
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
    colours = renderer.shade(points, parameters)

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
