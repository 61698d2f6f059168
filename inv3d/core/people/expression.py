"""What a face does: twelve numbers over the facial actions, made so that random ones look like somebody talking."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.people.basis import ACTIONS

EXPRESSION_NAMES = (
    "smile", "jaw", "pucker", "stretch", "press", "brows_up", "brows_down", "squint", "blink", "gaze_x", "gaze_y", "sided",
)  # fmt: skip
"""`smile` is negative for a frown; `gaze_x` (to the person's left) and `gaze_y` (up) are radians; `sided` pulls the
mouth to the person's left; all others lie in [0,1]."""

_BOTH = ("Left", "Right")
# share of every facial action in an expression of strength 1
_SHARES: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 0.85, "cheekSquint": 0.55, "mouthDimple": 0.15, "eyeSquint": 0.15, "mouthUpperUp": 0.32, "mouthLowerDown": 0.18},
    "frown": {"mouthFrown": 0.8, "mouthShrugLower": 0.3},
    "jaw": {"jawOpen": 0.55, "mouthLowerDown": 0.2, "mouthUpperUp": 0.2},
    "pucker": {"mouthPucker": 0.65, "mouthFunnel": 0.3},
    "stretch": {"mouthStretch": 0.5, "mouthLowerDown": 0.25, "mouthUpperUp": 0.18},
    "press": {"mouthPress": 0.6, "mouthRollLower": 0.35, "mouthRollUpper": 0.25},
    "brows_up": {"browInnerUp": 0.5, "browOuterUp": 0.7, "eyeWide": 0.25},
    "brows_down": {"browDown": 0.75, "noseSneer": 0.15},
    "squint": {"eyeSquint": 0.7, "cheekSquint": 0.35},
    "blink": {"eyeBlink": 1.0},
}

_WIDE = 0.3  # the template looks sleepy


def _table() -> Tensor:
    rows = torch.zeros(len(_SHARES), len(ACTIONS))
    for i, shares in enumerate(_SHARES.values()):
        for name, share in shares.items():
            for action in (name,) if name in ACTIONS else tuple(name + side for side in _BOTH):
                rows[i, ACTIONS.index(action)] = share
    return rows


_TABLE = _table()


def expression_columns(z: Tensor) -> dict[str, Tensor]:
    """The numbers of `EXPRESSION_NAMES`, each [N], of standard normal latents [N,12]."""
    named = dict(zip(EXPRESSION_NAMES, z.unbind(1), strict=True))

    def seldom(name: str, threshold: float, strength: float) -> Tensor:
        return strength * torch.sigmoid(2.2 * (named[name] - threshold))

    smile = torch.tanh(0.6 * named["smile"] + 0.4)
    jaw = seldom("jaw", 1.1, 0.75)
    return {
        "smile": torch.where(smile > 0, 0.85 * smile, 0.45 * smile),
        "jaw": jaw,
        "pucker": seldom("pucker", 1.5, 0.7) * (1.0 - 0.7 * smile.clamp(min=0.0)),
        "stretch": seldom("stretch", 1.2, 0.6),
        "press": seldom("press", 1.5, 0.6) * (1.0 - jaw),
        "brows_up": seldom("brows_up", 1.3, 0.8),
        "brows_down": seldom("brows_down", 1.0, 0.7),
        "squint": seldom("squint", 0.8, 0.6),
        "blink": 0.10 * torch.sigmoid(1.5 * named["blink"]) + 0.9 * torch.sigmoid(9.0 * (named["blink"] - 1.9)),
        "gaze_x": 0.26 * torch.tanh(0.6 * named["gaze_x"]),
        "gaze_y": 0.16 * torch.tanh(0.6 * named["gaze_y"]),
        "sided": 0.35 * torch.tanh(0.6 * named["sided"]),
    }


def action_weights(columns: Tensor) -> Tensor:
    """Weights [N,E] of the facial actions (see `basis.ACTIONS`) of expressions [N,12] in the order of the names."""
    named = dict(zip(EXPRESSION_NAMES, columns.unbind(1), strict=True))
    smile, gaze, sided = named["smile"], named["gaze_y"], named["sided"]
    strengths = {"frown": (-smile).clamp(min=0.0), "smile": smile.clamp(min=0.0)}
    rows = torch.stack([strengths.get(name, named.get(name, smile)) for name in _SHARES], 1)
    weights = rows @ _TABLE.to(columns)

    def add(action: str, amount: Tensor) -> None:
        weights[:, ACTIONS.index(action)] += amount

    # the lids follow the gaze; one side of the mouth smiles more
    for side in _BOTH:
        add(f"eyeWide{side}", _WIDE * (1.0 - named["blink"]))
        add(f"eyeLookUp{side}", (gaze / 0.35).clamp(min=0.0))
        add(f"eyeLookDown{side}", (-gaze / 0.35).clamp(min=0.0))
    add("mouthLeft", 0.6 * sided.clamp(min=0.0))
    add("mouthRight", 0.6 * (-sided).clamp(min=0.0))
    add("mouthSmileLeft", 0.5 * sided)
    add("mouthSmileRight", -0.5 * sided)
    add("browOuterUpLeft", 0.6 * sided.clamp(min=0.0))
    return weights.clamp(-0.1, 1.0)
