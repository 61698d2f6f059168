"""How well a frame shows its head: light, sharpness, whether the picture cuts it off, and reflections by the eyes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from skimage.measure import blur_effect
from torch import Tensor

from inv3d.core.crops import Crops, cut, sampling_grid

_SIZE = 128
"""Pixels per side of the crop that is looked at; the generator's own crop, in which faces have their fixed place."""
_FACE = (slice(40, 100), slice(40, 88))
"""Rows and columns of the face in it."""
_EYES = (slice(48, 68), slice(36, 92))
_HEAD = slice(20, 108)
"""Rows and columns of the head with its hair and its chin."""
_WHITE = 0.96


@dataclass(frozen=True)
class Quality:
    """All from 0 to 1: the median `light` of the face, its `blur` (Crete et al. 2007), the part of the head `inside` the
    picture, and the part of the surroundings of the eyes that is white from `glare`."""

    light: float
    blur: float
    inside: float
    glare: float


def quality(image: Tensor, crops: Crops) -> Quality:
    """Of the head in one crop of an image [3,H,W] in [-1,1]."""
    seen = cut(image, crops, _SIZE)[0].add(1.0).div(2.0).clamp(0.0, 1.0)
    grey = (seen * torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(0)
    grid = sampling_grid(crops, _SIZE, *image.shape[-2:])[0, _HEAD, _HEAD]
    white = seen.amin(0)[_EYES] > _WHITE
    return Quality(
        light=float(grey[_FACE].median()),
        blur=_blur(grey[_HEAD, _HEAD]),
        inside=float((grid.abs() <= 1.0).all(-1).float().mean()),
        glare=float(white.float().mean()),
    )


def _blur(grey: Tensor) -> float:
    """The blur of a grey image [H,W]; 1 for one without any edge, of which the measure is not defined."""
    with np.errstate(invalid="ignore"):
        blur = float(blur_effect(grey.numpy()))
    return blur if math.isfinite(blur) else 1.0
