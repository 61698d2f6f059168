"""The top of a head that a photo cuts off, made up of what the photo shows below its border.

Many photos end in the hair. The generator's cap has another width and other colours than the hair below it: a seam. So the cap
is stretched to what the border cuts off, and takes its colours from there. Where the border cuts off the forehead it does not:
nobody knows what hair that person has, and the generator's guess stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.filters import box_mean, resized
from inv3d.core.matting import room_colour
from inv3d.core.views import Views, from_bytes, to_bytes

_FACE = ((-0.1, 0.1), (-0.12, 0.08), (0.0, 1.0))  # world units: what is around eyes, nose and mouth has the colour of the skin
_MOSTLY = 0.5  # coverage above which a pixel shows the head
_WIDE = 0.05  # of a picture's width, over which its border cuts off the head at least
_STRETCHED = (0.6, 1.6)  # times that the generator's head is wider there: beyond, it is another part of the head
_SKIN, _HAIR = 0.08, 0.15  # root mean square differences from the colour of a face: up to one, a border shows skin, from the other
# on hair, or a hat
_LEAST = 1e-3  # what skin counts, so that something does
_SOFT = 0.02  # of a picture's height next to the border, in which colours and mattes are mixed with what is beyond
_NEAR, _FAR = 0.02, 0.15  # of a picture's width, over which colours along the border are averaged: next to it, and far above it
_HIGH = 0.06  # of a picture's width, which is far above
_STEEP = 2.0  # times as steep as the generator's outline, which is soft
_ROUGH = 0.03  # of a picture's width, over which that is averaged


@dataclass(frozen=True)
class _Cut:
    """Where the border of a picture of S pixels a side cuts off a head: how many rows of each column do not show it, `border` [S],
    and the columns from `left` to `right` between which the head goes on."""

    border: Tensor
    left: int
    right: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def columns(self) -> Tensor:
        """The nearest of them to each column, [S]."""
        return torch.arange(len(self.border), device=self.border.device).clamp(self.left, self.right)

    @staticmethod
    def of(border: Tensor, matte: Tensor) -> _Cut | None:
        """Of a head with a `matte` [S,S]; None if it hardly reaches the border."""
        nearby = border + _SOFT * len(border)  # a matte's noise at the border is no head
        covered = torch.minimum(_at(border, matte[None])[0], _at(nearby, matte[None])[0]) * (border > 0)
        columns = (covered > _MOSTLY).nonzero()[:, 0]
        return _Cut(border, int(columns[0]), int(columns[-1])) if len(columns) > _WIDE * len(border) else None


def crowned(views: Views, depth: Tensor, alpha: Tensor) -> Views:
    """A photo [1] of a head with its top, if it cuts off hair or a hat there: the top of the head that the generator renders from
    the same camera, with this `depth` and coverage `alpha` [1,1,r,r], as wide as what the border cuts off, and in its colours. It
    counts as if it had been filmed."""
    if views.outside is None or views.mattes is None:
        return views
    picture = (views.images if views.fine is None else from_bytes(views.fine))[0]
    size = picture.shape[-1]
    matte, cap, outside = (resized(each.to(picture), size)[0, 0] for each in (views.mattes, alpha, views.outside))
    border = _border(outside)
    cut, own = _Cut.of(border, matte), _Cut.of(border, cap)
    if cut is None or own is None or not _STRETCHED[0] < own.width / cut.width < _STRETCHED[1]:
        return views
    shown, skin = _at(border, picture), _skin(views, depth)
    hair = torch.zeros_like(border) if skin is None else _unlike(shown, skin)
    if float(hair[cut.left : cut.right].mean()) < _MOSTLY:
        return views
    weights = _at(border, matte[None]) * hair + _LEAST
    rows = torch.arange(size, device=border.device)[:, None]
    above = rows + 0.5 < border
    matte = torch.where(above, _stretched(cap, own, cut), matte)
    room = room_colour(views.images, views.mattes)[:, None, None]
    picture = torch.where(above, torch.lerp(room.expand_as(picture), _drawn_out(shown, weights, cut), matte), picture)[None]
    rays = views.images.shape[-1]
    outside = torch.where(rows - 2 * size / rays < border, 0.0, outside)  # which was enlarged, and so reaches a little below the border
    images, mattes, outside = (
        F.interpolate(each, (rays, rays), mode="area") for each in (picture, matte[None, None], outside[None, None])
    )
    return replace(
        views, images=images, mattes=mattes, outside=outside, fine=None if views.fine is None else to_bytes(picture)
    )


def _border(outside: Tensor) -> Tensor:
    """How many rows [S] at the top of each column do not show what was filmed, of how far pixels lie `outside` [S,S] of that: a
    straight line, where there are any. Columns that lie beside what was filmed do not tell."""
    size = len(outside)
    rows = torch.arange(1, size // 2 + 1, device=outside.device)[:, None] * (outside[: size // 2] > 0.0)
    found = rows.amax(0).float()
    columns = ((found > 0.0) & (found < size // 2)).nonzero()[:, 0]
    if not len(columns):
        return torch.zeros_like(found)
    x, y = columns.float() / size, found[columns]
    across, down = x.mean(), y.mean()
    slope = ((x - across) * (y - down)).sum() / (x - across).square().sum().clamp(min=1e-6)
    return torch.zeros_like(found).index_copy(0, columns, down + slope * (x - across) + _SOFT * size)


def _at(border: Tensor, maps: Tensor) -> Tensor:
    """What maps [C,S,S] show just below a border [S]: [C,S]."""
    rows = border.round().long().clamp(0, len(border) - 1)
    return maps.gather(1, rows.expand(len(maps), 1, -1))[:, 0]


def _skin(views: Views, depth: Tensor) -> Tensor | None:
    """The median colour [3] of a face, of a head with this `depth` [1,1,r,r]; None if none is seen."""
    rays = views.cameras.to(depth.device).rays(depth.shape[-1])
    points = rays.origins[0] + rays.directions[0] * depth.reshape(-1, 1)
    low, high = points.new_tensor(_FACE).T
    face = ((points > low) & (points < high)).all(1)
    colours = resized(views.images, depth.shape[-1])[0].flatten(1)[:, face.to(views.images.device)]
    return colours.median(1).values if colours.shape[1] else None


def _unlike(colours: Tensor, skin: Tensor) -> Tensor:
    """How surely [S] colours [3,S] in [-1,1] are not those of the `skin` [3], from 0 to 1."""
    different = (colours - skin.to(colours)[:, None]).square().mean(0).sqrt() / 2.0
    return ((different - _SKIN) / (_HAIR - _SKIN)).clamp(0.0, 1.0)


def _stretched(cap: Tensor, own: _Cut, cut: _Cut) -> Tensor:
    """What the generator covers [S,S] above its `own` cut, as wide and as high as above a `cut` of the same border."""
    size, scale = len(cap), own.width / cut.width
    line = torch.arange(size, device=cap.device).float()
    x = own.left + scale * (line - cut.left)
    there = cut.border[x.round().long().clamp(0, size - 1)]
    y = there - scale * (cut.border - line[:, None])
    grid = (torch.stack([x.expand(size, size), y], -1) + 0.5) * (2.0 / size) - 1.0
    found = F.grid_sample(box_mean(cap[None, None], _ROUGH), grid[None], align_corners=False)[0, 0]
    return (_STEEP * (found - 0.5) + 0.5).clamp(0.0, 1.0)


def _drawn_out(shown: Tensor, weights: Tensor, cut: _Cut) -> Tensor:
    """The colours [3,S,S] above a cut that shows those [3,S], which count by their `weights` [1,S]: smoother the higher."""
    size = len(cut.border)
    weighted = torch.cat([shown * weights, weights])[:, cut.left : cut.right + 1]

    def averaged(share: float) -> Tensor:
        radius = min(max(1, round(0.5 * share * size)), cut.width)
        means = F.avg_pool1d(weighted[None], 2 * radius + 1, 1, radius)[0]
        return (means[:3] / means[3:])[:, cut.columns - cut.left]

    height = (cut.border - torch.arange(size, device=shown.device)[:, None]) / (_HIGH * size)
    near, far = averaged(_NEAR)[:, None], averaged(_FAR)[:, None]
    return torch.lerp(near.expand(3, size, size), far.expand(3, size, size), height.clamp(0.0, 1.0))
