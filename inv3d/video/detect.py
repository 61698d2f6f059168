"""A coarse detector for photographs of faces: OpenCV's cascade, as scikit-image ships it."""

from __future__ import annotations

import functools

import torch
from skimage import data
from skimage.feature import Cascade
from torch import Tensor

from inv3d.core.crops import Crops

_SMALLEST = 32  # pixels; the aligner could not read less
_SIZES = (1.8, 2.2, 2.7)  # sides of FFHQ crops in sides of the cascade's boxes
_LOWER = 0.05  # by which share of the box an FFHQ crop's centre lies below that of the box


@functools.cache
def _cascade() -> Cascade:
    return Cascade(data.lbp_frontal_face_cascade_filename())


def faces(image: Tensor) -> Crops:
    """Crops of several sizes around every frontal face in `image` [3,H,W] in [-1,1]; none if there is none."""
    pixels = image.add(1.0).mul(127.5).clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    largest = min(pixels.shape[:2])
    boxes = []
    if largest > _SMALLEST:
        boxes = _cascade().detect_multi_scale(
            pixels, scale_factor=1.2, step_ratio=1.5, min_size=(_SMALLEST,) * 2, max_size=(largest,) * 2
        )
    places = [(box["c"] + box["width"] / 2, box["r"] + (0.5 + _LOWER) * box["height"], box["width"]) for box in boxes]
    found = [(x, y, factor * side) for x, y, side in places for factor in _SIZES]
    x, y, size = torch.tensor(found).reshape(-1, 3).unbind(1)
    return Crops(torch.stack([x, y], 1), size, torch.zeros(len(size)))
