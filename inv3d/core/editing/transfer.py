"""Frames of an edited head. They show it as it was before, and the generator alone would not be the person any more. So what
frames add to the generator's render before the edit is carried over to its render after it: moved along with what the edit
moves (the optical flow between both renders), and left out where the edit covers or uncovers something.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from inv3d.core.filters import box_mean, resized
from inv3d.core.flow import carried, flow_between
from inv3d.core.generator import Render

_OTHER = 0.5  # difference of colours after the flow that counts as something else
_DEEPER = 0.03  # difference of depth, in world units, that does so
_BARE = 0.4  # difference of coverage that does so
_BLUR = 0.02  # of a picture's width


def transferred(edited: Render, plain: Render, framed: Render, share: float = 1.0) -> Render:
    """The `edited` render [B] of the generator with a `share` of what frames add to the `plain` one of the unedited head: they
    make it the `framed` one, whose image may be larger."""
    size, rays = framed.image.shape[-1], plain.alpha.shape[-1]
    flow = flow_between(resized(edited.image, rays), resized(plain.image, rays))
    kept = share * _kept(edited, plain, flow)
    added = carried(framed.image - resized(plain.image, size), flow)
    image = resized(edited.image, size) + resized(kept, size) * added
    alpha = edited.alpha + kept * carried(framed.alpha - plain.alpha, flow)
    behind = None if edited.behind is None else resized(edited.behind, size)
    return replace(edited, image=image, alpha=alpha.clamp(0.0, 1.0), behind=behind)


def _kept(edited: Render, plain: Render, flow: Tensor) -> Tensor:
    """Where both renders show the same things [B,1,r,r]: 1, falling to 0 where an edit covers or uncovers something."""
    size = edited.alpha.shape[-1]
    before, depth, alpha = (carried(each, flow) for each in (resized(plain.image, size), plain.depth, plain.alpha))
    other = (resized(edited.image, size) - before).abs().mean(1, keepdim=True) / _OTHER
    deeper = torch.minimum(edited.alpha, alpha) * (edited.depth - depth) / _DEEPER
    bare = (edited.alpha - alpha) / _BARE
    return _blurred(torch.exp(-(other.square() + deeper.square() + bare.square())))


def _blurred(maps: Tensor) -> Tensor:
    return box_mean(maps, _BLUR)
