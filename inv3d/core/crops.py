"""Square, possibly rotated crops of images, and how they are cut out.

Pixel coordinates put the centre of the first pixel at (0.5, 0.5); x goes right, y down; roll turns clockwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.filters import box_mean, resized

_SOFT = (1 / 64, 1 / 32, 1 / 16, 1 / 8)
"""Shares of a crop's width: what lies so far outside of the image is averaged over squares of as much."""
_ACROSS = 8  # pixels across these squares; more would not be smoother


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


def softly_cut(image: Tensor, crops: Crops, resolution: int) -> Tensor:
    """The same, but what is outside of the image is smoother the further away it is, as in pictures of FFHQ: a border that is
    repeated would draw stripes, which look as if they had been seen."""
    found = cut(image, crops, resolution)
    height, width = image.shape[-2:]
    grid = sampling_grid(crops, resolution, height, width)
    beyond = (grid.abs() - 1.0).clamp(min=0.0) * torch.tensor([width, height], device=grid.device) / 2.0
    distance = (beyond.norm(dim=-1) / crops.size[:, None, None])[:, None]
    for share in _SOFT:
        far = (2.0 * distance / share - 1.0).clamp(0.0, 1.0)
        if bool((far > 0.0).any()):
            coarse = F.interpolate(found, [min(resolution, round(_ACROSS / share))] * 2, mode="area")
            found = torch.lerp(found, resized(box_mean(coarse, share), resolution), far)
    return found
