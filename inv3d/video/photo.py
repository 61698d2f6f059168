"""The head in a photo, cut out as a model sees heads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.crops import Crops, cut
from inv3d.core.errors import InputError
from inv3d.core.views import Views
from inv3d.video.choose import HeadChoice, choose
from inv3d.video.detect import detector
from inv3d.video.locate import Located, search, search_turned
from inv3d.video.picture import read_picture
from inv3d.video.track import SEARCH_SIDE

_SMALLEST_HEAD = 40  # side in pixels of the crop around a head; smaller crops show too little
_COLOURLESS = 0.02  # largest distance of a channel from grey
_TINTS = ((0.8, 1.0, 1.2), (0.5, 1.0, 1.6))
"""Exponents of red, green and blue that give grey the colours of skin, faintly and strongly."""


@dataclass(frozen=True)
class Aligned:
    """A head cut out of a photo: `image` [1,3,R,R] in [-1,1], the `camera` that sees it so, the aligner's `confidence`,
    and by how many degrees (clockwise) the head lay rolled in the photo."""

    image: Tensor
    camera: Camera
    confidence: float
    rolled: int = 0

    @property
    def view(self) -> Views:
        return Views(self.image, self.camera, (0,), (0.0,))


def align_photo(path: Path, bundle: Bundle, head: HeadChoice | None = None) -> Aligned:
    """The one head of a photo, or the one chosen by `head`, cut out upright as the model sees heads.

    Raises InputError if there is none, if it is not clear which one is meant, or if it is too small.
    """
    picture = read_picture(path)
    photo = picture.image
    height, width = photo.shape[-2:]
    shrink = min(1.0, SEARCH_SIDE / min(height, width))
    size = (round(height * shrink), round(width * shrink))
    small = F.interpolate(photo[None], size, mode="area")[0] if shrink < 1.0 else photo
    scale = (width / size[1], height / size[0])
    found = find_heads(bundle, small)
    if not len(found):
        raise InputError(
            f"no head was found in {path}",
            "use a photo of one head that faces the camera roughly and is hardly cut off",
        )
    found = choose(found, head, (scale[0] * picture.scale, scale[1] * picture.scale), str(path))
    crops = Crops(
        found.crops.center * torch.tensor(scale), found.crops.size * math.sqrt(scale[0] * scale[1]), found.crops.roll
    )
    if float(crops.size) < _SMALLEST_HEAD:
        raise InputError(
            f"the head in {path} is only about {float(crops.size) / 2:.0f} pixels high", "use a larger photo"
        )
    image = cut(photo, crops, bundle.info.generator.resolution)
    camera = bundle.info.camera(found.alignment.yaw, found.alignment.pitch)
    return Aligned(image, camera, float(found.confidence[0]), round(math.degrees(float(crops.roll))))


def find_heads(bundle: Bundle, photo: Tensor) -> Located:
    """All heads of a photo [3,H,W]; a grey photo is also searched in skin colours, which aligners are trained on."""
    looks = [photo]
    if float((photo - photo.mean(0)).abs().max()) < _COLOURLESS:
        looks += [photo.add(1.0).div(2.0) ** torch.tensor(tint)[:, None, None] * 2.0 - 1.0 for tint in _TINTS]
    detect = detector(bundle.info)
    for look in looks:
        found = search(bundle.aligner, look, detect=detect)
        if len(found):
            return found
    return search_turned(bundle.aligner, looks[-1], detect=detect)
