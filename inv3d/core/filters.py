"""Maps and images resized and averaged over squares."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F


def resized(maps: Tensor, size: int) -> Tensor:
    """Maps [B,C,R,R] at `size` pixels a side, bilinearly."""
    if maps.shape[-1] == size:
        return maps
    return F.interpolate(maps, (size, size), mode="bilinear", align_corners=False)


def block_mean(maps: Tensor, side: int) -> Tensor:
    """Means of maps [B,C,H,W] over blocks of `side` by `side` pixels; beyond the last, edges are repeated. In a third of the time
    that PyTorch's pooling takes on a CPU."""
    if side == 1:
        return maps
    right, below = (-extent % side for extent in (maps.shape[-1], maps.shape[-2]))
    if right or below:
        maps = F.pad(maps, (0, right, 0, below), mode="replicate")
    parts = (maps[..., row::side, column::side] for row in range(side) for column in range(side))
    return functools.reduce(torch.add, parts) / side**2


def box_mean(maps: Tensor, share: float) -> Tensor:
    """Means of maps [B,C,R,R] over squares of a `share` of their width, of three pixels at least; edges are repeated."""
    radius = max(1, round(0.5 * share * maps.shape[-1]))
    padded, width = F.pad(maps, [radius] * 4, mode="replicate"), 2 * radius + 1
    for axis in (-2, -1):  # rows and columns apart, and added up as a whole, are faster
        count = padded.shape[axis] - width + 1
        padded = functools.reduce(torch.add, (padded.narrow(axis, first, count) for first in range(width)))
    return padded / width**2
