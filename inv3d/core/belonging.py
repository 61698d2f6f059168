"""What belongs to a head and its body: pixels that are decided together.

An aligner that has seen drawn rooms alone is sure of photographed heads, but not of what is beside and below them. There
four more witnesses decide: the shape of a drawn head that is turned alike, the colours of all pictures of the head and of
what is behind it, each pixel's neighbours, and what other frames show at its place. All are log-odds, and are added up as
in a Markov random field, with edges that count less where colours change (Boykov & Jolly 2001), colours that are learned
anew from what they tell (Rother et al. 2004), and mean-field steps (Krähenbühl & Koltun 2011).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.crops import Crops, shown_by_others
from inv3d.core.filters import box_mean

_SURE, _LIKELY, _DECIDED = 0.005, 0.1, 0.001  # what a matte, a shape and both together may be away from 0 and 1 at least
_BLUR = 0.08  # of a picture's width, by which the outline of a head may differ from that of another, twice
_BODY = (0.70, 0.85)  # of a picture's height, between which a body begins that need not turn with its head
_BINS = 16  # of each colour channel in histograms
_RARE = 1e-4  # share of all pixels at which a colour is too rare to tell anything
_MOST = 5.0  # log-odds that a colour is worth at most
_NEIGHBOURS = [(down, right) for down, right in product((-1, 0, 1), repeat=2) if (down, right) != (0, 0)]
_EDGE, _SAME = 0.06, 0.04  # differences of colours of [0,1] between two things side by side; at one place of two frames
_PLACE = 5.0  # log-odds that it is worth what others show at a place
_STEPS = 12
_CERTAIN = 0.05  # belief that is as good as none: a head does not shine through


def decided(matte: Tensor, images: Tensor, places: Crops | None = None, shape: Tensor | None = None) -> Tensor:
    """Coarse mattes [N,1,S,S] of aligned pictures [N,3,R,R] in [-1,1] of one head, decided: 0 or 1, but for outlines. `places` [N] say where
    the pictures were cut from frames of one clip, and `shape` [N,1,S,S] how probable a head turned alike is there."""
    seen = (F.interpolate(images, matte.shape[-2:], mode="bilinear", antialias=True) + 1.0) / 2.0
    known = torch.logit(matte.clamp(_SURE, 1.0 - _SURE))
    if shape is not None:
        known = known + torch.logit(shape.clamp(_LIKELY, 1.0 - _LIKELY))
    bins, beside = _bins(seen), _alike_beside(seen)
    there = None if places is None else _alike_there(seen, places)
    belief = torch.sigmoid(known).clamp(_DECIDED, 1.0 - _DECIDED)
    for _ in range(_STEPS):
        odds = known + _colour_odds(bins, belief)
        side = 2.0 * belief - 1.0
        odds = odds + sum(weight * side.roll((-down, -right), (2, 3)) for (down, right), weight in beside)
        if there is not None:
            odds = odds + _PLACE * torch.stack([_mean_there(side, *each) for each in there])
        belief = torch.sigmoid(odds)
    return ((belief - _CERTAIN) / (1.0 - 2.0 * _CERTAIN)).clamp(0.0, 1.0)


def probable(heads: Tensor, frontal: Tensor) -> Tensor:
    """How probable it is that a head, of which only the side is known, covers a pixel [N,1,S,S]: by how another head covers it
    [N,1,S,S], and by the body of that head from the front [1,1,S,S], because many people turn their heads alone."""
    first, last = _BODY
    down = (torch.arange(heads.shape[-2], device=heads.device) + 0.5) / heads.shape[-2]
    body = ((down - first) / (last - first)).clamp(0.0, 1.0)[:, None] * torch.maximum(frontal, frontal.flip(3))
    return box_mean(box_mean(torch.maximum(heads, body), _BLUR), _BLUR)


def _bins(seen: Tensor) -> Tensor:
    """Which of `_BINS`**3 colours each pixel [N,1,S,S] has."""
    red, green, blue = (seen * (_BINS - 1)).round().long().clamp(0, _BINS - 1).split(1, 1)
    return (red * _BINS + green) * _BINS + blue


def _colour_odds(bins: Tensor, belief: Tensor) -> Tensor:
    """The log-odds of each pixel's colour among those that are believed to be the head's."""
    head, room = (_frequency(bins, share) + _RARE for share in (belief, 1.0 - belief))
    return (head / room).log().clamp(-_MOST, _MOST)


def _frequency(bins: Tensor, share: Tensor) -> Tensor:
    """How frequent the colour of each pixel is, where pixels count by their `share`."""
    counts = torch.bincount(bins.flatten(), share.flatten(), _BINS**3).reshape(1, 1, _BINS, _BINS, _BINS)
    for _ in range(2):
        counts = F.avg_pool3d(counts, 3, 1, 1)
    return (counts / counts.sum().clamp(min=1.0)).flatten()[bins]


def _alike_beside(seen: Tensor) -> Sequence[tuple[tuple[int, int], Tensor]]:
    """How much each neighbour counts [N,1,S,S]: the less, the more its colour differs; nothing beyond the picture."""
    inside = torch.ones_like(seen[:1, :1])
    found = []
    for down, right in _NEIGHBOURS:
        beyond = F.pad(inside, (1, 1, 1, 1))[..., 1 + down :, 1 + right :][..., : seen.shape[-2], : seen.shape[-1]]
        found.append(((down, right), beyond * _alike(seen.roll((-down, -right), (2, 3)), seen, _EDGE) / math.hypot(down, right)))
    return found


def _alike_there(seen: Tensor, places: Crops) -> Sequence[tuple[Tensor, Tensor, Tensor]]:
    """For each picture some others, where these show the same places of the clip, and how much they count there [K,1,S,S]: only
    where they show the same colours, as they do of all that does not move."""
    bounded = torch.cat([seen, torch.ones_like(seen[:, :1])], 1)
    return [
        (others, grid, _alike(shown[:, :3], own, _SAME) * (shown[:, 3:] > 0.99))
        for own, (others, grid, shown) in zip(seen, shown_by_others(bounded, places), strict=True)
    ]


def _mean_there(side: Tensor, others: Tensor, grid: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean [1,S,S] of what others say, which is little where few of them count."""
    said = F.grid_sample(side[others], grid, align_corners=False)
    return (weight * said).sum(0) / (weight.sum(0) + 1.0)


def _alike(some: Tensor, others: Tensor, scale: float) -> Tensor:
    """1 for equal colours [...,3,S,S], nearly 0 for those that differ by more than twice the scale."""
    return torch.exp(-0.5 * ((some - others) / scale).square().sum(-3, keepdim=True))
