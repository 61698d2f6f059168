"""Depths of a rendered surface at its outline, and a little beyond it."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.filters import box_mean

_SMOOTHING = 0.02  # of a picture's width, over which depths are averaged: their noise would tear what is projected
_RIM = 0.15  # of a picture's width: a quarter as far from the outline the surface counts as near, half as far not at all
_PARTLY = 0.15  # coverage from which a pixel's depth, without that of the room, tells something
_EMPTY = 1e-6  # what an empty pixel's depth counts, so that there always is one
_LEAST = 1e-3  # coverage that counts as none


def continued(depth: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """The smoothed `depth` [B,1,r,r] of a surface that covers pixels by `alpha` [B,1,r,r], without that of the room, which is in those
    that it covers in part, and beyond its outline the mean of those around (pull and push, Gortler et al. 1996, of two levels); how
    near the surface is [B,1,r,r]: 1, falling to 0."""
    room = depth.amax((2, 3), True)
    depth = room - (room - depth) / alpha.clamp(min=_PARTLY)
    solid = (alpha - _PARTLY).clamp(min=0.0) + _EMPTY
    here = box_mean(solid, _SMOOTHING)
    depth = torch.lerp(smooth(depth, solid, _RIM), smooth(depth, solid), here / (here + _LEAST))
    return depth, (4.0 * box_mean(alpha, _RIM)).clamp(max=1.0)


def smooth(depth: Tensor, weight: Tensor, share: float = _SMOOTHING) -> Tensor:
    """Weighted means of `depth` [B,1,R,R] over squares of a `share` of their width."""
    return box_mean(depth * weight, share) / box_mean(weight, share)
