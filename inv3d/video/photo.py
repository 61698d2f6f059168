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
from inv3d.video.detect import detector
from inv3d.video.locate import search
from inv3d.video.picture import read_picture
from inv3d.video.track import SEARCH_SIDE

_SMALLEST_HEAD = 40  # pixels of the crop around a head; less says nothing about it


@dataclass(frozen=True)
class Aligned:
    """A head cut out of a photo: `image` [1,3,R,R] in [-1,1], the `camera` that sees it so, and the aligner's
    `confidence`."""

    image: Tensor
    camera: Camera
    confidence: float


def align_photo(path: Path, bundle: Bundle) -> Aligned:
    """The one head of a photo, cut out as the model sees heads.

    Raises InputError if there is none, if there are several, or if it is too small.
    """
    photo = read_picture(path)
    height, width = photo.shape[-2:]
    shrink = min(1.0, SEARCH_SIDE / min(height, width))
    size = (round(height * shrink), round(width * shrink))
    small = F.interpolate(photo[None], size, mode="area")[0] if shrink < 1.0 else photo
    found = search(bundle.aligner, small, detect=detector(bundle.info))
    scale = torch.tensor([width / size[1], height / size[0]])
    if not len(found):
        raise InputError(
            f"no head is found in {path}",
            "give a photo of one upright head that looks roughly at the camera, not much cut off",
        )
    if len(found) > 1:
        places = " and ".join(f"({x:.0f}, {y:.0f})" for x, y in (found.crops.center[:3] * scale).tolist())
        raise InputError(f"there are {len(found)} heads in {path}, at {places}", "crop the photo to one head")
    crops = Crops(found.crops.center * scale, found.crops.size * math.sqrt(float(scale.prod())), found.crops.roll)
    if float(crops.size) < _SMALLEST_HEAD:
        raise InputError(
            f"the head in {path} is only about {float(crops.size) / 2:.0f} pixels high", "give a larger photo"
        )
    image = cut(photo, crops, bundle.info.generator.resolution)
    camera = bundle.info.camera(found.alignment.yaw, found.alignment.pitch)
    return Aligned(image, camera, float(found.confidence[0]))
