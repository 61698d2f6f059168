"""Brows, moustaches and beards: short strands on the face."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.hair import smooth
from inv3d.core.people.kernels import BROW
from inv3d.core.people.mesh import Piece
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.strands import Roots, Skin, grow_strands, ribbons


def _brow_coverage(place: Tensor, p: Parameters) -> Tensor:
    """Density [N] of the brows; the same curve as `skin.brow_amount`."""
    x, y, z = place.unbind(1)
    along = (x.abs() - 0.0125) / 0.043
    middle = 0.0175 + 0.0075 * torch.sin(along.clamp(0.0, 1.1) * 2.2) * (1.0 + 0.5 * float(p.brow_arch)) - 0.006 * along**2
    half = 0.0041 * float(p.brow_thickness) * (1.0 - 0.55 * smooth(along, 0.35, 1.05))
    inside = 1.0 - smooth((y - middle).abs() / half, 0.5, 1.0)
    return inside * smooth(along, -0.04, 0.08) * (1.0 - smooth(along, 0.9, 1.08)) * (z > -0.03)


def brows(skin: Skin, roots: Roots, scale: float, p: Parameters) -> list[Piece]:
    """Strokes: up at the inner end, outwards along the rest."""
    own = roots.select(torch.nonzero(roots.random[:, 0] < _brow_coverage(roots.place, p) * float(p.brow_density))[:, 0])
    if len(own) == 0:
        return []
    x = own.place[:, 0]
    along = ((x.abs() - 0.0125) / 0.043).clamp(0.0, 1.0)
    flow = torch.stack([x.sign() * (0.25 + along), 0.9 - 1.2 * along, -0.2 * along], 1)
    flow = flow + 0.5 * (own.random[:, 2:5] - 0.5)
    flow = flow - own.normals * (flow * own.normals).sum(1, keepdim=True)
    starts = F.normalize(flow, dim=1) + 0.16 * own.normals
    length = (0.0055 + 0.004 * own.random[:, 1]) * scale
    path, outward = grow_strands(skin, own, starts, length, torch.full_like(length, 0.0012), 2)
    return [ribbons(BROW, path, outward, torch.full_like(length, 0.00019 * scale), torch.ones_like(length), own)]


def beard_lengths(place: Tensor, lips: Tensor, p: Parameters) -> Tensor:
    """Length [N] in metres of the beard at `place`; 0 where none grows."""
    x, y, z = place.unbind(1)
    ax = x.abs()
    upper = -0.052 - 0.012 * smooth(ax, 0.012, 0.03) + 0.035 * smooth(ax, 0.042, 0.068)
    zone = (y < upper).float()
    throat = y > -0.128 + 0.2 * (-z - 0.02).clamp(min=0.0)
    zone = zone * throat * (z > -0.072) * (y < 0.005) * (lips < 0.3)
    moustache = (y > -0.0665) * (ax < 0.034) * (z > 0.005)
    chin = (ax < 0.030 - 0.25 * (y + 0.085).clamp(min=0.0)) * (y <= -0.0665)
    length = torch.where(
        moustache, float(p.moustache), torch.where(chin, float(p.chin_beard), float(p.cheek_beard) * (0.6 + 0.4 * smooth(-y, 0.02, 0.07)))
    )
    # it thins out towards the ears
    return length * zone * (0.30 + 0.70 * smooth(-y, 0.0, 0.055)) * (0.35 + 0.65 * smooth(z, -0.072, -0.045))


def beard(skin: Skin, roots: Roots, lips: Tensor, scale: float, p: Parameters) -> list[Piece]:
    """Ribbons of moustache and beard; `lips` [N] is the mask of the lips at the roots."""
    length = beard_lengths(roots.place, lips, p)
    chosen = torch.nonzero(length > 0.0025)[:, 0]
    if len(chosen) == 0:
        return []
    own, length = roots.select(chosen), length[chosen]
    x, y, _ = own.place.unbind(1)
    upper = (y > -0.0665).float()
    flow = torch.stack([x / 0.02 * upper + 0.35 * x / 0.04, -1.0 + 0 * x, 0.25 - 0.25 * upper], 1)
    flow = flow + 0.9 * (own.random[:, 2:5] - 0.5)
    flow = flow - 0.8 * own.normals * (flow * own.normals).sum(1, keepdim=True)
    starts = F.normalize(flow, dim=1) + 0.45 * own.normals
    length = length * scale * (0.6 + 0.6 * own.random[:, 1])
    curl = 0.0018 * scale
    path, outward = grow_strands(
        skin, own, starts, length, (0.001 + 0.3 * own.random[:, 4] * length), 5, 0.8, curl, 0.0, 45.0
    )
    half = 0.00050 * scale * (0.7 + 0.6 * own.random[:, 2])
    return [ribbons(BROW, path, outward, half, 0.45 + 0.55 * own.random[:, 4], own)]
