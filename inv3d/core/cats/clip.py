"""Head-turn clips of cats, as of stylised heads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from inv3d.core.cats.cat import CAT
from inv3d.core.cats.parameters import EXPRESSION_DIM, FACE_NAMES, IDENTITY_DIM
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.kind import Kind


@dataclass(frozen=True)
class CatTurn(HeadTurn):
    """A cat that turns while it blinks, looks around and listens; light and background stay."""

    kind: ClassVar[Kind] = CAT

    def latents(self, frame: int) -> tuple[Tensor, Tensor]:
        """The cat [1,34] and all else [1,15] in a frame."""
        generator = torch.Generator().manual_seed(self.seed)
        z = torch.randn(1, IDENTITY_DIM, generator=generator)
        rest = torch.randn(1, EXPRESSION_DIM, generator=generator)
        rest[:, : len(FACE_NAMES)] *= 0.5
        t = self.phase(frame)
        motion = {
            "lids": -3.0 * math.exp(-(((t - 0.62) / 0.012) ** 2)),
            "look_x": 0.8 * math.sin(4.0 * math.pi * t),
            "listening": 0.6 * math.sin(3.0 * math.pi * t),
        }
        for name, moved in motion.items():
            rest[:, FACE_NAMES.index(name)] += moved
        return z, rest
