"""A stylised head as a signed distance field with colours.

All functions take world coordinates `x`, `y`, `z` [N,P] and a parameter matrix [N,K] (see `parameters`), one row
per head, and are plain tensor arithmetic, so that `torch.compile` fuses each of them into one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.primitives import capsule, ellipsoid, length, smooth_max, smooth_min, smooth_step

WORLD_PER_HEAD_UNIT = 1.17
HEAD_OFFSET_Y = -0.012
"""World height of the head's own origin, between the eyes."""

_BLEND = 0.0012  # width of the colour transition between two parts, head units
_TEETH = (0.93, 0.91, 0.87)
_MOUTH = (0.30, 0.07, 0.07)


@dataclass(frozen=True)
class _Parts:
    """Distances to the parts of a head [N,P], and what the colours need to know about the place."""

    skin: Tensor
    lips: Tensor
    eye: Tensor
    brow: Tensor
    beard: Tensor
    hair: Tensor
    shirt: Tensor
    glasses: Tensor
    mouth_cavity: Tensor
    eye_x: Tensor
    eye_y: Tensor
    mouth_y: Tensor
    strands: Tensor

    def nearest(self) -> Tensor:
        face = torch.minimum(torch.minimum(self.skin, self.lips), torch.minimum(self.eye, self.brow))
        rest = torch.minimum(torch.minimum(self.beard, self.hair), torch.minimum(self.shirt, self.glasses))
        return torch.minimum(face, rest)


