"""From latents to a chair: standard normal numbers become named ones, a row of a matrix [N,K] for each chair.

Lengths are in world units, from the middle of the chair; it stands on `FLOOR` and looks along z. Colours are RGB in [0,1]. A part
that a chair lacks has a negative thickness. Light and background come from latents of their own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.named import Named
from inv3d.core.procedural.palette import channels, from_hsv, mixed, present, uniform, walk
from inv3d.core.procedural.setting import SETTING_DIM, SETTING_NAMES, setting

FLOOR = -0.265

IDENTITY_NAMES = (
    "width", "depth", "height", "seat", "round", "flare", "cushion", "base", "rockers", "star", "legs", "taper", "splay",
    "stretchers", "back", "tall", "arched", "lean", "wrapped", "fill", "bars", "arms", "arm_height", "padded",
    "wood", "paint", "paint_hue", "paint_tone", "metal", "fabric_hue", "fabric_tone", "fabric_grey", "stripes", "stripe_scale",
    "two_tone",
)  # fmt: skip
IDENTITY_DIM, EXPRESSION_DIM = len(IDENTITY_NAMES), SETTING_DIM

SHAPE_NAMES = (
    "half_width", "half_depth", "seat_height", "seat_thickness", "seat_round", "seat_flare", "cushion", "front_leg", "rear_leg",
    "leg_taper", "leg_splay", "runner", "rocking", "stretcher", "pedestal", "disc", "star", "back_frame", "back_width",
    "back_height", "back_round", "back_lean", "back_curve", "panel", "slat", "spindle", "bars", "pad", "arm", "arm_height", "side",
)  # fmt: skip
"""Parameters that move the surface; all others only colour or light it."""
_LOOKS = ("grain", "stripes", "stripe_scale")
_COLOURS = ("frame", "seat", "base", "fabric", "stripe", "background", "backdrop")
PARAMETER_NAMES = (
    SHAPE_NAMES + _LOOKS + SETTING_NAMES + tuple(f"{name}_{channel}" for name in _COLOURS for channel in "rgb")
)

_GONE = -0.03
"""The thickness of what is not there."""
_WOODS = [[0.20, 0.12, 0.08], [0.42, 0.24, 0.13], [0.58, 0.36, 0.19], [0.74, 0.54, 0.33], [0.88, 0.74, 0.54]]
_METALS = [[0.10, 0.10, 0.11], [0.36, 0.37, 0.39], [0.74, 0.75, 0.77], [0.86, 0.86, 0.85]]


class Parameters(Named, names=PARAMETER_NAMES):
    """The columns of chairs."""


def _there(z: Tensor, threshold: float) -> Tensor:
    """A switch of parts, so sharp that few chairs have half a part."""
    return present(z, threshold, 40.0)


def _size(there: Tensor, size: Tensor | float) -> Tensor:
    """A thickness [N] where a part is `there` [N]."""
    return _GONE + (size - _GONE) * there


def chair_parameters(identity: Tensor, expression: Tensor) -> Tensor:
    """Parameter matrix [N,K] of chairs `identity` [N,I]; `expression` [N,E] is all that is not the chair itself: the light and
    the background. Both are standard normal."""
    z = dict(zip(IDENTITY_NAMES, identity.unbind(1), strict=True))
    u = {name: uniform(column) for name, column in z.items()}
    t = {name: torch.tanh(0.7 * column) for name, column in z.items()}
    p: dict[str, Tensor] = {}

    # four legs, of which some stand on rockers; one in the middle; or two in front that run back along the floor
    pedestal, cantilever = _there(z["base"], 0.80), _there(-z["base"], 1.10)
    legged = 1.0 - _there(z["base"], 0.90)  # no chair may hover
    four = legged * (1.0 - cantilever)
    rockers = four * _there(z["rockers"], 0.85)
    backed = _there(z["back"], -1.15)
    armed = backed * _there(z["arms"], 0.30)
    padded = _there(z["padded"], 0.45)

    p["half_width"] = 0.152 + 0.020 * t["width"] + 0.012 * armed
    p["half_depth"] = 0.140 + 0.016 * t["depth"]
    p["seat_height"] = -0.030 + 0.028 * t["height"] + 0.030 * (1.0 - backed)
    p["seat_thickness"] = 0.012 + 0.005 * t["seat"] + 0.012 * padded
    p["seat_round"] = 0.15 + 0.85 * torch.sigmoid(2.2 * (z["round"] - 0.5))
    p["seat_flare"] = 0.10 + 0.10 * t["flare"]
    p["cushion"] = _size(torch.maximum(_there(z["cushion"], 0.1), padded), 0.016 + 0.006 * t["cushion"] + 0.008 * padded)
    leg = 0.0155 + 0.004 * t["legs"]
    tube = leg - 0.004 * cantilever
    p["front_leg"] = _size(legged, tube)
    p["rear_leg"] = _size(four, leg)
    p["leg_taper"] = 0.75 + 0.25 * t["taper"] * four + 0.25 * cantilever
    p["leg_splay"] = four * (0.016 + 0.016 * t["splay"])
    p["runner"] = _size(torch.maximum(cantilever, rockers), tube)
    p["rocking"] = rockers
    p["stretcher"] = _size(four * _there(z["stretchers"], 0.0), 0.009)
    p["pedestal"] = _size(pedestal, 0.021 + 0.005 * t["legs"])
    star = _there(z["star"], 0.0)
    p["disc"] = _size(pedestal * (1.0 - star), 0.014)
    p["star"] = _size(pedestal * star, 0.013)

    p["back_frame"] = _size(backed, 0.0125 + 0.003 * t["legs"])
    p["back_width"] = 0.132 + 0.016 * t["width"] + 0.014 * armed
    p["back_height"] = 0.255 + 0.028 * t["tall"] - 0.6 * p["seat_height"]
    p["back_round"] = 0.20 + 0.75 * torch.sigmoid(2.5 * z["arched"])
    p["back_lean"] = 0.16 + 0.08 * t["lean"]
    p["back_curve"] = 0.9 + 0.9 * t["wrapped"]
    solid = torch.maximum(1.0 - _there(z["fill"], -0.35), padded)
    slats = (1.0 - solid) * (1.0 - _there(z["fill"], 0.35))
    p["panel"] = _size(backed * solid, 0.008)
    p["slat"] = _size(backed * slats, 0.013)
    p["spindle"] = _size(backed * (1.0 - solid) * (1.0 - slats), 0.008)
    p["bars"] = 0.052 + 0.007 * t["bars"]
    p["pad"] = _size(backed * padded, 0.020)
    p["arm"] = _size(armed, 0.013)
    p["arm_height"] = 0.100 + 0.014 * t["arm_height"]
    p["side"] = _size(armed * padded, 0.014)

    p["stripes"] = present(z["stripes"], 0.7, 8.0)
    p["stripe_scale"] = 1.0 + 0.35 * t["stripe_scale"]
    p |= setting(expression)

    painted, metal = present(z["paint"], 0.65, 8.0), present(z["metal"] + 1.2 * cantilever, 0.9, 8.0)
    wood, steel = walk(u["wood"], _WOODS), walk(u["metal"], _METALS)
    paint = from_hsv(u["paint_hue"], 0.15 + 0.70 * u["paint_tone"], 0.95 - 0.45 * u["paint_tone"])
    frame = wood + painted[:, None] * (paint - wood)
    frame = frame + metal[:, None] * (steel - frame)
    cloth = from_hsv(u["fabric_hue"], (0.25 + 0.60 * u["fabric_tone"]) * u["fabric_grey"], 0.92 - 0.62 * u["fabric_tone"])
    p["grain"] = (1.0 - painted) * (1.0 - metal)
    p |= channels(
        {
            "frame": frame,
            # a seat of wood on a frame of metal, or of another colour
            "seat": frame + torch.maximum(metal, present(z["two_tone"], 0.9, 8.0))[:, None] * (0.5 * (wood + paint) - frame),
            "base": mixed(frame, [0.62, 0.63, 0.65], pedestal * present(z["metal"], -0.3)),
            "fabric": cloth,
            "stripe": mixed(cloth, [0.95, 0.93, 0.88], torch.sigmoid(6.0 * (0.6 - cloth.mean(1)))) * 0.85,
        }
    )
    return torch.stack([p[name] for name in PARAMETER_NAMES], 1)
