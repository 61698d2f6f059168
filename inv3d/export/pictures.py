"""Tensors to pictures: PNG files, inline images, contact sheets."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.views import to_array


def save_png(path: Path, image: Tensor) -> None:
    """Write [3,H,W] in [-1,1] as PNG. Raises OSError."""
    path.write_bytes(_png(image))  # imageio would expand a tilde to the home folder


def data_uri(image: Tensor) -> str:
    """[3,H,W] in [-1,1] as a PNG embedded in a data URI."""
    return "data:image/png;base64," + base64.b64encode(_png(image)).decode()


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    imageio.imwrite(buffer, to_array(image), extension=".png")
    return buffer.getvalue()


def to_floats(image: Tensor) -> NDArray[np.float32]:
    """[1,3,H,W] in [-1,1] to [H,W,3] in [0,1]."""
    array: NDArray[np.float32] = image[0].cpu().clamp(-1, 1).add(1).div(2).permute(1, 2, 0).numpy()
    return array


def evenly(count: int, most: int) -> list[int]:
    """Places of at most `most` of `count` things, evenly spaced, with the first and the last."""
    few = min(most, count)
    return [round(i * (count - 1) / max(1, few - 1)) for i in range(few)]


def row(images: list[Tensor]) -> Tensor:
    """Pictures of equal height side by side."""
    return torch.cat(images, 2)


def column(images: list[Tensor]) -> Tensor:
    """Pictures of equal width, one below the other."""
    return torch.cat(images, 1)
