"""From latents to a cat: standard normal numbers become named ones, a row of a matrix [N,K] for each cat.

Lengths are in units of `coat.WORLD_PER_UNIT`, colours RGB in [0,1]. What is not the cat itself, that is what its face does, the light and the
background, comes from latents of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.named import Named
from inv3d.core.procedural.palette import channels, from_hsv, mixed, present, uniform, walk
from inv3d.core.procedural.setting import SETTING_DIM, SETTING_NAMES, setting

IDENTITY_NAMES = (
    "width", "height", "length", "cheeks", "muzzle", "muzzle_width", "chin", "nose",
    "ears", "ear_spread", "ear_tip", "eyes", "eye_spacing", "eye_tilt", "fluff", "young", "neck",
    "coat", "tone", "red", "white", "white_shape", "tabby", "tabby_scale", "points", "patched", "patch_place", "patch_side",
    "iris", "nose_tone", "collar", "collar_hue", "collar_tone", "bell",
)  # fmt: skip
FACE_NAMES = ("mouth", "lids", "pupils", "look_x", "look_y", "listening")
IDENTITY_DIM, EXPRESSION_DIM = len(IDENTITY_NAMES), len(FACE_NAMES) + SETTING_DIM

SHAPE_NAMES = (
    "head_width", "head_height", "head_length", "cheek", "muzzle_length", "muzzle_width", "chin", "nose_width",
    "ear_length", "ear_spread", "ear_tip", "ear_width", "eye_radius", "eye_spacing", "eye_tilt", "fluff", "neck", "collar",
    "bell", "mouth_open", "eyes_open", "ear_turn",
)  # fmt: skip
"""Parameters that move the surface; all others only colour or light it."""
_LOOKS = (
    "gaze_x", "gaze_y", "pupil", "white", "blaze", "bib", "tabby", "tabby_scale", "points", "patched", "patch_place",
    "patch_side",
)  # fmt: skip
_COLOURS = ("fur", "dark", "patch", "point", "nose", "iris", "collar", "background", "backdrop")
PARAMETER_NAMES = (
    SHAPE_NAMES + _LOOKS + SETTING_NAMES + tuple(f"{name}_{channel}" for name in _COLOURS for channel in "rgb")
)

_COATS = [[0.13, 0.12, 0.13], [0.36, 0.38, 0.43], [0.50, 0.42, 0.33], [0.78, 0.64, 0.46], [0.94, 0.89, 0.80], [0.97, 0.96, 0.94]]
_IRISES = [[0.72, 0.42, 0.10], [0.86, 0.68, 0.16], [0.62, 0.72, 0.22], [0.36, 0.62, 0.32], [0.30, 0.62, 0.70]]
_GINGER, _BLUE, _SEAL = [0.86, 0.50, 0.20], [0.28, 0.52, 0.82], [0.24, 0.16, 0.12]


class Parameters(Named, names=PARAMETER_NAMES):
    """The columns of cats."""


def cat_parameters(identity: Tensor, expression: Tensor) -> Tensor:
    """Parameter matrix [N,K] of cats `identity` [N,I]; `expression` [N,E] is all that is not the cat itself: its face, the
    light and the background. Both are standard normal."""
    z = dict(zip(IDENTITY_NAMES, identity.unbind(1), strict=True))
    u = {name: uniform(column) for name, column in z.items()}
    t = {name: torch.tanh(0.7 * column) for name, column in z.items()}
    doing, around = expression.split((len(FACE_NAMES), SETTING_DIM), 1)
    e = dict(zip(FACE_NAMES, torch.tanh(0.7 * doing).unbind(1), strict=True))
    p: dict[str, Tensor] = {}

    young = ((u["young"] - 0.65) / 0.35).clamp(0.0, 1.0)
    p["head_width"] = 0.162 + 0.012 * t["width"] - 0.006 * young
    p["head_height"] = 0.132 + 0.010 * t["height"] + 0.004 * young
    p["head_length"] = 0.138 + 0.010 * t["length"]
    p["cheek"] = 0.070 + 0.013 * t["cheeks"] - 0.008 * young
    p["muzzle_length"] = 0.133 + 0.020 * t["muzzle"] - 0.012 * young
    p["muzzle_width"] = 1.0 + 0.16 * t["muzzle_width"] - 0.06 * young
    p["chin"] = 0.030 + 0.006 * t["chin"]
    p["nose_width"] = 1.0 + 0.22 * t["nose"] - 0.10 * young
    p["ear_length"] = 0.132 + 0.026 * t["ears"] + 0.014 * young
    p["ear_spread"] = 0.030 + 0.024 * t["ear_spread"]
    p["ear_tip"] = 0.012 + 0.007 * t["ear_tip"]
    p["ear_width"] = 0.082 + 0.008 * torch.tanh(0.5 * (z["ears"] - z["ear_tip"]))
    p["eye_radius"] = 0.041 + 0.005 * t["eyes"] + 0.004 * young
    p["eye_spacing"] = 0.072 + 0.007 * t["eye_spacing"]
    p["eye_tilt"] = 0.20 + 0.16 * t["eye_tilt"]
    p["fluff"] = u["fluff"] ** 1.5
    p["neck"] = 0.125 + 0.012 * t["neck"] + 0.025 * p["fluff"]
    worn = present(z["collar"], 0.5)
    p["collar"] = -0.030 + 0.042 * worn
    p["bell"] = -0.030 + 0.052 * worn * present(z["bell"], 0.0)
    p["mouth_open"] = 0.020 * torch.sigmoid(3.0 * (doing[:, 0] - 0.9))
    p["eyes_open"] = 1.35 + 0.35 * e["lids"]
    p["ear_turn"] = 0.35 * e["listening"]

    p["gaze_x"], p["gaze_y"] = 0.006 * e["look_x"], 0.004 * e["look_y"]
    p["pupil"] = 0.45 + 0.25 * e["pupils"]
    pointed = present(z["points"], 1.1, 8.0)
    p["points"] = pointed
    p["white"] = present(z["white"], 0.3, 8.0) * (1.0 - pointed)
    p["blaze"] = 0.020 + 0.030 * t["white_shape"]
    p["bib"] = 0.03 + 0.05 * torch.tanh(0.7 * (z["white"] - 0.8))
    p["tabby"] = present(z["tabby"], -0.1, 4.0) * (1.0 - 0.9 * pointed)
    p["tabby_scale"] = 1.0 + 0.18 * t["tabby_scale"]
    p["patched"] = present(z["patched"], 1.0, 8.0) * (1.0 - pointed)
    p["patch_place"], p["patch_side"] = 1.5 * t["patch_place"], 1.5 * t["patch_side"]
    p |= setting(around)

    fur = mixed(walk(u["coat"], _COATS), _GINGER, present(z["red"], 0.6, 6.0) * (1.0 - pointed))
    fur = mixed(fur, [0.93, 0.87, 0.78], pointed) * (1.0 + 0.10 * t["tone"][:, None])
    dark = mixed(0.42 * fur, [0.60, 0.26, 0.08], present(z["red"], 0.6, 6.0) * (1.0 - pointed))
    bright = fur.mean(1)
    rosy = mixed(torch.full_like(fur, 0.16), [0.86, 0.52, 0.50], torch.sigmoid(6.0 * (bright - 0.5) + 3.0 * z["nose_tone"]))
    p |= channels(
        {
            "fur": fur.clamp(0.04, 1.0),
            "dark": dark,
            # ginger on dark cats, black on bright ones
            "patch": mixed(torch.full_like(fur, 0.13), _GINGER, torch.sigmoid(14.0 * (0.55 - bright))),
            "point": mixed(torch.full_like(fur, 0.34), _SEAL, torch.sigmoid(3.0 * z["tone"])),
            "nose": rosy,
            "iris": mixed(walk(u["iris"], _IRISES), _BLUE, (pointed + present(u["coat"] - 0.93, 0.0, 60.0)).clamp(max=1.0)),
            "collar": from_hsv(u["collar_hue"], 0.35 + 0.55 * u["collar_tone"], 0.80 - 0.45 * u["collar_tone"]),
        }
    )
    return torch.stack([p[name] for name in PARAMETER_NAMES], 1)
