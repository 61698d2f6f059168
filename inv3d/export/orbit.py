"""The orbit video: the head turning from side to side."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from inv3d.core.counting import Counted, counting, uncounted
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.inversion.settings import OutputSettings
from inv3d.core.views import to_array
from inv3d.export.background import KEEP, Background
from inv3d.video.write import write_mp4


def write_orbit(
    head: Head, path: Path, frames: int = OutputSettings.orbit_frames, resolution: int | None = None, size: int = 512,
    background: Background = KEEP, counted: Counted = uncounted,
) -> tuple[list[float], list[NDArray[np.uint8]]]:
    """Swing once through the yaws from which the head is shown, past its frames, there and back, and write an mp4 of `size` pixels. Returns
    the yaws (radians, ascending) of the way there, and its pictures [size,size,3].

    `resolution` is that of the rays (default: what the head needs). The way back shows the same pictures as the way
    there, so half of `frames` are rendered.
    """
    half = frames // 2
    low, high = head.shown_range
    phase = torch.arange(half + 1) * (math.pi / half)
    yaw = (low + high) / 2 - (high - low) / 2 * torch.cos(phase)

    def picture(render: Render) -> NDArray[np.uint8]:
        shown = background.opaque.show(render)[None]
        return to_array(F.interpolate(shown, (size, size), mode="bicubic", align_corners=False)[0])

    cameras, fine = head.camera(yaw, head.level(yaw)), head.finest or head.generator.resolution
    images = head.render_each(cameras, counting(picture, counted, half + 1), resolution or head.rays, size=fine, sparse=True)
    write_mp4(path, images + images[-2:0:-1])
    return yaw.tolist(), images
