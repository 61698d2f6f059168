"""One photo in: upright, in RGB, of a size that can be worked with; and the head in it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.crops import Crops, cut
from inv3d.core.errors import InputError
from inv3d.video.detect import detector
from inv3d.video.locate import search
from inv3d.video.track import SEARCH_SIDE

LARGEST_SIDE = 4096
"""Larger photos are shrunk; no generator shows as many pixels."""
_MOST_PIXELS = 300_000_000
_SMALLEST_SIDE = 48
_SMALLEST_HEAD = 40  # pixels of the crop around a head; less says nothing about it
_BEHIND = (127, 127, 127)
"""What lies behind transparent places."""


@dataclass(frozen=True)
class Aligned:
    """A head cut out of a photo: `image` [1,3,R,R] in [-1,1], the `camera` that sees it so, and the aligner's
    `confidence`."""

    image: Tensor
    camera: Camera
    confidence: float


def read_photo(path: Path) -> Tensor:
    """[3,H,W] in [-1,1]: turned as its metadata asks, of any depth and colour space; of an animation the first picture.

    Raises InputError for what is no picture, is damaged, or is too small or too large to work with.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the path")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)", "copy or save the photo again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                _check_size(path, file)
                # JPEGs can be decoded at a fraction of their size
                file.draft("RGB", (LARGEST_SIDE, LARGEST_SIDE))
                return _tensor(_rgb(ImageOps.exif_transpose(_eight_bits(file))))
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path} is not a picture, or it is damaged", "save it as PNG or JPEG, and check that a viewer opens it"
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is damaged or of a kind that cannot be read", "save it again as PNG or JPEG"
        ) from error


def _check_size(path: Path, file: Image.Image) -> None:
    width, height = file.size
    if width * height > _MOST_PIXELS:
        raise _too_large(path)
    if min(width, height) < _SMALLEST_SIDE:
        raise InputError(f"{path} is only {width} x {height} pixels", "give a larger photo")


def _too_large(path: Path) -> InputError:
    return InputError(f"{path} claims more than {_MOST_PIXELS // 10**6} million pixels", "shrink the photo first")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pictures of 16 bits, integers or floats as grey levels of 8 bits; the others as they are."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image).astype(np.float32)
    top = float(values.max())
    largest = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else 65535.0
    grey = Image.fromarray((values / largest * 255.0).round().clip(0, 255).astype(np.uint8))
    grey.info = image.info
    return grey


def _rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        behind = Image.new("RGBA", whole.size, (*_BEHIND, 255))
        return Image.alpha_composite(behind, whole).convert("RGB")
    return image.convert("RGB")


def _tensor(image: Image.Image) -> Tensor:
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(127.5).sub(1.0)


def align_photo(path: Path, bundle: Bundle) -> Aligned:
    """The one head of a photo, cut out as the model sees heads.

    Raises InputError if there is none, if there are several, or if it is too small.
    """
    photo = read_photo(path)
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
