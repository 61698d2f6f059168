"""Square, possibly rotated crops of images, and how they are cut out.

Pixel coordinates put the centre of the first pixel at (0.5, 0.5); x goes right, y down; roll turns clockwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.filters import block_mean, box_mean, resized

_SOFT = (1 / 64, 1 / 32, 1 / 16, 1 / 8)
"""Shares of a crop's width: what lies so far outside of the image is averaged over squares of as much."""
_OTHERS = 12  # crops that are asked what is at a place
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


def within(crops: Crops, outer: Crops, side: int) -> Crops:
    """The `crops` [B] of an image as crops of what one `outer` crop [1] of it shows in a picture of `side` pixels."""
    scale = side / outer.size
    away = scale[:, None] * turned(crops.center - outer.center, -outer.roll)
    return Crops(away + side / 2, scale * crops.size, crops.roll - outer.roll)


def out_of(crops: Crops, outer: Crops, side: int) -> Crops:
    """The inverse: `crops` [B] of what one `outer` crop [1] shows in a picture of `side` pixels, as crops of the whole image."""
    scale = outer.size / side
    away = scale[:, None] * turned(crops.center - side / 2, outer.roll)
    return Crops(away + outer.center, scale * crops.size, crops.roll + outer.roll)


def turned(points: Tensor, roll: Tensor) -> Tensor:
    """Points [...,2] (right, down) turned clockwise by `roll` [...]."""
    cos, sin = roll.cos(), roll.sin()
    x, y = points.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1)


def sampling_grid(crops: Crops, resolution: int, height: int, width: int) -> Tensor:
    """Grid [B,resolution,resolution,2] for `grid_sample` (align_corners False) over an image of the given size."""
    axis = (torch.arange(resolution, device=crops.size.device) + 0.5) / resolution - 0.5
    cos, sin = crops.roll.cos(), crops.roll.sin()
    scale = 2.0 / torch.tensor([width, height], device=axis.device)
    right, down = (torch.stack(way, -1) * crops.size[:, None] * scale for way in ((cos, sin), (-sin, cos)))
    columns, rows = (axis[:, None] * way[:, None] for way in (right, down))
    return (crops.center * scale - 1.0)[:, None, None] + rows[:, :, None] + columns[:, None]


def across(crop: Crops, others: Crops, resolution: int) -> Tensor:
    """Grid [B,resolution,resolution,2] for `grid_sample` (align_corners False) over B `others` of the same image, or of
    others taken from the same place: where they have what one `crop` shows."""
    places = sampling_grid(crop, resolution, 2, 2) + 1.0  # in pixels, since of an image of two by two one is the grid's unit
    away = places - others.center[:, None, None]
    return 2.0 * turned(away, -others.roll[:, None, None]) / others.size[:, None, None, None]


def shown_by_others(maps: Tensor, crops: Crops) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For each of N `crops` of frames of one clip some others [K], evenly chosen; where these have what it shows, as a grid
    [K,S,S,2] for `grid_sample` (see `across`); and what `maps` [N,C,S,S] of them have there [K,C,S,S]."""
    some = torch.linspace(0, len(maps) - 1, min(len(maps), _OTHERS)).round().long()
    for i in range(len(maps)):
        others = some[some != i]
        grid = across(crops[i], crops[others], maps.shape[-1])
        yield others, grid, F.grid_sample(maps[others], grid, align_corners=False)


def cut(image: Tensor, crops: Crops, resolution: int) -> Tensor:
    """Cut crops [B,C,resolution,resolution] out of one `image` [C,H,W], antialiased; the border is repeated outside."""
    factor = max(1, int(float(crops.size.min()) / (2 * resolution)))
    reduced = block_mean(image[None], factor)
    # the last blocks may reach beyond the image
    height, width = reduced.shape[-2] * factor, reduced.shape[-1] * factor
    grid = sampling_grid(crops, 2 * resolution, height, width)
    fine = F.grid_sample(reduced.expand(len(crops), -1, -1, -1), grid, padding_mode="border", align_corners=False)
    return block_mean(fine, 2)


def outside(crops: Crops, resolution: int, height: int, width: int) -> Tensor:
    """How far [B,1,resolution,resolution] the pixels of crops lie outside of an image of the given size, in widths of the crop."""
    grid = sampling_grid(crops, resolution, height, width)
    beyond = (grid.abs() - 1.0).clamp(min=0.0) * torch.tensor([width, height], device=grid.device) / 2.0
    return (beyond.norm(dim=-1) / crops.size[:, None, None])[:, None]


def softly_cut(image: Tensor, crops: Crops, resolution: int) -> Tensor:
    """The same, but what is outside of the image is smoother the further away it is, as in pictures of FFHQ: a border that is
    repeated would draw stripes, which look as if they had been seen."""
    found = cut(image, crops, resolution)
    distance = outside(crops, resolution, image.shape[-2], image.shape[-1])
    for share in _SOFT:
        far = (2.0 * distance / share - 1.0).clamp(0.0, 1.0)
        if bool((far > 0.0).any()):
            coarse = F.interpolate(found, [min(resolution, round(_ACROSS / share))] * 2, mode="area")
            found = torch.lerp(found, resized(box_mean(coarse, share), resolution), far)
    return found
