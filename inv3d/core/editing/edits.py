"""Edits: the same displacement of all codes of a head, so that all its sides change alike (Barthel et al. 2024, 4.6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.codes import CodeStatistics
from inv3d.core.codespace import CodeSpace
from inv3d.core.editing.directions import Direction
from inv3d.core.editing.styles import Style
from inv3d.core.errors import UsageError

FURTHEST = 1.5
"""The distance (see `CodeStatistics.distance`) that codes may be moved to; one code of the model's own in 10,000 lies at 1.4."""
_FURTHER = 0.5  # than a fit that ended far from the model's own codes


@dataclass(frozen=True)
class Edit:
    """So many standard deviations (`strength`) along the direction `name`, in the vectors `first` to `last` of a code:
    a `displacement` [num_ws,w_dim]. What was taken from another head has a `name` with spaces, and the strength 1. A `style`
    changes the generator instead of the codes."""

    name: str
    strength: float
    first: int
    last: int
    displacement: Tensor
    style: Style | None = None

    def __str__(self) -> str:
        return self.name if " " in self.name else f"{self.name}={self.strength:+g}"


def make_edit(
    direction: Direction, strength: float, codes: Tensor, space: CodeSpace, layers: tuple[int, int] | None = None
) -> Edit:
    """An edit of `codes` [M,num_ws,w_dim] of W+, in the `layers` (first and last) or in those of the direction.

    Raises UsageError if the code space does not have the layers, or if the edit takes the codes further than the model
    holds.
    """
    first, last = layers or space.layers(direction.span)
    if last >= space.num_ws:
        raise UsageError(
            f"the model's codes have no layer {last}", f"use --layers with numbers from 0 to {space.num_ws - 1}"
        )
    _check_reach(direction, strength, direction.reading(codes[:, first : last + 1], first))
    return Edit(direction.name, strength, first, last, displacement(direction, strength, space, layers))


def displacement(
    direction: Direction, strength: float, space: CodeSpace, layers: tuple[int, int] | None = None
) -> Tensor:
    """How far [num_ws,w_dim] a direction moves the vectors in its own span, or in the `layers` (first and last)."""
    first, last = layers or space.layers(direction.span)
    moved = direction.step.new_zeros(space.num_ws, space.w_dim)
    moved[first : last + 1] = strength * direction.steps(first, last)
    return moved


def style_edit(style: Style, strength: float, edits: Sequence[Edit], codes: Tensor) -> Edit:
    """An edit that adds so much of a style to a head with these `edits` and `codes` [M,num_ws,w_dim] of W+. Raises UsageError
    if the head would have less than none or more than all of its styles."""
    worn = style_strength(edits)
    if not -worn <= strength <= 1.0 - worn + 1e-6:
        least, most = (round(limit, 3) + 0.0 for limit in (-worn, 1.0 - worn))
        raise UsageError(
            f"{style.name}={strength:+g} leaves what the style holds: this head is at {worn:g}, and 0 to 1 is possible",
            f"use a strength from {least:g} to {most:g}",
        )
    return Edit(style.name, strength, 0, codes.shape[1] - 1, torch.zeros_like(codes[0]), style)


def style_strength(edits: Sequence[Edit]) -> float:
    """How much of styles edits add up to: 0 for none, 1 for all of one."""
    return sum(edit.strength for edit in edits if edit.style is not None)


def reach(direction: Direction, reading: float) -> tuple[float, float]:
    """The strengths from lowest to highest that a head with this `reading` allows: it may always come back."""
    low, high = direction.limits
    return min(0.0, low - reading), max(0.0, high - reading)


def _check_reach(direction: Direction, strength: float, reading: float) -> None:
    """Raises UsageError."""
    least, most = reach(direction, reading)
    if not least <= strength <= most:
        raise UsageError(
            f"{direction.name}={strength:+g} is more than the model holds: this head is at {reading:+z.1f} standard "
            f"deviations, and {reading + least:+z.1f} to {reading + most:+z.1f} is possible",
            f"use a strength from {math.ceil(10 * least) / 10:g} to {math.floor(10 * most) / 10:g}",
        )


def check_distance(fitted: Tensor, before: Tensor, after: Tensor, statistics: CodeStatistics, edit: Edit) -> None:
    """Edits add up: that of codes `before` to `after` [M,num_ws,w_dim] of W+ may end as far from the mean as the model's own codes
    reach, or a little further than the codes of the fit, or go back towards the mean. Raises UsageError."""
    own, old, new = (statistics.distance(codes.mean((0, 1))) for codes in (fitted, before, after))
    most = max(FURTHEST, own + _FURTHER)
    if new > max(most, old):
        raise UsageError(
            f"{edit} takes the head further than the model holds: its code would lie {new:.2f} from the mean, where the "
            f"model's own lie 1.0 and {most:.2f} is possible",
            "use smaller strengths or fewer edits",
        )


def displaced(codes: Tensor, edits: Sequence[Edit], space: CodeSpace) -> Tensor:
    """Codes [M,num_ws,w_dim] of a `space` after all edits, which move the vectors that stand for one of W+ alike."""
    for edit in edits:
        codes = codes + space.widened(edit.displacement.to(codes))
    return codes
