"""The room behind a head that turns before a camera that stands still: what one frame hides, others show.

Where a pixel has not the colour that others show at its place, something stands in front of the room there: the head, with
all of it that no network has learned to expect, such as the brim of a cap (background subtraction). A shadow on the room is
no darker than a share of its colour (Horprasert et al. 1999). Where the camera moves, others disagree, and tell little.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.crops import Crops, shown_by_others

_SIZE = 128  # pixels per side of the pictures that are compared
_FEWEST = 3  # of them that have to know
SURE = 0.85  # coarse matte from which a pixel counts as the head's; below the rest to 1, as the room's
_BESIDE = 5  # pixels: nearer to a head than half of that, its edge shows, too
_APART = 0.05  # distance of colours of [0,1] at which one differs from the room
_DEVIATIONS = 1.5  # the same in standard deviations of what others show
_UNSTEADY = 0.125  # standard deviation of colours from which they tell nothing
_SHADE = 0.6  # share of its colour that a room in shadow has at least
_EDGE = 9  # pixels within which a colour that differs less than another is a mixture with the room
_LIKELY = 0.3  # matte of what may belong to a head that it is joined to
_REACH = 0.25  # of a picture's width that this may reach


def joined(matte: Tensor, front: Tensor) -> Tensor:
    """Coarse mattes [N,1,S,S] raised where what is joined to the head stands in `front` of the room (see `in_front`)."""
    found, unknown = front.split(1, 1)
    passable, reached = torch.maximum(torch.maximum(matte, found), unknown) > _LIKELY, (matte > SURE).float()
    for _ in range(round(_REACH * matte.shape[-1])):
        reached = F.max_pool2d(reached, 3, 1, 1) * passable
    return torch.maximum(matte, found * reached)


def in_front(matte: Tensor, images: Tensor, places: Crops) -> Tensor:
    """How surely something stands in front of the room in pictures [N,3,R,R] in [-1,1], cut at `places` [N] from frames of one clip,
    and where nothing is known of that [N,2,S,S]. The coarse `matte` [N,1,S,S] tells where they show the room."""
    seen = (F.interpolate(images, (_SIZE, _SIZE), mode="bilinear", antialias=True) + 1.0) / 2.0
    head = F.max_pool2d(F.interpolate(matte, (_SIZE, _SIZE), mode="bilinear"), _BESIDE, 1, _BESIDE // 2)
    empty = torch.cat([seen, (head < 1.0 - SURE).to(seen)], 1)
    rows = []
    for own, (_, _, shown) in zip(seen, shown_by_others(empty, places), strict=True):
        room, deviation = _agreed(shown)
        rows.append(torch.cat([_differing(own, room, deviation), (deviation >= _UNSTEADY).to(seen)]))
    return F.interpolate(torch.stack(rows), matte.shape[-2:], mode="area")


def _agreed(shown: Tensor) -> tuple[Tensor, Tensor]:
    """The median [3,s,s] of colours that several pictures show [K,4,s,s], where their last channel is 1, and its standard
    deviation [1,s,s], which is infinite where too few do."""
    known = shown[:, 3:] > 0.99
    colours = torch.where(known, shown[:, :3], torch.nan)
    median = colours.nanmedian(0).values
    deviation = 1.48 * (colours - median).abs().nanmedian(0).values.amax(0, True)  # of a normal distribution
    enough = known.sum(0) >= _FEWEST
    return torch.where(enough, median, 0.0), torch.where(enough, deviation, torch.inf)


def _differing(seen: Tensor, room: Tensor, deviation: Tensor) -> Tensor:
    """How surely and how fully [1,s,s] the colours `seen` [3,s,s] differ from the room, in light or in shadow."""
    shade = (seen * room).sum(0) / (room * room).sum(0).clamp(min=1e-3)
    away = (seen - shade.clamp(_SHADE, 1.0) * room).norm(dim=0, keepdim=True) * (deviation < _UNSTEADY)
    sure = 1.0 - torch.exp(-0.5 * (away / (_DEVIATIONS * deviation).clamp(min=_APART)) ** 2)
    return sure * away / F.max_pool2d(away, _EDGE, 1, _EDGE // 2).clamp(min=0.5 * _APART)
