"""A source of training data that costs nothing to draw, for tests of where it is drawn."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inv3d.core.errors import UsageError
from inv3d.core.procedural.samples import HeadSamples
from inv3d.core.training.source import TOONS, _Fields


class Quick(_Fields):
    """Heads made of random numbers. Every process that draws leaves its number in the folder `notes`; the first that comes to a
    head with the number `deadly` is killed, and any that comes to one with the number `wrong` cannot draw it."""

    def __init__(self, notes: Path, deadly: float | None = None, wrong: float | None = None) -> None:
        super().__init__(TOONS.name, TOONS.kind, TOONS.shapes, TOONS.kept)
        self.notes, self.deadly, self.wrong = notes, deadly, wrong

    def artist(self, compiled: bool) -> Any:
        return self

    def points(self, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
        (self.notes / str(os.getpid())).touch()
        first, killed = float(parameters[0, 0]), self.notes / "killed"
        if first == self.deadly and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if first == self.wrong:
            raise UsageError("the package is missing", "install it")

        def numbers(*shape: int) -> Tensor:
            return torch.rand(len(parameters), 64, *shape, generator=generator)

        return HeadSamples(numbers(3), numbers(3), numbers(3), numbers() > 0.5, numbers(3), numbers())
