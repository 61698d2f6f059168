"""Points on a grid, as `grid_sample` numbers its cells."""

from __future__ import annotations

import torch
from torch import Tensor


def grid_points(size: int, box: float, device: torch.device) -> Tensor:
    """Centres [1,size^3,3] of the cells of a cube of side `box`; x runs fastest."""
    axis = ((torch.arange(size, device=device) + 0.5) / size - 0.5) * box
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([x, y, z], -1).reshape(1, -1, 3)
