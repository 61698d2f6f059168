"""Weights and pictures that a formula fills, for comparisons with numbers of the public code."""

import zlib

import numpy as np
import torch
from numpy.typing import NDArray


def unit(name: str, count: int) -> NDArray[np.float64]:
    """Numbers in (0,1) by hashing the index and the name; the same on every machine."""
    mask = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))) & mask
    for _ in range(2):
        h ^= h >> np.uint64(16)
        h = (h * np.uint64(0x45D9F3B)) & mask
    h ^= h >> np.uint64(16)
    return (h.astype(np.float64) + 0.5) / 4294967296.0


def filled(name: str, shape: tuple[int, ...], equalised: bool = False) -> torch.Tensor:
    """A tensor of a state of a network, as its name asks for; `equalised` weights have a variance of 1."""

    def uniform(low: float, high: float) -> torch.Tensor:
        values = unit(name, int(np.prod(shape))) if shape else unit(name, 1)
        return torch.from_numpy((low + (high - low) * values).reshape(shape)).float()

    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape)
    if name.endswith("running_var"):
        return uniform(0.5, 1.5)
    if name.endswith("running_mean"):
        return uniform(-0.2, 0.2)
    if len(shape) >= 2:
        limit = 3**0.5 if equalised else 3**0.5 / np.prod(shape[1:]) ** 0.5
        return uniform(-limit, limit)
    return uniform(0.3, 1.1) if len(shape) == 1 and name.endswith("weight") else uniform(-0.2, 0.2)


def image(name: str, *shape: int) -> torch.Tensor:
    """Smooth waves and some noise, of this shape [B,C,H,W]."""
    b, c, y, x = np.meshgrid(*[np.arange(s, dtype=np.float64) for s in shape], indexing="ij")
    waves = 0.7 * np.sin(0.11 * x + 0.07 * y * (c + 1) + b)
    return torch.from_numpy(waves + 0.3 * (2 * unit(name, b.size).reshape(shape) - 1)).float()
