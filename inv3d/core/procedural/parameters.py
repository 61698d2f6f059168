"""From latents to anatomy: z ~ N(0, I) and an expression become the numbers that shape and colour a head.

Lengths are in head units (1 head unit = `WORLD_PER_HEAD_UNIT` world units); colours are RGB in [0,1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.named import Named
from inv3d.core.procedural.palette import channels, from_hsv, mixed, present, uniform
from inv3d.core.procedural.setting import SETTING_NAMES, setting

IDENTITY_DIM = 60
EXPRESSION_DIM = 6
"""Smile, jaw, eyes, brows, and gaze in x and y."""

_SKIN = [
    [0.99, 0.87, 0.79],
    [0.96, 0.78, 0.65],
    [0.87, 0.66, 0.50],
    [0.70, 0.48, 0.34],
    [0.47, 0.30, 0.20],
    [0.30, 0.18, 0.12],
]
_HAIR = [[0.06, 0.045, 0.04], [0.16, 0.09, 0.06], [0.34, 0.19, 0.10], [0.58, 0.37, 0.17], [0.86, 0.68, 0.38]]
_IRIS = [[0.16, 0.09, 0.05], [0.36, 0.20, 0.08], [0.30, 0.42, 0.22], [0.22, 0.48, 0.62], [0.45, 0.55, 0.62]]
_COLOURS = ("iris", "skin", "lip", "hair", "shirt", "stripe", "background", "backdrop", "frame", "hat", "metal")

_SETTING = [51, 53, 52, 36, 25, 26, 43, 55, 54]
"""The latents of light and background, in the order of `setting`."""

SHAPE_NAMES = (
    "head_width", "head_height", "head_depth", "jaw_width", "chin_length", "chin_radius", "cheek", "neck",
    "nose_length", "nose_width", "nose_tip", "nose_bridge",
    "brow_ridge", "brow_thickness", "brow_angle", "eye_radius", "eye_spacing", "eye_tilt",
    "lip_fullness", "mouth_width", "ear_size",
    "hair_volume", "hair_curtain", "hair_length", "hair_line", "sideburn", "nape", "parting", "curl", "bun",
    "beard", "beard_top", "glasses", "glasses_shape", "glasses_size", "hat", "brim", "earring", "hoop", "collar",
    "smile", "jaw_open", "eyes_open", "brow_raise",
)  # fmt: skip
"""Parameters that move the surface; all others only colour or light it."""
_LOOKS = (
    "gaze_x", "gaze_y", "blush", "freckles", "moles_left", "moles_right", "wrinkles", "stubble", "lens", "stripes",
    "neckline", *SETTING_NAMES,
)  # fmt: skip
PARAMETER_NAMES = SHAPE_NAMES + _LOOKS + tuple(f"{name}_{channel}" for name in _COLOURS for channel in "rgb")


class Parameters(Named, names=PARAMETER_NAMES):
    """The columns of stylised heads."""


def _palette(u: Tensor, colours: list[list[float]]) -> Tensor:
    """Smooth walk through `colours` as u goes from 0 to 1; [N] -> [N,3]."""
    table = torch.tensor(colours, device=u.device, dtype=u.dtype)
    position = (u * (len(colours) - 1)).clamp(0.0, len(colours) - 1 - 1e-4)
    index = position.long()
    fraction = (position - index)[:, None]
    fraction = fraction * fraction * (3.0 - 2.0 * fraction)
    return table[index] * (1.0 - fraction) + table[index + 1] * fraction


def head_parameters(z: Tensor, expression: Tensor) -> Tensor:
    """Parameter matrix [N,K] of identities `z` [N,60] wearing `expression` [N,6], both standard normal."""
    u = uniform(z)
    t = torch.tanh(0.7 * z)
    e = torch.tanh(0.7 * expression)
    p: dict[str, Tensor] = {}

    age = u[:, 32]
    child = ((0.20 - age) / 0.20).clamp(0.0, 1.0)
    old = ((age - 0.60) / 0.40).clamp(0.0, 1.0)

    p["head_width"] = 0.136 + 0.013 * t[:, 0] - 0.007 * child
    p["head_height"] = 0.158 + 0.013 * t[:, 1] - 0.005 * child
    p["head_depth"] = 0.160 + 0.013 * t[:, 2] - 0.006 * child
    p["jaw_width"] = 0.117 + 0.014 * t[:, 3] + 0.007 * t[:, 58] - 0.010 * child + 0.4 * (p["head_width"] - 0.136)
    p["chin_length"] = 0.014 * t[:, 4] - 0.014 * child
    p["chin_radius"] = 0.045 + 0.008 * torch.tanh(0.5 * (z[:, 4] + z[:, 3])) - 0.004 * child
    p["cheek"] = 0.040 + 0.011 * t[:, 5] + 0.006 * t[:, 58] + 0.006 * child
    p["neck"] = 0.062 + 0.3 * (p["jaw_width"] - 0.106) + 0.008 * t[:, 58] - 0.006 * child
    p["nose_length"] = 0.014 + 0.016 * t[:, 6] - 0.010 * child + 0.005 * old
    p["nose_width"] = 1.0 + 0.34 * t[:, 7] - 0.12 * child + 0.10 * old
    p["nose_tip"] = 0.008 * t[:, 29] + 0.004 * child - 0.003 * old
    p["nose_bridge"] = 0.007 * t[:, 59] - 0.004 * child
    p["brow_ridge"] = 0.014 + 0.008 * t[:, 8] - 0.004 * child
    p["brow_thickness"] = 1.0 + 0.35 * t[:, 30] - 0.15 * child
    p["brow_angle"] = 0.006 * t[:, 56]
    p["eye_radius"] = 0.0315 + 0.0045 * t[:, 9] + 0.0030 * child
    p["eye_spacing"] = 0.0545 + 0.0065 * t[:, 10]
    p["eye_tilt"] = 0.18 * t[:, 27] - 0.06 * old
    p["lip_fullness"] = 1.25 + 0.40 * t[:, 12] - 0.20 * old
    p["mouth_width"] = 0.044 + 0.009 * t[:, 13] - 0.004 * child
    p["ear_size"] = 1.0 + 0.28 * t[:, 14] + 0.12 * old

    hat = torch.sigmoid((z[:, 40] - 1.05) * 40.0)
    length = u[:, 16] + 0.06 * child
    has_hair = torch.sigmoid((length - 0.11) * 60.0)
    is_long = torch.sigmoid((length - 0.60) * 22.0)
    fringe = torch.sigmoid((z[:, 38] - 0.5) * 5.0)
    p["hair_volume"] = -0.035 + (0.049 + (0.024 * u[:, 17] + 0.010 * t[:, 37].clamp(min=0.0)) * (1.0 - hat)) * has_hair
    p["hair_curtain"] = (1.0 - is_long) * 0.12
    p["hair_length"] = 0.02 + 0.20 * ((length - 0.5) / 0.5).clamp(0.0, 1.0)
    p["hair_line"] = (
        0.152 - 0.040 * torch.sigmoid(3.0 * (z[:, 18] - 0.5)) + 0.014 * t[:, 18].clamp(max=0.0)
        - 0.038 * fringe + 0.018 * old * (1.0 - fringe)
    )  # fmt: skip
    p["sideburn"] = -0.035 + 0.05 * is_long
    p["nape"] = -0.085 + 0.03 * t[:, 17]
    p["parting"] = 0.5 * torch.tanh(1.5 * z[:, 31])
    p["curl"] = torch.sigmoid((z[:, 37] - 0.3) * 3.0)
    p["bun"] = -0.080 + 0.118 * present(z[:, 39], 0.75) * is_long * (1.0 - hat)
    p["beard"] = -0.030 + 0.040 * torch.sigmoid((z[:, 21] - 0.75) * 20.0) * (1.0 - child)
    p["beard_top"] = 0.045 * torch.sigmoid((z[:, 57] - 0.2) * 6.0)
    p["glasses"] = -0.030 + 0.0345 * present(z[:, 22], 0.55)
    p["glasses_shape"] = torch.sigmoid(4.0 * z[:, 49])
    p["glasses_size"] = 0.0385 + 0.0035 * t[:, 50]
    p["hat"] = -0.070 + 0.070 * hat
    p["brim"] = -0.030 + 0.031 * torch.sigmoid(z[:, 41] * 14.0) * hat
    p["earring"] = -0.030 + 0.0345 * present(z[:, 44], 0.6)
    p["hoop"] = torch.sigmoid(6.0 * z[:, 45])
    p["collar"] = 0.075 * torch.sigmoid((z[:, 46] - 0.6) * 8.0)

    p["smile"] = 0.6 + 1.0 * e[:, 0]
    p["jaw_open"] = 0.016 * torch.sigmoid(2.5 * (expression[:, 1] - 0.3))
    p["eyes_open"] = 0.92 + 0.40 * e[:, 2] - 0.10 * old
    p["brow_raise"] = 0.0075 * e[:, 3]
    p["gaze_x"] = 0.0075 * e[:, 4]
    p["gaze_y"] = 0.0045 * e[:, 5]

    p["blush"] = 1.0 + 0.9 * t[:, 28]
    p["freckles"] = 0.55 * torch.sigmoid((z[:, 33] - 0.8) * 4.0) * (1.0 - old)
    p["moles_left"] = present(z[:, 34], 0.6)
    p["moles_right"] = present(z[:, 35], 0.6)
    p["wrinkles"] = old
    p["stubble"] = 0.45 * torch.sigmoid((z[:, 21] - 0.1) * 6.0) * (1.0 - child)
    p["lens"] = (0.06 + 0.80 * torch.sigmoid((z[:, 48] - 1.0) * 5.0)) * present(z[:, 22], 0.55)
    p["stripes"] = torch.sigmoid((z[:, 47] - 0.7) * 8.0)
    p["neckline"] = 0.06 * torch.sigmoid((-z[:, 46] - 0.3) * 6.0)

    p |= setting(z[:, _SETTING])

    skin = _palette(u[:, 15], _SKIN)
    tint = torch.stack([0.30 + 0.10 * t[:, 12], 0.10 - 0.05 * t[:, 12], 0.11 - 0.02 * t[:, 12]], 1)
    hair = mixed(_palette(u[:, 19], _HAIR), [0.62, 0.22, 0.08], torch.sigmoid((z[:, 20] - 0.9) * 5.0))
    hair = mixed(hair, [0.72, 0.72, 0.73], (old + torch.sigmoid((-z[:, 20] - 1.4) * 5.0)).clamp(max=1.0))
    shirt = from_hsv(u[:, 23], 0.30 + 0.45 * u[:, 24], 0.25 + 0.65 * u[:, 24])
    colours = {
        "iris": _palette(u[:, 11], _IRIS),
        "skin": skin,
        "lip": skin * 0.62 + tint * (0.6 + 0.6 * skin.mean(1, keepdim=True)),
        "hair": hair,
        "shirt": shirt,
        "stripe": mixed(0.45 * shirt, [0.95, 0.94, 0.90], torch.sigmoid(4.0 * z[:, 47] - 5.0)),
        "frame": from_hsv((u[:, 23] + 0.5) % 1.0, torch.full_like(u[:, 23], 0.5), 0.12 + 0.3 * (1.0 - u[:, 24])),
        "hat": from_hsv((u[:, 42] + 0.3 * u[:, 23]) % 1.0, 0.25 + 0.5 * u[:, 41], 0.18 + 0.6 * u[:, 42]),
        "metal": mixed(torch.full_like(skin, 0.80), [0.90, 0.68, 0.28], torch.sigmoid(6.0 * z[:, 45])),
    }
    p |= channels(colours)
    return torch.stack([p[name] for name in PARAMETER_NAMES], 1)
