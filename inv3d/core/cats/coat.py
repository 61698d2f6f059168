"""Colours of a cat: coats of one colour, tabby, with white, with points or with patches; eyes, nose, collar."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.cats.anatomy import Parts, parts
from inv3d.core.cats.parameters import Parameters
from inv3d.core.procedural.kind import Channels
from inv3d.core.procedural.primitives import length, smooth_step

WORLD_PER_UNIT = 1.15
ORIGIN_Y = -0.015
"""World height of the cat's own origin, between the eyes."""

_BLEND = 0.0012  # width of the colour transition between two parts
_WHITE = (0.96, 0.95, 0.93)
_INNER_EAR = (0.88, 0.62, 0.58)
_TONGUE = (0.75, 0.32, 0.34)
_GOLD = (0.92, 0.72, 0.28)
_WHISKER = (0.97, 0.97, 0.96)


def to_cat(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """World coordinates in the cat's own units, from its origin."""
    return x / WORLD_PER_UNIT, (y - ORIGIN_Y) / WORLD_PER_UNIT, z / WORLD_PER_UNIT


def signed_distance(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Tensor:
    """Distance to the cat in world units [N,P], negative inside; a lower bound up to a factor of about 0.85."""
    return parts(*to_cat(x, y, z), Parameters(parameters)).nearest() * WORLD_PER_UNIT


def _stripes(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Tabby markings in [0,1]: the M on the forehead, lines from the eyes, rings around neck and chest."""
    s = p.tabby_scale
    up = smooth_step(y, 0.030, 0.070)
    forehead = torch.cos(ax * 105.0 * s - 30.0 * (y - 0.05) * smooth_step(ax, 0.02, 0.06)) * up
    # behind the forehead the same lines run over the crown
    side = torch.sin((0.55 * ax + y) * 92.0 * s + 1.2) * (1.0 - up) * smooth_step(ax, 0.075, 0.105)
    rings = torch.sin((y + 0.10 * z) * 75.0 * s) * smooth_step(-y, 0.16, 0.20)
    return smooth_step(forehead + side + rings, 0.25, 0.75)


def _patches(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Where patches of another colour lie, in [0,1]; no two cats have them at the same place."""
    wave = torch.sin(19.0 * x + 2.0 * p.patch_side) + torch.sin(17.0 * y + 9.0 * x + 2.0 * p.patch_place)
    wave = wave + torch.sin(15.0 * z - 8.0 * y + p.patch_side - p.patch_place)
    return smooth_step(wave, 0.2, 0.6)


def _white(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Where a cat with white is white, in [0,1]: muzzle, a blaze between the eyes, chin and chest."""
    front = smooth_step(z, 0.02, 0.06)
    muzzle = 0.060 + p.bib - length(ax, 0.95 * (y + 0.088))
    blaze = torch.minimum(p.blaze - 0.22 * (y + 0.05) - ax, 0.09 - y)
    chest = torch.minimum(0.085 + p.bib - ax, -0.135 - y)
    inside = torch.maximum(torch.maximum(muzzle, blaze) - 0.2 * (1.0 - front), chest - 0.2 * (z < -0.06))
    return smooth_step(inside, -0.005, 0.005)


def _fur(x: Tensor, ax: Tensor, y: Tensor, z: Tensor, part: Parts, p: Parameters) -> list[Tensor]:
    """Colour of the fur, skin inside the ears and the line of the mouth; three channels."""
    strands = 1.0 + 0.06 * torch.sin(150.0 * x + 5.0 * torch.sin(40.0 * y)) * torch.sin(90.0 * y + 60.0 * z)
    tabby = p.tabby * _stripes(x, ax, y, z, p)
    patched = p.patched * _patches(x, y, z, p)
    white = p.white * _white(ax, y, z, p)
    mask = smooth_step(0.088 - length(ax, 1.1 * (y + 0.045)), -0.030, 0.020) * smooth_step(z, 0.02, 0.07)
    points = p.points * (mask + smooth_step(y, 0.085, 0.125)).clamp(max=1.0)
    # the muzzle and what lies around the eyes are paler on striped cats
    pale = torch.exp(-((ax - 0.030) ** 2 + (y + 0.085) ** 2) / 0.0011) * smooth_step(z, 0.05, 0.09)
    pale = 0.55 * p.tabby * pale
    reach = p.muzzle_length
    front = smooth_step(z - reach, -0.035, -0.020)
    middle = torch.exp(-((ax / 0.0022) ** 2)) * smooth_step(-y, 0.062, 0.066) * smooth_step(y, -0.098, -0.090)
    smile = torch.exp(-(((y + 0.100 - 9.0 * (ax - 0.020) ** 2) / 0.0026) ** 2)) * smooth_step(0.046 - ax, 0.0, 0.006)
    line = 0.75 * front * (middle + smile).clamp(max=1.0)
    spots = torch.sin(330.0 * y) * torch.sin(240.0 * ax)
    line = line + 0.30 * smooth_step(spots, 0.55, 0.9) * front * smooth_step(ax, 0.018, 0.026) * (y > -0.098) * (y < -0.062)
    rim = torch.exp(-((part.eye / 0.0065) ** 2)) * smooth_step(z, 0.04, 0.06)
    ear = smooth_step(-part.ear, 0.0, 0.006) * smooth_step(y, 0.070, 0.100)
    mouth = smooth_step(-part.mouth, -0.0025, 0.0005) * front
    colours = []
    names = ("fur", "dark", "patch", "point")
    for k, (fur, dark, patch, point) in enumerate(zip(*(p.colour(name) for name in names), strict=True)):
        c = fur + tabby * (dark - fur)
        c = c + pale * (0.5 * fur + 0.45 - c)
        c = c + patched * (patch - c)
        c = c + points * (point - c)
        c = (c + white * (_WHITE[k] - c)) * strands
        c = c + 0.75 * ear * (0.65 * _INNER_EAR[k] + 0.35 * c - c)
        c = c * (1.0 - 0.8 * rim) * (1.0 - line)
        colours.append(c + mouth * (_TONGUE[k] * 0.8 - c))
    return colours


def albedo(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Channels:
    """Unshaded colour at surface points, three channels [N,P] in [0,1]."""
    p = Parameters(parameters)
    x, y, z = to_cat(x, y, z)
    part = parts(x, y, z, p)
    blend = part.blend(_BLEND)

    ax, side = x.abs(), torch.sign(x)
    # eyes turn inwards a little; pupils are slits, and round where they are wide
    px, py = part.eye_x - 0.002 - side * p.gaze_x, part.eye_y - p.gaze_y
    rho = length(px, py) / p.eye_radius
    iris = 1.0 - smooth_step(rho, 0.90, 0.98)
    slit = length(px / (0.12 + 0.55 * p.pupil**2), 1.35 * py) / p.eye_radius
    pupil = 1.0 - smooth_step(slit, 0.60, 0.76)
    glint = 1.0 - smooth_step(length(px * side - 0.010, py - 0.013) / p.eye_radius, 0.14, 0.24)
    shade = 1.0 - 0.45 * smooth_step(py / p.eye_radius, 0.05, 0.7)

    fur = _fur(x, ax, y, z, part, p)
    nostril = torch.exp(-(((ax - 0.009) / 0.004) ** 2 + ((y + 0.054) / 0.003) ** 2))
    channels = []
    for k, (nose, eye, collar) in enumerate(zip(*(p.colour(name) for name in ("nose", "iris", "collar")), strict=True)):
        ball = (0.92 * (1.0 - iris) + iris * eye * 1.1 * shade) * (1.0 - pupil) + 0.02 * pupil
        layers = (
            fur[k],
            ball * (1.0 - glint) + glint,
            nose * (1.0 - 0.6 * nostril),
            torch.full_like(x, _WHISKER[k]),
            collar.expand_as(x),
            torch.full_like(x, _GOLD[k]),
        )
        channels.append(blend.of(layers))
    return channels[0], channels[1], channels[2]
