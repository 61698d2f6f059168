"""T-shirt, collar and hood."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.people.cover import draped, polar_grid, reach
from inv3d.core.people.hair import smooth
from inv3d.core.people.kernels import CLOTH
from inv3d.core.people.mesh import Piece, grid_triangles
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.strands import Skin

_TURNS, _ROWS = 96, 44
_CHEST = (0.0, -0.245, -0.085)
"""The point inside the chest, on the template, that the cloth is cast from."""


def _folds(points: Tensor) -> Tensor:
    """Height of folds in [-1,1] at points [...,3] in metres."""
    x, y, z = points.unbind(-1)
    wave = torch.sin(38.0 * x + 21.0 * y + 2.0 * torch.sin(17.0 * z + 9.0 * y))
    return 0.6 * wave + 0.4 * torch.sin(71.0 * (x - 0.6 * y) + 33.0 * z + 1.5 * torch.sin(29.0 * x))


def clothes(skin: Skin, template: Tensor, scale: float, p: Parameters) -> list[Piece]:
    """What covers the chest; `template` [V,3] are the places of the skin's vertices."""
    ring = (template[:, 1] - _CHEST[1]).abs() < 0.02
    ring = ring & (template[:, 0].abs() < 0.13)
    middle = skin.vertices[ring]
    low, high = middle.amin(0), middle.amax(0)
    centre = torch.stack([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), 0.5 * (low[2] + high[2])])
    front = torch.cos(2.0 * torch.pi * torch.arange(_TURNS, device=low.device) / _TURNS)
    hood, collar = float(p.hood), float(p.collar)
    # the neckline: a polar angle that opens to the front
    open_ = float(p.neckline) * (1.0 - 0.7 * collar)
    first = 0.56 + 0.04 * front + (5.0 * open_ + 0.05) * smooth(front, 0.35, 1.0) - 0.10 * collar + 0.10 * (1.0 - collar)
    share = torch.linspace(0.0, 1.0, _ROWS, device=low.device)[:, None] ** 1.15
    polar = first + (2.75 - first) * share
    directions = polar_grid(polar, _TURNS, "y")
    bare = reach(skin, centre, directions, layers=1)
    bare = torch.where(bare > 0, bare, bare.amax(0, keepdim=True))
    lift = 0.0050 + 0.006 * smooth(share, 0.0, 0.3) + 0.006 * hood
    away = draped(bare + lift * scale, 10, 0.8)
    cloth = centre + directions * away[..., None]
    fold = _folds(cloth / scale) * (0.0022 + 0.0035 * hood) * smooth(share, 0.02, 0.25) * scale
    cloth = centre + directions * (away + fold)[..., None]
    # the seam turns in and down to the skin; a band runs along it
    band = 0.0018 * scale * (1.0 - smooth(share, 0.035, 0.05))
    cloth = centre + directions * (away + fold + band)[..., None]
    inner = centre + directions[:1] * (bare[:1] - 0.004 * scale)[..., None]
    points = torch.cat([inner, cloth])
    pieces = [_woven(points, centre, scale)]
    if hood > 0.5 or collar > 0.5:
        pieces.append(_collar(skin, centre, polar[0], bare[0], front, scale, hood > 0.5))
    return pieces


def _woven(points: Tensor, centre: Tensor, scale: float) -> Piece:
    rows, turns = points.shape[:2]
    triangles = grid_triangles(rows, turns, True, points.device)
    flat = points.reshape(-1, 3)
    place = (flat - centre) / scale
    return Piece(CLOTH, flat, triangles, place)


def _collar(skin: Skin, centre: Tensor, polar: Tensor, bare: Tensor, front: Tensor, scale: float, hood: bool) -> Piece:
    """A shirt's collar (up along the neck, folded over, open in front) or a hood's thick roll behind the neck."""
    directions = polar_grid(polar[None], len(polar), "y")[0]
    seam = centre + directions * bare[:, None]
    neck = seam.mean(0)
    outward = seam - neck
    outward = outward - outward.new_tensor([0.0, 1.0, 0.0]) * outward[:, 1:2]
    outward = torch.nn.functional.normalize(outward, dim=1)
    up = outward.new_tensor([0.0, 1.0, 0.0])
    behind = smooth(-front, -0.75, 0.6)[:, None]
    if hood:
        angle = torch.linspace(-0.6, 5.0, 14, device=polar.device)[:, None, None]
        thick = (0.010 + 0.026 * behind) * scale
        middle = seam + outward * (0.012 + 0.022 * behind) * scale + up * (0.002 + 0.016 * behind) * scale
        points = middle + thick * (-outward * angle.cos() + up * angle.sin())
        return _woven(points, centre, scale)
    gap = smooth(front, 0.90, 0.985)[:, None]
    tall = (0.030 + 0.014 * behind) * (1.0 - 0.55 * gap) * scale
    profile = ((0.000, -0.2), (0.001, 0.4), (0.004, 1.0), (0.009, 1.06), (0.016, 0.85), (0.024, 0.2), (0.026, 0.10))
    points = torch.stack([seam + outward * (a + 0.003) * scale + up * tall * b for a, b in profile])
    # two points in front instead of a closed ring
    points = points + outward * gap * 0.006 * scale
    return _woven(points, centre, scale)
