"""Distances to the parts of a cat, in units of `coat.WORLD_PER_UNIT` from the cat's own origin, between the eyes. `ax` is |x|."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.cats.parameters import Parameters
from inv3d.core.procedural.face import lids
from inv3d.core.procedural.layered import Layered
from inv3d.core.procedural.primitives import capsule, ellipsoid, length, smooth_max, smooth_min

EYE_Z = 0.064
"""Depth of the centres of the eyes."""
_EAR_FLAT = 1.7  # ears are so many times thinner than wide
# ends of the whiskers of a side: |x|, y, z, the upper one first
_WHISKERS = ((0.215, 0.000, 0.085), (0.235, -0.062, 0.085), (0.210, -0.125, 0.090))


@dataclass(frozen=True)
class Parts(Layered):
    """Distances [N,P] to what has a colour of its own, and what colours need to know about the place."""

    fur: Tensor
    eye: Tensor
    nose: Tensor
    whiskers: Tensor
    collar: Tensor
    bell: Tensor
    mouth: Tensor
    """Distance to the open mouth, a part of what is not there."""
    ear: Tensor
    """Distance to the hollow of the ear."""
    eye_x: Tensor
    eye_y: Tensor

    def layers(self) -> tuple[Tensor, ...]:
        return self.fur, self.eye, self.nose, self.whiskers, self.collar, self.bell


def _ears(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor]:
    """Distances to the ears and to their hollows: flattened cones that lean outwards and turn with what the cat hears."""
    x0, y0 = 0.60 * p.head_width, 0.58 * p.head_height
    turn = p.ear_turn + 0.35
    across, deep = ax - x0, z + 0.020
    # turned around the vertical, so that the openings look outwards
    u, w = across * turn.cos() - deep * turn.sin(), across * turn.sin() + deep * turn.cos()
    base, tip = (0.0, y0 - 0.02, 0.0), (p.ear_spread, y0 + p.ear_length, 0.0)
    ear = capsule(u, y, _EAR_FLAT * w, base, tip, p.ear_width, p.ear_tip) / _EAR_FLAT
    front = w - 0.030
    hollow = capsule(u, y, 1.2 * front, base, tip, 0.82 * p.ear_width, 0.5 * p.ear_tip) / _EAR_FLAT
    return smooth_max(ear, -hollow, 0.008), hollow


def _head(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Skull, cheeks, brow, bridge of the nose, muzzle and chin."""
    d = ellipsoid(x, y - 0.012, z + 0.030, p.head_width, p.head_height, p.head_length)
    d = smooth_min(d, ellipsoid(ax - 0.076, y + 0.050, z - 0.002, p.cheek + 0.012, p.cheek, p.cheek + 0.004), 0.05)
    # the ruff of long-haired cats
    ruff = ellipsoid(ax - 0.100, y + 0.085, z + 0.030, 0.060 + 0.050 * p.fluff, 0.050 + 0.020 * p.fluff, 0.045)
    d = smooth_min(d, ruff, 0.05)
    reach = p.muzzle_length
    bridge = capsule(x, y, z, (0.0, 0.040, 0.070), (0.0, -0.040, reach), 0.036, 0.022)
    d = smooth_min(d, bridge, 0.045)
    d = smooth_max(d, -ellipsoid(ax - p.eye_spacing, y, z - 0.150, 0.040, 0.034, 0.052), 0.022)
    pad = ellipsoid(
        ax - 0.028 * p.muzzle_width, y + 0.078, z - reach + 0.018, 0.038 * p.muzzle_width, 0.031, 0.038
    )
    d = smooth_min(d, pad, 0.016)
    drop = 0.9 * p.mouth_open
    return smooth_min(d, ellipsoid(x, y + 0.112 + drop, z - reach + 0.036, p.chin, 0.8 * p.chin, p.chin), 0.020)


def parts(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Parts:
    """Distances of all parts."""
    ax = torch.sqrt(x * x + 1e-8)
    reach = p.muzzle_length
    fur = _head(x, ax, y, z, p)
    mouth = ellipsoid(x, y + 0.108 + 0.45 * p.mouth_open, z - reach + 0.002, 0.024, 0.001 + 0.62 * p.mouth_open, 0.030)
    fur = smooth_max(fur, -mouth, 0.004)
    ex, ey, ez = ax - p.eye_spacing, y, z - EYE_Z
    centre = length(ex, ey, ez)
    fur = smooth_min(fur, lids(ex, ey, centre, p), 0.008)
    ear, hollow = _ears(ax, y, z, p)
    fur = smooth_min(fur, ear, 0.022)
    neck = capsule(x, y, z, (0.0, -0.10, -0.060), (0.0, -0.52, -0.070), p.neck - 0.015, p.neck + 0.075)
    fur = smooth_min(fur, neck, 0.030)
    # tufts of long hair, longest away from the face
    tufts = torch.sin(62.0 * x + 3.0 * torch.sin(30.0 * y)) * torch.sin(38.0 * y - 60.0 * ax) * torch.sin(50.0 * z + 1.0)
    fur = fur - 0.0035 * p.fluff * tufts * torch.sigmoid((ax - 0.08) * 60.0 - (z - 0.03) * 40.0)

    wide = p.nose_width * (0.020 + 0.30 * (y + 0.050)).clamp(min=0.006)
    nose = ellipsoid(x / wide * 0.020, y + 0.050, z - reach - 0.012, 0.020, 0.0135, 0.0140) * 0.8
    near = (0.042 * p.muzzle_width, -0.076, reach + 0.004)
    whiskers = capsule(ax, y, z, near, _WHISKERS[0], 0.0020, 0.0016)
    for end in _WHISKERS[1:]:
        whiskers = torch.minimum(whiskers, capsule(ax, y, z, near, end, 0.0020, 0.0016))
    ring = torch.sqrt(x * x + (z + 0.064) ** 2 + 1e-9) - (p.neck + 0.016)
    collar = length(ring, 0.6 * (y + 0.222 + 0.12 * z)) - p.collar
    bell = length(x, y + 0.262, z - p.neck + 0.030) - p.bell
    return Parts(fur, centre - p.eye_radius, nose, whiskers, collar, bell, mouth, hollow, ex, ey)
