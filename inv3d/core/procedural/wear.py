"""Distances to hair, clothes and accessories, in head units. `ax` is |x|."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.primitives import capsule, ellipsoid, length, smooth_max, smooth_min

LENS_Z = 0.163
"""Depth of the plane of the glasses."""


def hair(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor]:
    """Distance to the hair, and the height of its locks and curls (a relief on the surface)."""
    xx = x * x
    relief = 0.0035 * torch.sin(75.0 * x + 14.0 * torch.sin(9.0 * y) + 25.0 * p.parting * z)
    relief = relief + 0.0025 * torch.sin(48.0 * z + 30.0 * y + 40.0 * ax)
    curls = 0.0045 * torch.sin(150.0 * x) * torch.sin(150.0 * y + 60.0 * x) * torch.sin(150.0 * z - 40.0 * y)
    relief = relief * (1.0 - 0.5 * p.curl) + p.curl * curls
    v = p.hair_volume
    cap = ellipsoid(x, y - 0.062, z + 0.036, p.head_width + 0.85 * v, p.head_height + v, p.head_depth + v)
    # a plane through the hair line and the sideburns separates face from hair
    line = p.hair_line - 1.1 * xx + 0.35 * p.parting * x
    ny, nz = 0.16, 0.128 - p.sideburn
    cut = (-(y - line) * nz + (z - 0.122) * ny) / torch.sqrt(ny * ny + nz * nz)
    cut = smooth_max(cut, (p.nape - 0.2917 * p.hair_curtain - y) * 0.9, 0.03)
    cap = smooth_max(cap, cut, 0.018)
    curtain = ellipsoid(
        x, y + 0.03 + 0.5 * p.hair_length, z + 0.062,
        p.head_width + 0.024 + 0.6 * v, 0.145 + 0.55 * p.hair_length, 0.088 + v,
    )  # fmt: skip
    curtain = smooth_max(curtain + p.hair_curtain, z - 0.055 + 0.25 * (y + 0.1), 0.03)
    bun = length(x, y - 0.185, z + 0.150) - p.bun
    mass = smooth_min(smooth_min(cap, curtain, 0.03), bun, 0.02) + relief
    bald = (-v / 0.035).clamp(0.0, 1.0)
    return mass + 0.05 * bald, relief


def shirt(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Shoulders, collar, and a torso that extends below the generator's volume so that wide frames look complete."""
    shoulders = ellipsoid(x, y + 0.405, z + 0.050, 0.265, 0.150, 0.120)
    ring = torch.sqrt(x * x + 1.1 * (z + 0.018) ** 2 + 1e-9) - 0.080
    collar = length(ring, y + 0.262 + 0.30 * z) - 0.016
    # a turtleneck is a sleeve around the neck, as high as the collar
    sleeve = length(x, z + 0.035 + 0.10 * y) - p.neck - 0.012
    sleeve = smooth_max(sleeve, y + 0.262 + 0.30 * z - p.collar, 0.008)
    torso = smooth_max((length(x / 0.262, (z + 0.050) / 0.118) - 1.0) * 0.118, y + 0.415, 0.02)
    neckwear = smooth_min(collar, sleeve + 0.02 * (1.0 - p.collar / 0.075), 0.012)
    return torch.minimum(smooth_min(shoulders, neckwear, 0.02), torso)


def rim(ax: Tensor, y: Tensor, p: Parameters) -> Tensor:
    """Signed distance to the outline of the lenses in their plane: from round to rectangular."""
    gx, gy = ax - p.eye_spacing, y - 0.010
    round_ = torch.sqrt(0.92 * gx * gx + 1.15 * gy * gy + 1e-9) - p.glasses_size
    bx, by = gx.abs() - 0.95 * p.glasses_size + 0.012, gy.abs() - 0.72 * p.glasses_size + 0.012
    box = length(bx.clamp(min=0.0), by.clamp(min=0.0)) + torch.maximum(bx, by).clamp(max=0.0) - 0.012
    return round_ + p.glasses_shape * (box - round_)


def glasses(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """The frame; lenses are seen through and have no surface of their own."""
    outline = length(rim(ax, y, p), z - LENS_Z)
    reach = 0.95 * p.glasses_size
    bridge = capsule(ax, y, z, (0.0, 0.020, 0.168), (p.eye_spacing - reach, 0.016, LENS_Z), 0.0, 0.0)
    temple = capsule(ax, y, z, (p.eye_spacing + reach, 0.018, 0.160), (p.head_width + 0.010, 0.015, -0.02), 0.0, 0.0)
    return torch.minimum(outline, torch.minimum(bridge, temple)) - p.glasses


def hat(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor]:
    """Distance to a beanie or a cap with a brim, and the height above its lower edge."""
    edge = y - 0.098 - 0.22 * (z - 0.10)
    grow = 0.030 + p.hat
    dome = ellipsoid(x, y - 0.064, z + 0.034, p.head_width + grow, p.head_height + grow, p.head_depth + grow)
    dome = smooth_max(dome, -edge, 0.010)
    # a beanie has a fold where a cap has a brim
    fold = smooth_max(dome - 0.010, edge - 0.045, 0.010) + 0.5 * (p.brim + 0.030) - p.hat
    disc = length(x / 1.05, z - 0.140) - 0.100
    brim = smooth_max(disc, (y - 0.108 + 2.2 * x * x).abs() - 0.004, 0.006) - p.brim
    return torch.minimum(torch.minimum(dome - p.hat, fold), brim), edge


def earring(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """A stud or a hoop under the ear."""
    ex = ax - (p.head_width + 0.012)
    ey = y + 0.034 * p.ear_size
    ez = z + 0.014
    stud = length(ex, ey, ez) - 0.0035
    hoop = length(length(ey + 0.017, ez) - 0.017, ex) + 0.0005
    return stud + p.hoop * (hoop - stud) - p.earring
