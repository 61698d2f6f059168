"""A stylised head as a signed distance field with colours.

All functions take world coordinates `x`, `y`, `z` [N,P] and a parameter matrix [N,K] (see `parameters`), one row
per head, and are plain tensor arithmetic, so that `torch.compile` fuses each of them into one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.procedural import face, wear
from inv3d.core.procedural.layered import Layered
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.primitives import length, smooth_max, smooth_min, smooth_step

WORLD_PER_HEAD_UNIT = 1.17
HEAD_OFFSET_Y = -0.012
"""World height of the head's own origin, between the eyes."""

_BLEND = 0.0010  # width of the colour transition between two parts, head units
_TEETH = (0.93, 0.91, 0.87)
_MOUTH = (0.30, 0.07, 0.07)
_FLUSHED = (1.11, 0.76, 0.74)
_SPOT = (0.52, 0.36, 0.30)
# where moles can be, on the half of the face they belong to: |x|, y, radius
_MOLES = ((0.062, -0.058, 0.0042), (0.034, -0.128, 0.0034), (0.075, 0.040, 0.0032), (0.026, -0.078, 0.0030))


@dataclass(frozen=True)
class _Parts(Layered):
    """Distances to the parts of a head [N,P], and what the colours need to know about the place."""

    skin: Tensor
    lips: Tensor
    eye: Tensor
    brow: Tensor
    beard: Tensor
    hair: Tensor
    shirt: Tensor
    glasses: Tensor
    hat: Tensor
    earring: Tensor
    mouth_cavity: Tensor
    eye_x: Tensor
    eye_y: Tensor
    mouth_y: Tensor
    relief: Tensor
    beard_region: Tensor
    hat_y: Tensor

    def layers(self) -> tuple[Tensor, ...]:
        return (
            self.skin, self.lips, self.eye, self.brow, self.beard, self.hair, self.shirt, self.glasses, self.hat,
            self.earring,
        )  # fmt: skip


