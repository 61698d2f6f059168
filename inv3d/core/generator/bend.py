"""Space bent smoothly, so that points of a generator's heads lie where they should."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.generator.grid import grid_points

_SMOOTH = 0.035  # world units, over which the points around a place tell where it is moved
_REACH = 0.06  # world units beyond the points, over which nothing is moved any more
_MARGIN = 3.0 * _REACH
_CELLS = 32


@dataclass(frozen=True)
class Bend:
    """What lies at `points` [P,3] of the world is what a generator has further back by `moved` [P,3]; between them space is bent
    smoothly, and further off it is as it was."""

    points: Tensor
    moved: Tensor

    def to(self, device: torch.device | str) -> Bend:
        return replace(self, points=self.points.to(device), moved=self.moved.to(device))

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, on the CPU, as they are saved."""
        return {"points": self.points.cpu().contiguous(), "moved": self.moved.cpu().contiguous()}

    def origin(self, points: Tensor) -> Tensor:
        """Where a generator has what is at `points` [...,3] of the world."""
        middle, side, grid = self._grid
        places = 2.0 / side * (points - middle)
        moved = F.grid_sample(grid, places.reshape(1, 1, 1, -1, 3), align_corners=False)
        return points - moved.reshape(3, -1).T.reshape(points.shape)

    @functools.cached_property
    def _grid(self) -> tuple[Tensor, float, Tensor]:
        """The middle [3] and the side of a cube around the points, and by how much its cells are moved [1,3,S,S,S] (axes z, y, x)."""
        low, high = self.points.amin(0), self.points.amax(0)
        middle, side = (low + high) / 2.0, float((high - low).amax()) + 2.0 * _MARGIN
        away = torch.cdist(middle + grid_points(_CELLS, side, middle.device)[0], self.points).square()
        weights = torch.softmax(away / (-2.0 * _SMOOTH**2), 1)
        fading = torch.exp(away.amin(1) / (-2.0 * _REACH**2))
        moved = fading[:, None] * (weights @ self.moved)
        return middle, side, moved.T.reshape(1, 3, _CELLS, _CELLS, _CELLS)
