"""Frames of an edited head. They show it as it was before, and the generator alone would not be the person any more. So what
frames add to the generator's render before the edit is carried over to its render after it: moved along with what the edit
moves (the optical flow between both renders), and left out where the edit covers or uncovers something.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from skimage.registration import optical_flow_ilk
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.filters import box_mean, resized
from inv3d.core.generator import Render

_WINDOW = 0.045  # of a picture's width: radius of the windows that the flow is fitted to
_FURTHEST = 0.04  # of a picture's width: no edit moves what it does not hide further
_WORSE = 0.02  # by which a flow may make the renders differ more, in colours from -1 to 1
_OTHER = 0.5  # difference of colours after the flow that counts as something else
_DEEPER = 0.03  # difference of depth, in world units, that does so
_BARE = 0.4  # difference of coverage that does so
_LUMINANCE = (0.3, 0.6, 0.1)
_BLUR = 0.02  # of a picture's width


def transferred(edited: Render, plain: Render, framed: Render) -> Render:
    """The `edited` render [B] of the generator with what frames add to the `plain` one of the unedited head: they make it
    the `framed` one, whose image may be larger."""
    size, rays = framed.image.shape[-1], plain.alpha.shape[-1]
    flow = _flow(resized(edited.image, rays), resized(plain.image, rays))
    kept = _kept(edited, plain, flow)
    added = _carried(framed.image - resized(plain.image, size), flow)
    image = resized(edited.image, size) + resized(kept, size) * added
    alpha = edited.alpha + kept * _carried(framed.alpha - plain.alpha, flow)
    behind = None if edited.behind is None else resized(edited.behind, size)
    return replace(edited, image=image, alpha=alpha.clamp(0.0, 1.0), behind=behind)


def _flow(after: Tensor, before: Tensor) -> Tensor:
    """Where [B,2,r,r] (right and down, in widths of the picture) the pixels of `after` [B,3,r,r] come from in `before`
    (iterative Lucas-Kanade, Le Besnerais and Champagnat 2005); 0 where that explains nothing."""
    size = after.shape[-1]
    weights = after.new_tensor(_LUMINANCE)[:, None, None]
    pairs = zip((after * weights).sum(1), (before * weights).sum(1), strict=True)
    radius = max(2, round(_WINDOW * size))
    found = [torch.from_numpy(optical_flow_ilk(a.cpu().numpy(), b.cpu().numpy(), radius=radius)) for a, b in pairs]
    flow = torch.stack(found).flip(1).to(after) / size
    near = flow.norm(dim=1, keepdim=True) < _FURTHEST
    differed, differs = (
        _blurred((after - each).abs().mean(1, keepdim=True)) for each in (before, _carried(before, flow))
    )
    trust = _blurred((near & (differs < differed + _WORSE)).to(after))
    return flow.clamp(-_FURTHEST, _FURTHEST) * trust.square()


def _kept(edited: Render, plain: Render, flow: Tensor) -> Tensor:
    """Where both renders show the same things [B,1,r,r]: 1, falling to 0 where an edit covers or uncovers something."""
    size = edited.alpha.shape[-1]
    before, depth, alpha = (_carried(each, flow) for each in (resized(plain.image, size), plain.depth, plain.alpha))
    other = (resized(edited.image, size) - before).abs().mean(1, keepdim=True) / _OTHER
    deeper = torch.minimum(edited.alpha, alpha) * (edited.depth - depth) / _DEEPER
    bare = (edited.alpha - alpha) / _BARE
    return _blurred(torch.exp(-(other.square() + deeper.square() + bare.square())))


def _carried(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps [B,C,R,R] moved along a flow [B,2,r,r]."""
    size = maps.shape[-1]
    middles = (torch.arange(size, device=maps.device, dtype=maps.dtype) + 0.5) / size
    places = torch.stack(torch.meshgrid(middles, middles, indexing="xy")) + resized(flow, size)
    return F.grid_sample(maps, 2.0 * places.permute(0, 2, 3, 1) - 1.0, padding_mode="border", align_corners=False)


def _blurred(maps: Tensor) -> Tensor:
    return box_mean(maps, _BLUR)
