"""Random places on figures, where training samples are taken."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BODY = 0.30
"""Share of the places that lie anywhere on the body; they come first."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Aim:
    """Draws places for a `batch` of figures; all world units are `scale` times those of the figures, `offset` above."""

    batch: int
    generator: torch.Generator
    scale: float = 1.0
    offset: float = 0.0

    def uniform(self, *shape: int) -> Tensor:
        """Numbers [B,...] in [0,1]."""
        return torch.rand(self.batch, *shape, generator=self.generator)

    def side(self, count: int) -> Tensor:
        """Signs [B,count]."""
        return (self.uniform(count) < 0.5).float() * 2.0 - 1.0

    def box(self, count: int, half: Triple, centre: Triple) -> Tensor:
        """Places [B,count,3] in a box in the world."""
        return (self.uniform(count, 3) * 2.0 - 1.0) * torch.tensor(half) + torch.tensor(centre)

    def around(self, x: Tensor, y: Tensor, z: Tensor, spread: Triple) -> Tensor:
        """Places [B,N,3] in the world around places of the figures, each [B,N] or [B,1]; `spread` in world units."""
        world = torch.stack(torch.broadcast_tensors(x, y, z), -1) * self.scale + torch.tensor([0.0, self.offset, 0.0])
        return world + torch.randn(world.shape, generator=self.generator) * torch.tensor(spread)
