"""Rows of parameters whose columns have names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor


class Named:
    """Named columns of a parameter matrix [N,K]: `Parameters(matrix).jaw_width` is [N,1]. A kind of figures has a subclass
    of its own, with the `names` of its columns in order."""

    index: ClassVar[Mapping[str, int]]

    def __init_subclass__(cls, names: Sequence[str]) -> None:
        cls.index = {name: i for i, name in enumerate(names)}

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def __getattr__(self, name: str) -> Tensor:
        i = self.index[name]
        return self.matrix[:, i : i + 1]

    def colour(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """The three channels of a colour, each [N,1]."""
        i = self.index[f"{name}_r"]
        return self.matrix[:, i : i + 1], self.matrix[:, i + 1 : i + 2], self.matrix[:, i + 2 : i + 3]
