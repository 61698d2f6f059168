"""The head in a photo, cut out as a model sees heads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle
from inv3d.core.errors import InputError
from inv3d.core.networks.aligner import Aligner
from inv3d.core.views import Views, to_array
from inv3d.video.choose import HeadChoice, choose
from inv3d.video.decode import Frame
from inv3d.video.detect import Faces, faces_of
from inv3d.video.locate import Located, search, search_turned, settled
from inv3d.video.picture import read_picture
from inv3d.video.select import cut_views
from inv3d.video.track import SEARCH_SIDE, HeadTrack, TrackedFrame, placed

_SMALLEST_HEAD = 40  # side in pixels of the crop around a head; smaller crops show too little
_COLOURLESS = 0.02  # largest distance of a channel from grey
_TINTS = ((0.8, 1.0, 1.2), (0.5, 1.0, 1.6))
"""Exponents of red, green and blue that give grey the colours of skin, faintly and strongly."""
_MARGIN = 0.15  # of the shorter side
_CONFIDENT_FRAMED = 0.6  # higher than without a margin: so little of a head may be in the photo that it is read wrongly


@dataclass(frozen=True)
class Aligned:
    """The `view` of a head cut out of a photo, the aligner's `confidence`, and by how many degrees (clockwise) the head lay
    rolled in the photo."""

    view: Views
    confidence: float
    rolled: int = 0


def read_photo(path: Path, index: int = 0) -> Frame:
    """A photo as a frame. Raises InputError, OutOfMemoryError."""
    picture = read_picture(path)
    return Frame(index, 0.0, to_array(picture.image), (picture.scale, picture.scale))


def shrunk(photo: Frame, short_side: int) -> Frame:
    """The same photo with at most `short_side` pixels on its shorter side."""
    height, width = photo.image.shape[:2]
    shrink = short_side / min(height, width)
    if shrink >= 1.0:
        return photo
    size = (round(height * shrink), round(width * shrink))
    small = F.interpolate(photo.tensor()[None], size, mode="area")[0]
    scale = (photo.scale[0] * width / size[1], photo.scale[1] * height / size[0])
    return replace(photo, image=to_array(small), scale=scale)


def head_in(photo: Frame, bundle: Bundle, head: HeadChoice | None, where: str) -> TrackedFrame:
    """The one head of a photo, or the one chosen by `head`; `where` names the photo.

    Raises InputError if there is none, if it is not clear which one is meant, or if it is too small.
    """
    small = shrunk(photo, SEARCH_SIDE)
    found = find_heads(bundle, small.tensor())
    if not len(found):
        if bundle.shows_things:
            message = f"nothing that the model '{bundle.name}' shows was found in {where}"
            raise InputError(message, "use a photo of one such thing, whole, from the front or the side")
        raise InputError(
            f"no head was found in {where}",
            "use a photo of one head that faces the camera roughly and is hardly cut off",
        )
    chosen = settled(small.tensor(), choose(found, head, small.scale, where), faces_of(bundle))
    tracked = HeadTrack((placed(small, chosen),), ()).faced().frames[0]
    if tracked.size < _SMALLEST_HEAD * photo.scale[0]:
        raise InputError(f"the head in {where} is only about {tracked.size / 2:.0f} pixels high", "use a larger photo")
    return tracked


def align_photo(path: Path, bundle: Bundle, head: HeadChoice | None = None) -> Aligned:
    """The one head of a photo, or the one chosen by `head`, cut out upright as the model sees heads.

    Raises InputError if the photo cannot be read, and as `head_in` does.
    """
    photo = read_photo(path)
    found = head_in(photo, bundle, head, str(path))
    view = cut_views([photo], (found,), bundle.info.generator.resolution, bundle.info.camera)
    return Aligned(view, found.confidence, round(math.degrees(found.roll)))


def find_heads(bundle: Bundle, photo: Tensor) -> Located:
    """All heads of a photo [3,H,W]; a grey photo is also searched in skin colours, which aligners are trained on, and one
    that a face fills within a plain margin, since what lies outside of a photo looks like its border drawn out."""
    looks = [photo]
    if float((photo - photo.mean(0)).abs().max()) < _COLOURLESS:
        looks += [photo.add(1.0).div(2.0) ** torch.tensor(tint)[:, None, None] * 2.0 - 1.0 for tint in _TINTS]
    faces = faces_of(bundle)
    for look in looks:
        found = search(bundle.aligner, look, faces=faces)
        if len(found):
            return found
    found = _search_framed(bundle.aligner, looks[-1], faces)
    return found if len(found) else search_turned(bundle.aligner, looks[-1], faces=faces)


def _search_framed(aligner: Aligner, photo: Tensor, faces: Faces | None) -> Located:
    """The heads of a photo, searched for within a plain grey margin."""
    margin = round(_MARGIN * min(photo.shape[1:]))
    found = search(aligner, F.pad(photo, [margin] * 4), faces=faces)
    found = found[found.confidence >= _CONFIDENT_FRAMED]
    return found.with_crops(replace(found.crops, center=found.crops.center - margin))
