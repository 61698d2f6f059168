"""Maps sampled at places, and resized. Where `torch.use_deterministic_algorithms` asks for it (see `repeatable`), in ways
whose gradients a GPU adds up in the same order every time: it has no such kernels of PyTorch's own for them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["zeros", "border"]
Mode = Literal["bilinear", "bicubic", "area"]


def sample(maps: Tensor, places: Tensor, padding: Padding = "border") -> Tensor:
    """Bilinear values [B,C,h,w] of maps [B,C,H,W] at `places` [B,h,w,2] (x, y) in [-1,1], which are the edges of the maps;
    outside of them zero, or what their border shows."""
    if _any_order_will_do(maps, places):
        return F.grid_sample(maps, places, padding_mode=padding, align_corners=False)
    return _gathered(maps, places, padding)


def resize(
    maps: Tensor,
    size: tuple[int, int],
    mode: Mode = "bilinear",
    *,
    antialias: bool = False,
    align_corners: bool | None = False,
) -> Tensor:
    """Maps [B,C,H,W] at another `size` (h, w), as `torch.nn.functional.interpolate` makes them; `area` takes no
    `align_corners`."""
    options = {"mode": mode, "antialias": antialias, "align_corners": None if mode == "area" else align_corners}
    if _any_order_will_do(maps):
        return F.interpolate(maps, size, **options)  # type: ignore[arg-type]
    # in both directions a matrix; how it looks is read off the resized unit vectors
    rows, columns = (
        F.interpolate(torch.eye(before, device=maps.device)[None, None], (after, before), **options)[0, 0].to(maps)  # type: ignore[arg-type]
        for before, after in zip(maps.shape[-2:], size, strict=True)
    )
    with torch.autocast(maps.device.type, enabled=False):
        return rows @ (maps @ columns.T)


class AveragePool(nn.Module):
    """The means of maps [B,C,H,W] over `cells` by `cells` parts of equal size."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, maps: Tensor) -> Tensor:
        return resize(maps, (self.cells, self.cells), "area")


def _any_order_will_do(*tensors: Tensor) -> bool:
    """Whether PyTorch's own kernels do: on CPUs they repeat, and elsewhere all but those of gradients."""
    if not torch.are_deterministic_algorithms_enabled() or tensors[0].is_cpu:
        return True
    return not (torch.is_grad_enabled() and any(each.requires_grad for each in tensors))


def _gathered(maps: Tensor, places: Tensor, padding: Padding) -> Tensor:
    """`sample` by looking up the four texels around each place: the gradient of a look-up is sorted before it is added."""
    count, channels, height, width = maps.shape
    texels = maps.permute(0, 2, 3, 1).reshape(-1, channels)
    first = height * width * torch.arange(count, device=maps.device)[:, None, None]
    x, y = (((places[..., axis] + 1.0) * side - 1.0) / 2.0 for axis, side in ((0, width), (1, height)))
    if padding == "border":
        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    total = maps.new_zeros((*places.shape[:-1], channels))
    for column in (x.floor(), x.floor() + 1):
        for row in (y.floor(), y.floor() + 1):
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            share = inside * (1.0 - (x - column).abs()) * (1.0 - (y - row).abs())
            # clamped as integers, so that not even a NaN looks outside
            index = first + row.long().clamp(0, height - 1) * width + column.long().clamp(0, width - 1)
            total = total + share[..., None].to(maps) * texels[index]
    return total.permute(0, 3, 1, 2)
