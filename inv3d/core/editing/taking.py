"""Reference-guided mixing: an edit that gives a head what another one has of a trait, of a span, or of the whole code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from inv3d.core.codespace import CodeSpace
from inv3d.core.editing.edits import Edit
from inv3d.core.editing.traits import Trait
from inv3d.core.errors import UsageError
from inv3d.core.records import shown

WHOLE = "code"
_SPANS = ("shape", "looks")
_LONGEST = 64  # characters of an edit's name


def trait_names(traits: Sequence[Trait], space: CodeSpace) -> list[str]:
    """What can be taken: traits, spans of a code, and the whole code."""
    return [*dict.fromkeys(trait.name for trait in traits), *(span for span in _SPANS if span in space), WHOLE]


def take(
    name: str, traits: Sequence[Trait], own: Tensor, other: Tensor, space: CodeSpace, whose: str,
    layers: tuple[int, int] | None = None,
) -> Edit:  # fmt: skip
    """The edit that gives codes `own` [M,num_ws,w_dim] what the codes `other` [K,num_ws,w_dim] have of a trait, of a span or
    of the whole code (GAN mixing), on average; `whose` names the other head. Raises UsageError for other names, and for
    `layers` (first and last) that the code space lacks."""
    if layers is not None and layers[1] >= space.num_ws:
        raise UsageError(f"the model's codes have no layer {layers[1]}", f"use --layers from 0 to {space.num_ws - 1}")
    names = trait_names(traits, space)
    if name not in names:
        raise UsageError(f"'{shown(name)}' cannot be taken from another head", f"use {', '.join(names)}")
    difference = other.mean(0) - own.mean(0)
    moved = difference.new_zeros(space.num_ws, space.w_dim)
    for first, last, part in _parts(name, traits, difference, space):
        moved[first : last + 1] += part
    if layers is not None:
        moved[: layers[0]], moved[layers[1] + 1 :] = 0.0, 0.0
    first, last = layers or (0, space.num_ws - 1)
    return Edit(f"{name} from {shown(whose)}"[:_LONGEST], 1.0, first, last, moved)


def _parts(
    name: str, traits: Sequence[Trait], difference: Tensor, space: CodeSpace
) -> Iterator[tuple[int, int, Tensor]]:
    """First and last vectors, and what [...,w_dim] they move by."""
    found = [trait for trait in traits if trait.name == name]
    for trait in found:
        first, last = space.layers(trait.span)
        yield first, last, trait.part(difference[first : last + 1].mean(0))
    if not found:
        first, last = space.layers(None if name == WHOLE else name)
        yield first, last, difference[first : last + 1]
