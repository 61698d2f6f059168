"""A sanity check of an imported generator: renders of its mean code from three sides, and their oddities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.bundle import ModelInfo
from inv3d.core.generator.interface import Generator

_SIDES = (-30.0, 0.0, 30.0)
_RESOLUTION = 64
_EMPTY, _SOLID = 0.05, 0.9
"""Coverage of a pixel that shows nothing, and of one that shows something solid; the first also of the middle of a
picture."""
_FLAT = 0.005
"""Least depth of a face or a thing, as a part of the box."""
_PLAIN = 0.01
"""Least deviation of colours in [-1,1]."""


@dataclass(frozen=True)
class Look:
    """`pictures` [3,3,R,R] in [-1,1] from the left, the front and the right; `oddities`, a line each, none if all is as
    generators of the family show it."""

    pictures: Tensor
    oddities: tuple[str, ...]


@torch.no_grad()
def look_at_mean(generator: Generator, info: ModelInfo) -> Look:
    """Render the mean code without super-resolution, and compare its surface with what the cameras go around."""
    yaws = torch.tensor(_SIDES).deg2rad()
    code = generator.code_space.repeat(generator.mean_w[None])
    cameras = info.camera(yaws, torch.zeros_like(yaws)).to(generator.device)
    render = generator(code, cameras, min(_RESOLUTION, generator.raw_resolution), superresolution=False)
    pictures = render.image.cpu()
    if not (torch.isfinite(pictures).all() and torch.isfinite(render.depth).all()):
        return Look(pictures.nan_to_num(0.0), ("its pictures contain NaN or infinity",))
    depth, alpha = (_middle(values.cpu()[:, 0]) for values in (render.depth, render.alpha))
    oddities = _of_surface(depth, alpha, info.radius, generator.box)
    if float(pictures.std()) < _PLAIN:
        oddities.append("its pictures have only one colour")
    return Look(pictures, tuple(oddities))


def _middle(maps: Tensor) -> Tensor:
    """The central half of maps [B,R,R], in height and width."""
    quarter = maps.shape[-1] // 4
    return maps[:, quarter:-quarter, quarter:-quarter]


def _of_surface(depth: Tensor, alpha: Tensor, radius: float, box: float) -> list[str]:
    """Oddities of depths and coverages [B,R,R] in the centre of pictures."""
    seen = alpha > _EMPTY
    if float(seen.float().mean()) < _EMPTY:
        return ["it has no surface: the centre of its pictures is empty"]
    oddities = []
    covered = float(alpha[seen].median())
    if covered < _SOLID:
        oddities.append(f"it is transparent: the centre of its pictures covers only {covered:.0%} of the background")
    depth = depth[seen]
    middle, reach = float(depth.median()), box * math.sqrt(3.0) / 2.0
    if abs(middle - radius) > reach:
        oddities.append(f"its surface is {middle:.2f} from the camera, which circles it at {radius:.2f}")
    low, high = torch.quantile(depth, torch.tensor([0.05, 0.95])).tolist()
    if high - low < _FLAT * box:
        oddities.append(f"its surface is flat: depths in the centre differ by only {high - low:.4f}")
    return oddities
