"""Clips of chairs that turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from inv3d.core.chairs.chair import CHAIR
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.kind import Kind


@dataclass(frozen=True)
class ChairTurn(HeadTurn):
    """A chair that is turned; nothing else moves."""

    kind: ClassVar[Kind] = CHAIR

    def latents(self, frame: int) -> tuple[Tensor, Tensor]:
        """The chair [1,35], and light and background [1,9], the same in all frames."""
        z = torch.randn(1, CHAIR.identity_dim + CHAIR.expression_dim, generator=torch.Generator().manual_seed(self.seed))
        return z[:, : CHAIR.identity_dim], z[:, CHAIR.identity_dim :]
