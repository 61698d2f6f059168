"""From latents to anatomy: z ~ N(0, I) and an expression become the numbers that shape and colour a head.

Lengths are in head units (1 head unit = `WORLD_PER_HEAD_UNIT` world units); colours are RGB in [0,1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

IDENTITY_DIM = 32
EXPRESSION_DIM = 6
EXPRESSION_NAMES = ("smile", "jaw", "eyes", "brows", "gaze_x", "gaze_y")

_SKIN = [
    [0.99, 0.86, 0.77],
    [0.95, 0.76, 0.62],
    [0.86, 0.64, 0.48],
    [0.68, 0.46, 0.32],
    [0.46, 0.29, 0.19],
    [0.33, 0.20, 0.13],
]
_HAIR = [[0.06, 0.045, 0.04], [0.16, 0.09, 0.06], [0.34, 0.19, 0.10], [0.58, 0.37, 0.17], [0.86, 0.68, 0.38]]
_IRIS = [[0.16, 0.09, 0.05], [0.36, 0.20, 0.08], [0.30, 0.42, 0.22], [0.22, 0.48, 0.62], [0.45, 0.55, 0.62]]
_COLOURS = ("iris", "skin", "lip", "hair", "shirt", "background", "frame")

_SHAPES = (
    "head_width", "head_height", "head_depth", "jaw_width", "chin_length", "chin_radius", "cheek",
    "nose_length", "nose_width", "nose_tip", "brow_ridge", "brow_thickness", "eye_radius", "eye_spacing", "eye_tilt",
    "lip_fullness", "mouth_width", "ear_size", "blush",
    "hair_volume", "hair_curtain", "hair_length", "hair_line", "sideburn", "nape", "parting", "beard", "glasses",
    "smile", "jaw_open", "eyes_open", "brow_raise", "gaze_x", "gaze_y",
)  # fmt: skip
PARAMETER_NAMES = _SHAPES + tuple(f"{name}_{channel}" for name in _COLOURS for channel in "rgb")
_INDEX = {name: i for i, name in enumerate(PARAMETER_NAMES)}


class Parameters:
    """Named columns of a parameter matrix [N,K]: `Parameters(matrix).jaw_width` is [N,1]."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def __getattr__(self, name: str) -> Tensor:
        i = _INDEX[name]
        return self.matrix[:, i : i + 1]

    def colour(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """The three channels of a colour, each [N,1]."""
        i = _INDEX[f"{name}_r"]
        return self.matrix[:, i : i + 1], self.matrix[:, i + 1 : i + 2], self.matrix[:, i + 2 : i + 3]


def _palette(u: Tensor, colours: list[list[float]]) -> Tensor:
    """Smooth walk through `colours` as u goes from 0 to 1; [N] -> [N,3]."""
    table = torch.tensor(colours, device=u.device, dtype=u.dtype)
    position = (u * (len(colours) - 1)).clamp(0.0, len(colours) - 1 - 1e-4)
    index = position.long()
    fraction = (position - index)[:, None]
    fraction = fraction * fraction * (3.0 - 2.0 * fraction)
    return table[index] * (1.0 - fraction) + table[index + 1] * fraction


def _from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Hue, saturation and value in [0,1], each [N], to RGB [N,3]."""

    def channel(offset: float) -> Tensor:
        k = (offset + hue * 6.0) % 6.0
        return value - value * saturation * torch.minimum(k, 4.0 - k).clamp(0.0, 1.0)

    return torch.stack([channel(5.0), channel(3.0), channel(1.0)], 1)


def head_parameters(z: Tensor, expression: Tensor) -> Tensor:
    """Parameter matrix [N,K] of identities `z` [N,32] wearing `expression` [N,6], both standard normal."""
    u = 0.5 * (1.0 + torch.erf(z / math.sqrt(2.0)))
    t = torch.tanh(0.7 * z)
    e = torch.tanh(0.7 * expression)
    p: dict[str, Tensor] = {}

    p["head_width"] = 0.136 + 0.011 * t[:, 0]
    p["head_height"] = 0.158 + 0.012 * t[:, 1]
    p["head_depth"] = 0.160 + 0.012 * t[:, 2]
    p["jaw_width"] = 0.114 + 0.014 * t[:, 3] + 0.4 * (p["head_width"] - 0.136)
    p["chin_length"] = 0.014 * t[:, 4]
    p["chin_radius"] = 0.041 + 0.008 * torch.tanh(0.5 * (z[:, 4] + z[:, 3]))
    p["cheek"] = 0.040 + 0.012 * t[:, 5]
    p["nose_length"] = 0.014 + 0.016 * t[:, 6]
    p["nose_width"] = 1.0 + 0.32 * t[:, 7]
    p["nose_tip"] = 0.008 * t[:, 29]
    p["brow_ridge"] = 0.014 + 0.008 * t[:, 8]
    p["brow_thickness"] = 1.0 + 0.35 * t[:, 30]
    p["eye_radius"] = 0.0315 + 0.0045 * t[:, 9]
    p["eye_spacing"] = 0.0545 + 0.0065 * t[:, 10]
    p["eye_tilt"] = 0.16 * t[:, 27]
    p["lip_fullness"] = 1.25 + 0.40 * t[:, 12]
    p["mouth_width"] = 0.044 + 0.009 * t[:, 13]
    p["ear_size"] = 1.0 + 0.28 * t[:, 14]
    p["blush"] = 1.0 + 0.9 * t[:, 28]

    length = u[:, 16]
    has_hair = torch.sigmoid((length - 0.11) * 60.0)
    is_long = torch.sigmoid((length - 0.60) * 22.0)
    p["hair_volume"] = -0.035 + (0.049 + 0.022 * u[:, 17]) * has_hair
    p["hair_curtain"] = (1.0 - is_long) * 0.12
    p["hair_length"] = 0.02 + 0.20 * ((length - 0.5) / 0.5).clamp(0.0, 1.0)
    p["hair_line"] = 0.150 - 0.055 * torch.sigmoid(3.0 * (z[:, 18] - 0.5)) + 0.014 * t[:, 18].clamp(max=0.0)
    p["sideburn"] = -0.035 + 0.05 * is_long
    p["nape"] = -0.085 + 0.03 * t[:, 17]
    p["parting"] = 0.5 * torch.tanh(1.5 * z[:, 31])
    p["beard"] = -0.030 + 0.039 * torch.sigmoid((z[:, 21] - 0.75) * 20.0)
    p["glasses"] = -0.030 + 0.0352 * torch.sigmoid((z[:, 22] - 0.55) * 14.0)

    p["smile"] = 0.6 + 1.0 * e[:, 0]
    p["jaw_open"] = 0.016 * torch.sigmoid(2.5 * (expression[:, 1] - 0.3))
    p["eyes_open"] = 0.92 + 0.40 * e[:, 2]
    p["brow_raise"] = 0.0075 * e[:, 3]
    p["gaze_x"] = 0.0075 * e[:, 4]
    p["gaze_y"] = 0.0045 * e[:, 5]

    skin = _palette(u[:, 15], _SKIN)
    tint = torch.stack([0.30 + 0.10 * t[:, 12], 0.10 - 0.05 * t[:, 12], 0.11 - 0.02 * t[:, 12]], 1)
    hair = _palette(u[:, 19], _HAIR)
    red = torch.sigmoid((z[:, 20] - 0.9) * 5.0)[:, None]
    grey = torch.sigmoid((-z[:, 20] - 1.0) * 5.0)[:, None]
    hair = hair + red * (torch.tensor([0.62, 0.22, 0.08], device=z.device) - hair)
    hair = hair + grey * (torch.tensor([0.70, 0.70, 0.72], device=z.device) - hair)
    colours = {
        "iris": _palette(u[:, 11], _IRIS),
        "skin": skin,
        "lip": skin * 0.62 + tint * (0.6 + 0.6 * skin.mean(1, keepdim=True)),
        "hair": hair,
        "shirt": _from_hsv(u[:, 23], 0.35 + 0.4 * u[:, 24], 0.30 + 0.60 * u[:, 24]),
        "background": _from_hsv(u[:, 25], 0.12 + 0.25 * u[:, 26], 0.97 - 0.45 * u[:, 26]),
        "frame": _from_hsv((u[:, 23] + 0.5) % 1.0, torch.full_like(u[:, 23], 0.5), 0.12 + 0.3 * (1.0 - u[:, 24])),
    }
    for name, colour in colours.items():
        for i, channel in enumerate("rgb"):
            p[f"{name}_{channel}"] = colour[:, i]
    return torch.stack([p[name] for name in PARAMETER_NAMES], 1)
