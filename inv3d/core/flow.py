"""Optical flow: where the pixels of one picture are in another."""

from __future__ import annotations

import torch
from skimage.registration import optical_flow_ilk
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.filters import box_mean, resized

_WINDOW = 0.045  # of a picture's width: radius of the windows that the flow is fitted to
_FURTHEST = 0.04  # of a picture's width: nothing moves further
_ROUNDS = 3  # of refinement; more change nothing: what moves, moves by a few pixels
_WORSE = 0.02  # by which a flow may make pictures differ more, in colours from -1 to 1
_LUMINANCE = (0.3, 0.6, 0.1)
_BLUR = 0.02  # of a picture's width


def flow_between(after: Tensor, before: Tensor) -> Tensor:
    """Where [B,2,r,r] (right and down, in widths of the picture) the pixels of `after` [B,3,r,r] come from in `before`
    (iterative Lucas-Kanade, Le Besnerais and Champagnat 2005); 0 where that explains nothing."""
    size = after.shape[-1]
    weights = after.new_tensor(_LUMINANCE)[:, None, None]
    pairs = zip((after * weights).sum(1), (before * weights).sum(1), strict=True)
    radius = max(2, round(_WINDOW * size))
    found = [
        torch.from_numpy(optical_flow_ilk(a.cpu().numpy(), b.cpu().numpy(), radius=radius, num_warp=_ROUNDS)) for a, b in pairs
    ]
    flow = torch.stack(found).flip(1).to(after) / size
    near = flow.norm(dim=1, keepdim=True) < _FURTHEST
    differed, differs = (
        box_mean((after - each).abs().mean(1, keepdim=True), _BLUR) for each in (before, carried(before, flow))
    )
    trust = box_mean((near & (differs < differed + _WORSE)).to(after), _BLUR)
    return flow.clamp(-_FURTHEST, _FURTHEST) * trust.square()


def carried(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps [B,C,R,R] moved along a flow [B,2,r,r]."""
    size = maps.shape[-1]
    middles = (torch.arange(size, device=maps.device, dtype=maps.dtype) + 0.5) / size
    places = torch.stack(torch.meshgrid(middles, middles, indexing="xy")) + resized(flow, size)
    return F.grid_sample(maps, 2.0 * places.permute(0, 2, 3, 1) - 1.0, padding_mode="border", align_corners=False)
