"""Things as they are drawn, for the benchmarks and pictures of the models of things."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.cats.clip import CatTurn
from inv3d.core.chairs.clip import ChairTurn
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training.augment import clutter, over

TURNS: dict[str, type[HeadTurn]] = {"cats": CatTurn, "chairs": ChairTurn}
"""What the models of these names have learned, turning."""
CLUTTERED = ("chairs",)
"""Of these, every second photo is taken in front of clutter."""


def photo(turn: HeadTurn, frame: int, cluttered: bool) -> Tensor:
    """The frame [1,3,H,W] of a clip that is not higher than wide, in front of its own background or of clutter."""
    drawn = turn.render(HeadRenderer(kind=turn.kind), frame)
    if not cluttered:
        return drawn.image
    room = clutter(1, turn.width, torch.Generator().manual_seed(turn.seed))[..., : turn.height, :]
    return over(drawn.image, drawn.alpha, room)
