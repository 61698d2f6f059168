"""Distances to the parts of the face, in head units: skull, mouth, lids, brows. `ax` is |x|."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.named import Named
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.primitives import capsule, ellipsoid, length, smooth_max, smooth_min


def skull(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Cranium, jaw, chin, cheeks, brow ridge, eye sockets, nose, ears and neck."""
    jaw_drop = 0.8 * p.jaw_open
    cranium = ellipsoid(x, y - 0.055, z + 0.028, p.head_width, p.head_height, p.head_depth)
    jaw = ellipsoid(x, y + 0.052, z - 0.026, p.jaw_width, 0.142 - 0.5 * p.chin_length, 0.112)
    d = smooth_min(cranium, jaw, 0.05)
    chin = ellipsoid(
        x, y + 0.158 + p.chin_length + jaw_drop, z - 0.084, 1.15 * p.chin_radius, p.chin_radius, p.chin_radius
    )
    d = smooth_min(d, chin, 0.05)
    d = smooth_min(d, ellipsoid(ax - 0.068, y + 0.048, z - 0.080, p.cheek, p.cheek, 0.95 * p.cheek), 0.04)
    d = smooth_min(d, ellipsoid(ax - 0.045, y - 0.052, z - 0.112, 0.052, p.brow_ridge, 0.024), 0.03)
    socket = ellipsoid(ax - p.eye_spacing, y - 0.012, z - 0.259, 0.036, 0.027, 0.034)
    d = smooth_max(d, -socket, 0.026)

    tip = 0.138 + p.nose_length
    middle = (0.0, -0.005 + 0.4 * p.nose_tip, 0.136 + 0.55 * p.nose_length + p.nose_bridge)
    upper = capsule(x, y, z, (0.0, 0.035, 0.126), middle, 0.011, 0.0125)
    lower = capsule(x, y, z, middle, (0.0, -0.040 + p.nose_tip, tip), 0.0125, 0.0150 * p.nose_width)
    nostrils = ellipsoid(
        ax - 0.0165 * p.nose_width, y + 0.046 - p.nose_tip, z - (tip - 0.012), 0.012 * p.nose_width, 0.010, 0.014
    )
    nose = smooth_min(smooth_min(upper, lower, 0.008), nostrils, 0.012)
    d = smooth_min(d, nose, 0.020)

    size = p.ear_size
    ear = ellipsoid(ax - (p.head_width + 0.002), y - 0.002, z + 0.022, 0.017 * size, 0.036 * size, 0.025 * size)
    shell = ellipsoid(ax - (p.head_width + 0.021), y - 0.004, z + 0.012, 0.012 * size, 0.022 * size, 0.013 * size)
    d = smooth_min(d, smooth_max(ear, -shell, 0.008), 0.012)

    neck = smooth_max(length(x, z + 0.035 + 0.10 * y) - p.neck, y + 0.05, 0.03)
    return smooth_min(d, neck, 0.035)


def mouth(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """Distances to lips and to the opening between them, and the height above the mouth line."""
    xx = x * x
    height = y + 0.101 - 6.0 * p.smile * xx + 0.004 * p.smile
    depth = z - (0.1365 - 5.2 * xx)
    width = p.mouth_width * (1.0 + 0.10 * p.smile)
    opening = p.jaw_open
    upper = ellipsoid(x, height - 0.0055 - 0.30 * opening, depth, width, 0.0072 * p.lip_fullness, 0.0130)
    lower = ellipsoid(x, height + 0.0070 + 0.70 * opening, depth + 0.001, 0.86 * width, 0.0088 * p.lip_fullness, 0.0135)
    cavity = ellipsoid(x, height + 0.18 * opening, depth - 0.004, 0.88 * width, 0.0014 + 0.52 * opening, 0.021)
    lips = smooth_max(smooth_min(upper, lower, 0.004), -cavity, 0.003)
    return lips, cavity, height


def lids(ex: Tensor, ey: Tensor, centre_distance: Tensor, p: Named) -> Tensor:
    """Upper and lower lid around an eyeball; `ex`, `ey` from its centre, outwards and up. Cats have them, too."""
    lid_y = ey + 2.5 * ex * ex - p.eye_tilt * ex
    shell = centre_distance - (p.eye_radius + 0.0042)
    upper = smooth_max(shell, p.eye_radius * 0.52 * p.eyes_open - lid_y, 0.003)
    lower = smooth_max(shell, lid_y + p.eye_radius * (0.50 * p.eyes_open - 0.02), 0.003)
    return torch.minimum(upper, lower)


def brow(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    height = 0.052 + p.brow_raise + 0.4 * (p.eye_radius - 0.0285)
    thickness = 0.0066 * p.brow_thickness
    inner = (p.eye_spacing - 0.027, height + 0.0035 + 0.3 * p.brow_raise - p.brow_angle, 0.1395)
    arch = (p.eye_spacing + 0.006, height + 0.0085, 0.132)
    outer = (p.eye_spacing + 0.034, height - 0.004 + p.brow_angle, 0.100)
    return torch.minimum(
        capsule(ax, y, z, inner, arch, thickness, thickness),
        capsule(ax, y, z, arch, outer, thickness, 0.5 * thickness),
    )
