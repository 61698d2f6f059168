"""Traits: what one head can take from another, such as `hair` or `skin`.

The code of a drawn person is nearly linear in the parameters that draw it. So the part of two codes' difference that
belongs to some of the parameters is a projection of it, along all others.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Trait:
    """Parameters that belong together and act in one `span` of a code: a change of the code's vectors by `steps` [R,w_dim]
    moves one of them each by a standard deviation, and `normals` [R,w_dim] read them off. A trait of several spans has one
    of these for each, with the same name. `about` says what it is."""

    name: str
    about: str
    span: str | None
    steps: Tensor
    normals: Tensor

    def part(self, difference: Tensor) -> Tensor:
        """The part [w_dim] of a difference of vectors [w_dim] that belongs to the trait."""
        return self.normals @ difference @ self.steps
