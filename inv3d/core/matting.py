"""Mattes: how much of each pixel the head and the body cover, and targets laid on one colour by them.

A silhouette is coarse. It is sharpened by the colours of the picture: where it is uncertain, a pixel is a mixture
of the colours that surely belong to the head and surely to the room nearby (Porter & Duff's compositing equation,
solved for alpha along the line between both). Where an aligner's misses part of a head, such as a shoulder or a cap from one
side, or has fog in the room, several pictures of the same head tell (see `belonging`), and frames of the same clip by what
they show behind it (see `room`). That of a person, by a network that knows photographs, needs no such help.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.belonging import decided
from inv3d.core.crops import Crops
from inv3d.core.filters import resized
from inv3d.core.networks.aligner import Aligner
from inv3d.core.room import SURE, in_front, joined
from inv3d.core.silhouettes import of_aligner, of_people, shows_face
from inv3d.core.views import Views, from_bytes, to_bytes

_WINDOWS = (1 / 20, 1 / 32)
"""Radii in picture widths in which the colours of head and room are gathered, one after the other."""
_NOISE = 1e-3  # variance of a colour of [0,1] that is one and the same
_DISTINCT = 2.0
"""Squared distance of two colours, in standard deviations, below which they say little."""
_CELLS = 4  # of which a window consists to each side
_EMPTY = 0.05  # matte below which a pixel shows the room alone
_AROUND = (0.02, 0.04, 0.08, 0.12)  # of a picture's width around what a matte covers, in which a head that was cut off may go on
_ASIDE = 2.0  # pixels that it may go on aside for each beyond the border
_ROOM = 1 / 12  # radius in picture widths in which the room's colour is gathered
_LITTLE = 1e-3  # share of a window, or of a pixel, that counts as none


def _gathered(values: Tensor, weights: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Weighted means [B,C,h,w] of `values` [B,C,H,W] over windows, and the mean weight [B,1,h,w]; they are smooth, so that
    every few pixels tell them."""
    step = max(1, radius // _CELLS)
    sums, radius = torch.cat([values * weights, weights], 1), radius // step
    width, sums = 2 * radius + 1, F.interpolate(sums, [-(-side // step) for side in sums.shape[-2:]], mode="area")
    for window, beside in (((width, 1), (radius, 0)), ((1, width), (0, radius))):  # rows and columns apart are faster
        sums = F.avg_pool2d(sums, window, 1, beside)
    return sums[:, :-1] / (sums[:, -1:] + 1e-6), sums[:, -1:]


def sharpened(matte: Tensor, image: Tensor) -> Tensor:
    """A matte [B,1,S,S] in [0,1] at the size of its `image` [B,3,R,R] in [-1,1], with the edges of the image."""
    size = image.shape[-1]
    seen = (image + 1.0) / 2.0
    fine = F.interpolate(matte, (size, size), mode="bilinear", align_corners=False)
    for window in _WINDOWS:
        fine = _mixed(fine, seen, max(1, round(window * size)))
    return fine


def _mixed(coarse: Tensor, seen: Tensor, radius: int) -> Tensor:
    """A matte [B,1,R,R] made finer by the colours `seen` [B,3,R,R] within a radius in pixels: by their share of the head along
    the direction that tells it from the room although both vary (Fisher 1936, the linear discriminant). Along the line from
    mean to mean, a dark eye beside bright skin would be the room's."""
    head, head_varies, heads = _colours(seen, coarse > SURE, radius)
    room, room_varies, rooms = _colours(seen, coarse < 1.0 - SURE, radius)
    apart, varies = head - room, 0.5 * (head_varies + room_varies) + _NOISE * torch.eye(3).to(seen)
    direction = torch.linalg.solve(varies, apart)
    # where both colours are known and differ, the picture decides; elsewhere the coarse matte
    length = (direction * apart).sum(-1, keepdim=True)
    trust = length / (length + _DISTINCT) * (heads > 0) * (rooms > 0)
    weight = trust / (length + 1e-6)
    told = torch.cat([weight * direction, weight * (direction * room).sum(-1, keepdim=True), trust], -1).movedim(-1, 1)
    told = F.interpolate(told, seen.shape[-2:], mode="bilinear", align_corners=False)
    share, trust = (told[:, :3] * seen).sum(1, keepdim=True) - told[:, 3:4], told[:, 4:]
    return torch.lerp(coarse, (share / (trust + 1e-6)).clamp(0.0, 1.0), trust * _doubt(coarse))


def _colours(seen: Tensor, chosen: Tensor, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [B,h,w,3] and covariance [B,h,w,3,3] of the `chosen` colours around, and their share [B,h,w,1] of all."""
    products = (seen[:, :, None] * seen[:, None]).flatten(1, 2)
    found, share = _gathered(torch.cat([seen, products], 1), chosen.float(), radius)
    mean, products = found.movedim(1, -1).split([3, 9], -1)
    return mean, products.unflatten(-1, (3, 3)) - mean[..., None] * mean[..., None, :], share.movedim(1, -1)


def _doubt(coarse: Tensor) -> Tensor:
    """How uncertain a matte is, from 0 to 1: nothing far away is pulled in for its colour."""
    return (4.0 * coarse * (1.0 - coarse) / (4.0 * (1.0 - SURE) * SURE)).clamp(max=1.0)


def mattes(aligner: Aligner, images: Tensor, of_faces: bool) -> Tensor:
    """Mattes [N,1,R,R] of aligned pictures [N,3,R,R] in [-1,1], each on its own: as of people, if they are `of_faces`. Raises
    ValueError if the aligner is needed and has learned none."""

    def own() -> Tensor:
        return _sharpened_each(of_aligner(aligner, images, of_faces), images)

    return mattes_of_people(images, own) if of_faces else own()


def mattes_of_people(images: Tensor, otherwise: Callable[[], Tensor]) -> Tensor:
    """Mattes [N,1,R,R] of aligned pictures [N,3,R,R] of people in [-1,1] by the network that knows photographs; those of
    pictures in which it sees nobody are taken from what is found `otherwise` of all [N,1,R,R]."""
    found = of_people(images)
    matte, seen = _sharpened_each(found, images), shows_face(found)
    return matte if bool(seen.all()) else torch.where(seen[:, None, None, None], matte, otherwise())


def own_mattes(
    aligner: Aligner, images: Tensor, of_faces: bool, places: Crops | None = None, shape: Tensor | None = None
) -> Tensor:
    """Those by the aligner of pictures that show one head, which know of each other; of the room, too, if they were cut at
    `places` [N] from frames of one clip. `shape` [N,1,r,r] says how probable a head turned alike is there."""
    matte = of_aligner(aligner, images, of_faces)
    if len(images) > 1:
        if places is not None:
            matte = joined(matte, in_front(matte, images, places))
        matte = decided(matte, images, places, None if shape is None else resized(shape, matte.shape[-1]))
    return _sharpened_each(matte, images)


def _sharpened_each(matte: Tensor, images: Tensor) -> Tensor:
    """Picture by picture: what sharpening needs takes memory."""
    return torch.cat([sharpened(matte[[i]], images[[i]]) for i in range(len(images))])


def room_colour(images: Tensor, matte: Tensor) -> Tensor:
    """The median colour [3] of what lies behind the heads in `images` [N,3,R,R]; of everything, if nothing does."""
    behind = (matte < _EMPTY).expand_as(images).transpose(0, 1).flatten(1)
    pixels = images.transpose(0, 1).flatten(1)
    chosen = pixels[behind].reshape(3, -1) if bool(behind.any()) else pixels
    return chosen.median(1).values


def laid_on(views: Views, matte: Tensor, colour: Tensor) -> Views:
    """The views with the room replaced by one `colour` [3]; they keep the `matte` [N,1,R,R]. Far from the head it is known that
    nothing covers them, even where nothing was filmed."""
    images = _laid_on(views.images, matte, colour)
    outside = None if views.outside is None else views.outside * _near(matte, views.outside)
    laid = replace(views, images=images, mattes=matte, outside=outside)
    if views.fine is None:
        return laid
    fine = (_fine_on(*pair, colour) for pair in zip(views.fine, matte, strict=True))
    return replace(laid, fine=torch.cat([views.fine[:0], *fine]))


def _near(matte: Tensor, outside: Tensor) -> Tensor:
    """Which pixels [N,1,R,R], so far `outside` [N,1,R,R] of what was filmed, may show what goes on beyond its border: those which
    are not much further from what a matte [N,1,R,R] covers."""
    size, near = matte.shape[-1], torch.zeros_like(matte, dtype=torch.bool)
    for share in _AROUND:
        reach = max(1, round(share * size))
        rows = F.max_pool2d(matte, (2 * reach + 1, 1), 1, (reach, 0))
        covered = F.max_pool2d(rows, (1, 2 * reach + 1), 1, (0, reach)) > _EMPTY
        near |= covered & (_ASIDE * outside + _AROUND[0] >= share)
    return near.to(matte)


def _fine_on(picture: Tensor, matte: Tensor, colour: Tensor) -> Tensor:
    """The same for one finer picture [3,S,S] from 0 to 255, as [1,3,S,S]."""
    seen = from_bytes(picture[None])
    return to_bytes(_laid_on(seen, sharpened(matte[None], seen), colour))


def _laid_on(images: Tensor, matte: Tensor, colour: Tensor) -> Tensor:
    """The same for images [N,3,R,R]. What shows through at the outline is taken away first: the mean of the room around."""
    size = images.shape[-1]
    mean, share = _gathered(images, (matte < _EMPTY).to(images), max(1, round(_ROOM * size)))
    gathered = F.interpolate(torch.cat([mean * share, share], 1), (size, size), mode="bilinear", align_corners=False)
    room = (gathered[:, :3] + _LITTLE * images) / (gathered[:, 3:] + _LITTLE)
    own = ((images - (1.0 - matte) * room) / matte.clamp(min=_LITTLE)).clamp(-1.0, 1.0)
    return matte * own + (1.0 - matte) * colour[:, None, None]
