"""Maps and images resized and averaged over squares."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resized(maps: Tensor, size: int) -> Tensor:
    """Maps [B,C,R,R] at `size` pixels a side, bilinearly."""
    if maps.shape[-1] == size:
        return maps
    return F.interpolate(maps, (size, size), mode="bilinear", align_corners=False)


def box_mean(maps: Tensor, share: float) -> Tensor:
    """Means of maps [B,C,R,R] over squares of a `share` of their width, of three pixels at least; edges are repeated."""
    radius = max(1, round(0.5 * share * maps.shape[-1]))
    padded, width = F.pad(maps, [radius] * 4, mode="replicate"), 2 * radius + 1
    return F.avg_pool2d(F.avg_pool2d(padded, (width, 1), 1), (1, width), 1)  # rows and columns apart are faster
