"""Cloth laid over a body: a grid of directions from a point inside, cast onto the surface, lifted and smoothed."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.growth import cast
from inv3d.core.people.strands import Skin


def reach(skin: Skin, centre: Tensor, directions: Tensor, limit: float = 1.2, layers: int = 16) -> Tensor:
    """Distance [...] from `centre` [3] to the last of `layers` surfaces of the skin within `limit` along unit
    `directions` [...,3]; 0 where there is none."""
    flat = directions.reshape(-1, 3).contiguous()
    origins = centre.expand_as(flat).contiguous()
    out = torch.empty(len(flat), device=flat.device)
    wp.launch(
        cast, len(flat),
        [skin.mesh.id, wp.from_torch(origins, dtype=wp.vec3), wp.from_torch(flat, dtype=wp.vec3), limit, layers],
        [wp.from_torch(out)], device=str(flat.device),
    )  # fmt: skip
    return out.reshape(directions.shape[:-1])


def polar_grid(polar: Tensor, turns: int, axis: str) -> Tensor:
    """Unit directions [R,turns,3] at `polar` angles [R,turns] or [R,1] from an axis, "y" (up) or "z" (to the front).

    Turn 0 points to the front of an upward axis, and down for one to the front.
    """
    angle = 2.0 * torch.pi * torch.arange(turns, device=polar.device) / turns
    polar = polar.expand(-1, turns)
    around, along = polar.sin(), polar.cos()
    first, second = around * angle.cos(), around * angle.sin()
    if axis == "y":
        return torch.stack([second, along, first], -1)
    return torch.stack([second, -first, along], -1)


def draped(distance: Tensor, passes: int, stretch: float = 1.0) -> Tensor:
    """Distances [R,C] smoothed over the grid without going below themselves: cloth bridges hollows.

    The columns close to a ring.
    """
    cloth = distance
    for _ in range(passes):
        ring = F.pad(cloth[None, None], (1, 1, 0, 0), mode="circular")
        ring = F.pad(ring, (0, 0, 1, 1), mode="replicate")[0, 0]
        mean = (ring[1:-1, :-2] + ring[1:-1, 2:] + ring[:-2, 1:-1] + ring[2:, 1:-1]) / 4.0
        cloth = torch.maximum(cloth * (1.0 - stretch) + mean * stretch, distance)
    return cloth
