"""The drawn people that tests look at; `benchmarks/make_test_pictures.py` draws them."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from inv3d.core.turn import Turn
from inv3d.video.decode import frames

FOLDER = Path(__file__).parent / "data" / "people"
CLIP = FOLDER / "turn.mp4"
TURN = Turn(seed=519, frames=28, fps=10, width=320, height=180, crop=116.0)
"""The path of the clip."""


@functools.cache
def stills() -> list[NDArray[np.uint8]]:
    """The frames of the clip [180,320,3]."""
    return [frame.image for frame in frames(CLIP)]


def still(frame: int) -> NDArray[np.uint8]:
    return stills()[frame].copy()


def other() -> NDArray[np.uint8]:
    """Another person [180,320,3], in the middle of the same turn."""
    return np.array(Image.open(FOLDER / "other.jpg"))


def portraits(*names: str) -> torch.Tensor:
    """Aligned portraits [N,3,128,128] in [-1,1]: "front-711" to "front-716", "side-711" to "side-716" and, from yaw 0.2 and
    pitch 0.05, "photo-900" to "photo-903"."""
    pixels = np.stack([np.array(Image.open(FOLDER / f"{name}.jpg")) for name in names])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1.0
