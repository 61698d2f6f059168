"""Space bent smoothly, so that a generator's heads have another shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.generator.grid import grid_points

CELLS = 40
"""Of a grid, a side: about as fine as mattes and faces tell anything."""


@dataclass(frozen=True)
class Bend:
    """What lies at a place of the world is what a generator has further back by `moved` [1,3,S,S,S] (axes z, y, x; world units),
    known at the cells of a cube of this `side` around the origin, and nothing outside of it."""

    moved: Tensor
    side: float

    @staticmethod
    def of(move: Callable[[Tensor], Tensor], side: float, device: torch.device | str) -> Bend:
        """By what `move` says of points [P,3], as exact as a saved one."""
        moved = move(grid_points(CELLS, side, torch.device(device))[0])
        return Bend(moved.T.reshape(1, 3, CELLS, CELLS, CELLS).half().float(), side)

    def to(self, device: torch.device | str) -> Bend:
        return replace(self, moved=self.moved.to(device))

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, on the CPU, as they are saved."""
        return {"moved": self.moved.half().cpu().contiguous()}

    def origin(self, points: Tensor) -> Tensor:
        """Where a generator has what is at `points` [...,3] of the world."""
        places = (2.0 / self.side * points).reshape(1, 1, 1, -1, 3)
        moved = F.grid_sample(self.moved, places, align_corners=False)
        return points - moved.reshape(3, -1).T.reshape(points.shape)

    def after(self, first: Bend) -> Bend:
        """This one of space that is bent by the `first` already, as one."""
        return Bend.of(lambda points: points - first.origin(self.origin(points)), self.side, self.moved.device)