def _parts(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> _Parts:
    """Distances in head units; coordinates are head units too."""
    ax = torch.sqrt(x * x + 1e-8)
    skin = face.skull(x, ax, y, z, p)
    lips, cavity, mouth_y = face.mouth(x, y, z, p)
    skin = smooth_max(skin, -cavity, 0.004)

    ex, ey, ez = ax - p.eye_spacing, y - 0.012, z - 0.101
    centre_distance = length(ex, ey, ez)
    skin = smooth_min(skin, face.lids(ex, ey, centre_distance, p), 0.007)

    # full beards end at the cheeks, short ones at the jaw
    region = smooth_max(y + 0.052 + p.beard_top + 0.22 * z - 0.1 * ax, -(z + 0.005 + 0.3 * (y + 0.1)), 0.02)
    region = smooth_max(region, -0.185 - p.chin_length - 0.2 * z - y, 0.01)
    moustache = length(ax - 0.018, 2.0 * (y + 0.082)) - 0.030
    region = torch.minimum(region, torch.maximum(moustache, 0.10 - z))
    curls = 0.003 * torch.sin(140.0 * x) * torch.sin(120.0 * y + 80.0 * z)
    beard = smooth_max(smooth_max(skin - p.beard - curls, region, 0.02), 0.0045 - lips, 0.006)
    hair, relief = wear.hair(x, ax, y, z, p)
    hat, hat_y = wear.hat(x, y, z, p)
    return _Parts(
        skin, lips, centre_distance - p.eye_radius, face.brow(ax, y, z, p), beard, hair, wear.shirt(x, y, z, p),
        wear.glasses(ax, y, z, p), hat, wear.earring(ax, y, z, p), cavity, ex, ey, mouth_y, relief, region, hat_y,
    )  # fmt: skip


def to_head(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """World coordinates in head units, from the head's own origin."""
    return x / WORLD_PER_HEAD_UNIT, (y - HEAD_OFFSET_Y) / WORLD_PER_HEAD_UNIT, z / WORLD_PER_HEAD_UNIT


def signed_distance(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Tensor:
    """Distance to the head in world units [N,P], negative inside; a lower bound up to a factor of about 0.85."""
    return _parts(*to_head(x, y, z), Parameters(parameters)).nearest() * WORLD_PER_HEAD_UNIT


def _spots(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """How much darker freckles and moles make the skin, in [0,1]."""
    pattern = torch.sin(430.0 * x + 2.2 * torch.sin(210.0 * y)) * torch.sin(470.0 * y + 2.2 * torch.sin(190.0 * x))
    where = torch.exp(-((ax - 0.045) ** 2 / 0.0022 + (y + 0.035) ** 2 / 0.0011))
    spots = p.freckles * where * smooth_step(pattern, 0.25, 0.75)
    side = torch.where(x > 0, p.moles_left, p.moles_right)
    for mx, my, radius in _MOLES:
        distance = length(ax - mx - 0.006 * torch.sign(x), y - my)
        spots = spots + 0.85 * side * (1.0 - smooth_step(distance, 0.6 * radius, 1.2 * radius))
    return (spots * (z > 0.03)).clamp(max=0.9)


def _wrinkles(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Forehead lines, crow's feet and the folds beside the nose, in [0,1]; they come with age."""
    ridges = torch.cos((y - 0.004 * torch.cos(40.0 * ax)) * 420.0).clamp(min=0.0) ** 4
    forehead = ridges * torch.exp(-((y - 0.092) ** 2 / 0.00035 + ax**2 / 0.0035))
    cx, cy = ax - p.eye_spacing - 0.026, y - 0.012
    rays = torch.cos(14.0 * torch.atan2(cy, cx.clamp(min=1e-4))).clamp(min=0.0) ** 3
    crow = rays * torch.exp(-((length(cx, cy) - 0.014) ** 2) / 0.00008) * (cx > 0.0)
    along = ((-0.045 - y) / 0.060).clamp(0.0, 1.0)
    fold = torch.exp(-((ax - 0.027 - 0.026 * along) ** 2 / 0.000012 + (y + 0.078) ** 2 / 0.0009))
    bags = torch.exp(-((ax - p.eye_spacing) ** 2 / 0.0004 + (y + 0.024) ** 2 / 0.00002))
    return p.wrinkles * (0.55 * forehead + 0.6 * crow + 0.75 * fold + 0.5 * bags) * (z > 0.02)


def _streaks(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Strands that fall from the crown, as brightness around 0."""
    angle = torch.atan2(x - 0.05 * p.parting, z + 0.030)
    wave = (0.3 + 2.2 * p.curl) * torch.sin(45.0 * y + 5.0 * x) + torch.sin(11.0 * y)
    fine = torch.sin(57.0 * angle + wave) + 0.7 * torch.sin(101.0 * angle + 1.7 * wave + 9.0 * y)
    return 0.13 * fine * (1.0 - 0.5 * p.curl)


def albedo(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unshaded colour at surface points, three channels [N,P] in [0,1]."""
    p = Parameters(parameters)
    x, y, z = to_head(x, y, z)
    part = _parts(x, y, z, p)
    blend = part.blend(_BLEND)

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
    spots = _spots(x, ax, y, z, p)
    shadow = 1.0 - 0.45 * _wrinkles(ax, y, z, p)
    stubble = p.stubble * smooth_step(-part.beard_region, -0.004, 0.012)

    streak = 1.0 + _streaks(x, y, z, p) + 14.0 * part.relief
    parted = torch.exp(-((x - 0.10 * p.parting) ** 2) / 0.000012) * smooth_step(y, 0.15, 0.19) * (z > -0.05)
    parted = 0.55 * parted * (1.0 - p.curl)
    band = smooth_step(torch.sin(150.0 * y), -0.15, 0.15) * p.stripes
    throat = smooth_step(-p.neckline - 0.285 - y + 1.1 * ax, 0.0, -0.004) * (z > -0.03) * (p.neckline > 0.01)
    knit = 1.0 + 0.10 * torch.sin(260.0 * torch.atan2(x, z + 0.034) * 0.16) * smooth_step(0.05 - part.hat_y, 0.0, 0.005)

    names = ("skin", "lip", "hair", "iris", "shirt", "stripe", "frame", "hat", "metal")
    channels = []
    for k, (skin, lip, hair, eye, shirt, stripe, frame, hat, metal) in enumerate(
        zip(*(p.colour(name) for name in names), strict=True)
    ):
        flushed = skin * (1.0 - flush) + flush * skin * _FLUSHED[k]
        flushed = flushed * shadow * (1.0 - spots) + spots * _SPOT[k] * skin
        flushed = flushed * (1.0 - stubble) + stubble * (0.5 * hair + 0.35 * skin)
        mouth = _MOUTH[k] * (1.0 - teeth) + _TEETH[k] * teeth
        ball = 0.95 * (1.0 - iris) + iris * eye * 1.15 * (1.0 - 0.6 * ring)
        ball = ball * (1.0 - pupil) + 0.03 * pupil
        layers = (
            flushed * (1.0 - 0.55 * nostril) * (1.0 - inside) + mouth * inside,
            lip * (1.0 - inside) + mouth * inside,
            ball * (1.0 - glint) + glint,
            0.75 * hair + 0.06 * skin,
            (0.85 * hair + 0.10 * skin) * (1.0 + 0.5 * (streak - 1.0)),
            hair * streak * (1.0 - parted) + 0.8 * parted * skin,
            (shirt + band * (stripe - shirt)) * (1.0 - throat) + throat * 0.92 * skin,
            frame,
            hat * knit,
            metal,
        )
        channels.append(blend.of(layers))
    return channels[0], channels[1], channels[2]


def lens_cover(origins: Tensor, directions: Tensor, distance: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """How much of a ray's colour the lenses of the glasses take, and how bright their glare is; both [N,P].

    Rays `origins`, `directions` [N,P,3] in world units reach the surface after `distance` [N,P].
    """
    p = Parameters(parameters)
    slope = directions[..., 2].clamp(max=-0.05)  # lenses are seen from the front alone
    t = (wear.LENS_Z * WORLD_PER_HEAD_UNIT - origins[..., 2]) / slope
    x, y, _ = to_head(*(origins + directions * t[..., None]).unbind(-1))
    inside = 1.0 - smooth_step(wear.rim(x.abs(), y, p), -0.003, 0.001)
    cover = p.lens * inside * (t < distance) * (directions[..., 2] < -0.05)
    glare = smooth_step(torch.cos(55.0 * (x + 0.8 * y) + 1.0), 0.75, 0.95)
    return cover, glare
