"""How well a frame shows its head: light, sharpness, whether the picture cuts it off, reflections by the eyes, and whether
these are open."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from skimage.measure import blur_effect
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import look_at
from inv3d.core.crops import Crops, cut, sampling_grid

_SIZE = 128
"""Pixels per side of the crop that is looked at; the generator's own crop, in which faces have their fixed place."""
_FACE = (slice(40, 100), slice(40, 88))
"""Rows and columns of the face in it."""
_EYES = (slice(48, 68), slice(36, 92))
_HEAD = slice(20, 108)
"""Rows and columns of the head with its hair and its chin."""
_WHITE = 0.96
_EYE = (0.053, -0.004, 0.16)
"""Where in the world the left eye of an aligned head is; the right one is its mirror image."""
_ACROSS, _DOWN = 17, 15
"""Pixels of its surroundings that change when it closes, without the brow."""
_FACING = math.radians(8)
"""By how much a head turns until one of its eyes counts three times as much as the other."""


@dataclass(frozen=True)
class Quality:
    """All from 0 to 1: the median `light` of the face, its `blur` (Crete et al. 2007), the part of the head `inside` the
    picture, the part of the surroundings of the eyes that is white from `glare`, and the contrast of the `eyes`: lower where
    they are closed than in other frames from about the same side."""

    light: float
    blur: float
    inside: float
    glare: float
    eyes: float


def quality(image: Tensor, crops: Crops, yaw: Tensor, pitch: Tensor) -> Quality:
    """Of the head in one crop of an image [3,H,W] in [-1,1], turned by `yaw` and `pitch` [1] in radians."""
    seen = cut(image, crops, _SIZE)[0].add(1.0).div(2.0).clamp(0.0, 1.0)
    grey = (seen * torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(0)
    grid = sampling_grid(crops, _SIZE, *image.shape[-2:])[0, _HEAD, _HEAD]
    white = seen.amin(0)[_EYES] > _WHITE
    return Quality(
        light=float(grey[_FACE].median()),
        blur=_blur(grey[_HEAD, _HEAD]),
        inside=float((grid.abs() <= 1.0).all(-1).float().mean()),
        glare=float(white.float().mean()),
        eyes=_contrast_of_eyes(grey, yaw, pitch),
    )


def _contrast_of_eyes(grey: Tensor, yaw: Tensor, pitch: Tensor) -> float:
    """The standard deviation of a grey crop [S,S] around the eyes, above all around the one that the camera faces."""
    left = grey.new_tensor(_EYE)
    places, _ = look_at(yaw, pitch).project(torch.stack([left, left * left.new_tensor([-1.0, 1.0, 1.0])])[None])
    x, y = (torch.arange(count) - count // 2 for count in (_ACROSS, _DOWN))
    around = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) * (2.0 / _SIZE)
    grid = (2.0 * places[0] - 1.0)[:, None, None] + around
    eyes = F.grid_sample(grey.expand(2, 1, -1, -1), grid, padding_mode="border", align_corners=False)
    share = torch.sigmoid(yaw / _FACING)
    return float(torch.cat([share, 1.0 - share]) @ eyes.flatten(1).std(1))


def _blur(grey: Tensor) -> float:
    """The blur of a grey image [H,W]; 1 for one without any edge, of which the measure is not defined."""
    with np.errstate(invalid="ignore"):
        blur = float(blur_effect(grey.numpy()))
    return blur if math.isfinite(blur) else 1.0
