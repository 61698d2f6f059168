"""Eyeballs: two spheres with a cornea, turned by the gaze."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inv3d.core.people.kernels import EYE
from inv3d.core.people.mesh import Piece, grid_triangles

_RINGS, _COLUMNS = 28, 40
_CORNEA_RADIUS, _CORNEA_RISE = 0.40, 0.018
"""In radii of the ball: how far the cornea reaches from the axis, how far it bulges (flat, to fit under the lids)."""


def gaze_rotation(gaze_x: float, gaze_y: float) -> Tensor:
    """The rotation [3,3] from the ball's axes (z along the gaze) to the world's."""
    cx, sx, cy, sy = math.cos(gaze_x), math.sin(gaze_x), math.cos(gaze_y), math.sin(gaze_y)
    turn = torch.tensor([[cx, 0.0, sx], [0.0, 1.0, 0.0], [-sx, 0.0, cx]])
    tilt = torch.tensor([[1.0, 0.0, 0.0], [0.0, cy, sy], [0.0, -sy, cy]])
    return turn @ tilt


def eyeballs(centres: Tensor, radius: float, gaze: Tensor) -> list[Piece]:
    """Both eyeballs around `centres` [2,3]; rings lie densest around the gaze."""
    device = centres.device
    share = torch.linspace(0.0, 1.0, _RINGS, device=device)
    polar = math.pi * share**1.4
    turn = 2.0 * math.pi * torch.arange(_COLUMNS, device=device) / _COLUMNS
    unit = torch.stack(
        [
            polar.sin()[:, None] * turn.cos(), polar.sin()[:, None] * turn.sin(),
            polar.cos()[:, None].expand(-1, _COLUMNS),
        ],
        -1,
    ).reshape(-1, 3)  # fmt: skip
    away = unit[:, :2].norm(dim=1)
    rise = _CORNEA_RISE * (1.0 - (away / _CORNEA_RADIUS) ** 2).clamp(min=0.0) * (unit[:, 2] > 0)
    local = unit * (1.0 + rise[:, None]) * radius
    triangles = grid_triangles(_RINGS, _COLUMNS, True, device)
    return [Piece(EYE, centre + local @ gaze.to(device).T, triangles, unit) for centre in centres]
