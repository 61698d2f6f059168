"""Square, possibly rotated crops of images, and how they are cut out.

Pixel coordinates put the centre of the first pixel at (0.5, 0.5); x goes right, y down; roll turns clockwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Crops:
    """B crops: `center` [B,2] and side length `size` [B] in pixels, `roll` [B] in radians."""

    center: Tensor
    size: Tensor
    roll: Tensor

    def __len__(self) -> int:
        return len(self.size)

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Crops:
        if isinstance(index, int):
            index = [index]
        return Crops(self.center[index], self.size[index], self.roll[index])


def joined(a: Crops, b: Crops) -> Crops:
    """The crops of `a` and then those of `b`."""
    return Crops(torch.cat([a.center, b.center]), torch.cat([a.size, b.size]), torch.cat([a.roll, b.roll]))


def sampling_grid(crops: Crops, resolution: int, height: int, width: int) -> Tensor:
    """Grid [B,resolution,resolution,2] for `grid_sample` (align_corners False) over an image of the given size."""
    axis = (torch.arange(resolution, device=crops.size.device) + 0.5) / resolution - 0.5
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    cos, sin = (c[:, None, None] for c in (crops.roll.cos(), crops.roll.sin()))
    offset = torch.stack([cos * u - sin * v, sin * u + cos * v], -1) * crops.size[:, None, None, None]
    place = crops.center[:, None, None] + offset
    return place * (2.0 / torch.tensor([width, height], device=place.device)) - 1.0


def cut(image: Tensor, crops: Crops, resolution: int) -> Tensor:
    """Cut crops [B,C,resolution,resolution] out of one `image` [C,H,W], antialiased; the border is repeated outside."""
    factor = max(1, int(float(crops.size.min()) / (2 * resolution)))
    reduced = F.avg_pool2d(image[None], factor, ceil_mode=True) if factor > 1 else image[None]
    # a ceil-mode pool covers a slightly larger image
    height, width = reduced.shape[-2] * factor, reduced.shape[-1] * factor
    grid = sampling_grid(crops, 2 * resolution, height, width)
    fine = F.grid_sample(reduced.expand(len(crops), -1, -1, -1), grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(fine, 2)
