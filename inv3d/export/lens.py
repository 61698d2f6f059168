"""The lens of a square pinhole picture in pixels, as files of cameras have it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from inv3d.core.errors import InputError
from inv3d.core.records import Count, Number, Positive


@dataclass(frozen=True)
class Lens:
    """Size, focal lengths and principal point; lengths in pixels."""

    width: Annotated[Count, Field(ge=1)]
    height: Annotated[Count, Field(ge=1)]
    fx: Positive
    fy: Positive
    cx: Number
    cy: Number

    @classmethod
    def of(cls, intrinsics: Tensor, size: int) -> Self:
        """Of normalised `intrinsics` [3,3] and a picture of `size` pixels."""
        (fx, _, cx), (_, fy, cy) = (intrinsics[:2] * size).tolist()
        return cls(size, size, fx, fy, cx, cy)

    def intrinsics(self, path: Path) -> Tensor:
        """Normalised intrinsics [3,3]. Raises InputError, which names the file, for a picture that is not square."""
        if self.width != self.height:
            raise InputError(f"{path} describes pictures of {self.width} x {self.height} pixels", "make them square")
        return torch.tensor([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, self.width]]) / self.width
