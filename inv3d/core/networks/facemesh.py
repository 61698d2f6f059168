"""MediaPipe's face mesh: 468 points of a face in three dimensions, and whether there is a face (Kartynnik et al. 2019)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from inv3d.core.networks.blaze import Block, Same

MESH_INPUT = 192
"""Side in pixels of the crops that the network receives; a face should fill two thirds."""
POINTS = 468
_LEVELS = ((16, 3), (32, 3), (64, 3), (128, 3), (128, 3))  # channels and blocks of each resolution
_LAST = 32


def _block(inputs: int, outputs: int, stride: int = 1) -> Block:
    return Block(inputs, outputs, nn.PReLU(outputs), stride)


class FaceMesh(nn.Module):
    """Points [B,468,3] (right, down, away) in widths of the crops [B,3,192,192] in [-1,1], from their upper left corner, and
    logits [B] of whether these show a face."""

    def __init__(self) -> None:
        super().__init__()
        first = _LEVELS[0][0]
        blocks: list[nn.Module] = [Same(3, first, 3, 2), nn.PReLU(first), _block(first, first), _block(first, first)]
        for (before, _), (width, count) in pairwise(_LEVELS):
            blocks += [_block(before, width, 2), *(_block(width, width) for _ in range(count - 1))]
        self.trunk = nn.Sequential(*blocks)
        width = _LEVELS[-1][0]

        def last(outputs: int, more: int) -> nn.Sequential:
            return nn.Sequential(
                _block(width, width, 2),
                *(_block(width, width) for _ in range(more)),
                nn.Conv2d(width, _LAST, 1),
                nn.PReLU(_LAST),
                _block(_LAST, _LAST),
                nn.Conv2d(_LAST, outputs, 3),
            )

        self.points = last(3 * POINTS, 2)
        self.presence = last(1, 0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk((image + 1.0) / 2.0)
        points = self.points(features).reshape(-1, POINTS, 3) / MESH_INPUT
        return points.float(), self.presence(features).flatten().float()