def _skull(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
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
    bridge = capsule(x, y, z, (0.0, 0.035, 0.126), (0.0, -0.040 + p.nose_tip, tip), 0.011, 0.0150 * p.nose_width)
    nostrils = ellipsoid(
        ax - 0.0165 * p.nose_width, y + 0.046 - p.nose_tip, z - (tip - 0.012), 0.012 * p.nose_width, 0.010, 0.014
    )
    d = smooth_min(d, smooth_min(bridge, nostrils, 0.012), 0.020)

    size = p.ear_size
    ear = ellipsoid(ax - (p.head_width + 0.002), y - 0.002, z + 0.022, 0.017 * size, 0.036 * size, 0.025 * size)
    shell = ellipsoid(ax - (p.head_width + 0.021), y - 0.004, z + 0.012, 0.012 * size, 0.022 * size, 0.013 * size)
    d = smooth_min(d, smooth_max(ear, -shell, 0.008), 0.012)

    neck_radius = 0.062 + 0.3 * (p.jaw_width - 0.106)
    neck = smooth_max(length(x, z + 0.035 + 0.10 * y) - neck_radius, y + 0.05, 0.03)
    return smooth_min(d, neck, 0.035)


def _mouth(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor, Tensor]:
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


def _brow(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    height = 0.052 + p.brow_raise + 0.4 * (p.eye_radius - 0.0285)
    thickness = 0.0066 * p.brow_thickness
    inner = (p.eye_spacing - 0.027, height + 0.0035 + 0.3 * p.brow_raise, 0.1395)
    arch = (p.eye_spacing + 0.006, height + 0.0085, 0.132)
    outer = (p.eye_spacing + 0.034, height - 0.004, 0.100)
    return torch.minimum(
        capsule(ax, y, z, inner, arch, thickness, thickness),
        capsule(ax, y, z, arch, outer, thickness, 0.5 * thickness),
    )


def _hair(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor]:
    """Distance to the hair and the height of its strands (a wave along the surface)."""
    xx = x * x
    strands = 0.0035 * torch.sin(75.0 * x + 14.0 * torch.sin(9.0 * y) + 25.0 * p.parting * z)
    strands = strands + 0.0025 * torch.sin(48.0 * z + 30.0 * y + 40.0 * ax)
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
    hair = smooth_min(cap, curtain, 0.03) + strands
    bald = (-v / 0.035).clamp(0.0, 1.0)
    return hair + 0.05 * bald, strands


def _shirt(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Shoulders, collar, and a torso that goes on below the generator's volume so that wide frames look complete."""
    shoulders = ellipsoid(x, y + 0.405, z + 0.050, 0.265, 0.150, 0.120)
    collar_radius = torch.sqrt(x * x + 1.1 * (z + 0.018) ** 2 + 1e-9) - 0.080
    collar = length(collar_radius, y + 0.262 + 0.30 * z) - 0.016
    torso = smooth_max((length(x / 0.262, (z + 0.050) / 0.118) - 1.0) * 0.118, y + 0.415, 0.02)
    return torch.minimum(smooth_min(shoulders, collar, 0.02), torso)


def _glasses(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    gx, gy, gz = ax - p.eye_spacing, y - 0.010, z - 0.163
    rim = length(torch.sqrt(0.92 * gx * gx + 1.15 * gy * gy + 1e-9) - 0.0385, gz)
    nose_bridge = capsule(ax, y, z, (0.0, 0.020, 0.168), (p.eye_spacing - 0.038, 0.016, 0.163), 0.0, 0.0)
    temple = capsule(ax, y, z, (p.eye_spacing + 0.040, 0.018, 0.160), (p.head_width + 0.010, 0.015, -0.02), 0.0, 0.0)
    return torch.minimum(rim, torch.minimum(nose_bridge, temple)) - p.glasses


def _parts(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> _Parts:
    """Distances in head units; coordinates are head units too."""
    ax = torch.sqrt(x * x + 1e-8)
    skin = _skull(x, ax, y, z, p)
    lips, cavity, mouth_y = _mouth(x, y, z, p)
    skin = smooth_max(skin, -cavity, 0.004)

    ex, ey, ez = ax - p.eye_spacing, y - 0.012, z - 0.101
    centre_distance = length(ex, ey, ez)
    lid_y = ey + 2.5 * ex * ex - p.eye_tilt * ex
    lid_shell = centre_distance - (p.eye_radius + 0.0042)
    upper = smooth_max(lid_shell, p.eye_radius * 0.52 * p.eyes_open - lid_y, 0.003)
    lower = smooth_max(lid_shell, lid_y + p.eye_radius * (0.50 * p.eyes_open - 0.02), 0.003)
    skin = smooth_min(skin, torch.minimum(upper, lower), 0.007)

    region = smooth_max(y + 0.052 + 0.22 * z - 0.1 * ax, -(z + 0.005 + 0.3 * (y + 0.1)), 0.02)
    curls = 0.003 * torch.sin(70.0 * x) * torch.sin(60.0 * y + 40.0 * z)
    beard = smooth_max(smooth_max(skin - p.beard - curls, region, 0.02), 0.0045 - lips, 0.006)
    hair, strands = _hair(x, ax, y, z, p)
    return _Parts(
        skin, lips, centre_distance - p.eye_radius, _brow(ax, y, z, p), beard, hair, _shirt(x, y, z),
        _glasses(ax, y, z, p), cavity, ex, ey, mouth_y, strands,
    )  # fmt: skip


def _to_head(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return x / WORLD_PER_HEAD_UNIT, (y - HEAD_OFFSET_Y) / WORLD_PER_HEAD_UNIT, z / WORLD_PER_HEAD_UNIT


def signed_distance(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Tensor:
    """Distance to the head in world units [N,P], negative inside; a lower bound up to a factor of about 0.85."""
    return _parts(*_to_head(x, y, z), Parameters(parameters)).nearest() * WORLD_PER_HEAD_UNIT


def albedo(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unshaded colour at surface points, three channels [N,P] in [0,1]."""
    p = Parameters(parameters)
    x, y, z = _to_head(x, y, z)
    part = _parts(x, y, z, p)
    distances = (part.skin, part.lips, part.eye, part.brow, part.beard, part.hair, part.shirt, part.glasses)
    nearest = part.nearest()
    weights = [torch.exp(-(d - nearest).clamp(max=0.05) / _BLEND) for d in distances]
    total = sum(weights[1:], weights[0])

    side = torch.sign(x)
    rho = length(part.eye_x + 0.004 - side * p.gaze_x, part.eye_y + 0.001 - p.gaze_y) / p.eye_radius
    iris = 1.0 - smooth_step(rho, 0.54, 0.62)
    pupil = 1.0 - smooth_step(rho, 0.24, 0.31)
    ring = smooth_step(rho, 0.42, 0.56) * iris
    glint_distance = length(part.eye_x * side - 0.0075 - p.gaze_x, part.eye_y - 0.0095 - p.gaze_y)
    glint = 1.0 - smooth_step(glint_distance / p.eye_radius, 0.12, 0.22)

    front = z > 0.0
    tip = z > 0.12
    ax = x.abs()
    inside = smooth_step(-part.mouth_cavity, -0.0030, 0.001) * (z > 0.1)
    flush = torch.exp(-((ax - 0.072) ** 2 + (y + 0.052) ** 2) / 0.0011) * front * 0.18
    flush = (flush + torch.exp(-(x * x + (y + 0.042) ** 2) / 0.0004) * tip * 0.11) * p.blush
    nostril = torch.exp(-((ax - 0.0095 * p.nose_width) ** 2 + (y + 0.0575 - p.nose_tip) ** 2) / 0.000016) * tip
    teeth = smooth_step(part.mouth_y - 0.18 * p.jaw_open, -0.0005, 0.0015) * smooth_step(p.jaw_open, 0.002, 0.007)

    channels = []
    for k, (skin, lip, hair, eye, shirt, frame) in enumerate(
        zip(*(p.colour(name) for name in ("skin", "lip", "hair", "iris", "shirt", "frame")), strict=True)
    ):
        flushed = skin * (1.0 - flush) + flush * skin * (1.11, 0.76, 0.74)[k]
        mouth = _MOUTH[k] * (1.0 - teeth) + _TEETH[k] * teeth
        face = flushed * (1.0 - 0.55 * nostril) * (1.0 - inside) + mouth * inside
        lips = lip * (1.0 - inside) + mouth * inside
        ball = 0.95 * (1.0 - iris) + iris * eye * 1.15 * (1.0 - 0.6 * ring)
        ball = ball * (1.0 - pupil) + 0.03 * pupil
        ball = ball * (1.0 - glint) + glint
        layers = (
            face,
            lips,
            ball,
            0.75 * hair + 0.06 * skin,
            0.85 * hair + 0.10 * skin,
            hair * (1.0 + 26.0 * part.strands),
            shirt,
            frame,
        )
        channels.append(
            sum((w * c for w, c in zip(weights[1:], layers[1:], strict=True)), weights[0] * layers[0]) / total
        )
    return channels[0], channels[1], channels[2]
