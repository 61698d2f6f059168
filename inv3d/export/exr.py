"""Depth as OpenEXR, which compositors and renderers read; needs the extra `exr`."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from inv3d.core.errors import UsageError
from inv3d.export.maps import on_head

CHANNEL = "Z"
"""The name that OpenEXR gives to depth."""


def openexr() -> Any:
    """The package `OpenEXR`. Raises UsageError if it is not installed."""
    try:
        import OpenEXR
    except ImportError as error:
        raise UsageError(
            "writing .exr needs OpenEXR, which is not installed",
            "install it with: pip install 'inv3d[exr]', or write a 16-bit .png file",
        ) from error
    return OpenEXR


def write_depth_exr(path: Path, depth: Tensor, alpha: Tensor) -> None:
    """Write distances [1,R,R] along the rays in world units as the 32-bit channel Z of an OpenEXR file, over what is at
    `path`, with 0 where there is no head. Raises UsageError without the package, OSError."""
    exr = openexr()
    values = np.ascontiguousarray(on_head(depth, alpha)[0].float().cpu().numpy())
    header = {
        "compression": exr.ZIP_COMPRESSION,
        "type": exr.scanlineimage,
        "comments": "depth along the ray in world units; 0 is no head",
    }
    with tempfile.TemporaryDirectory() as name:
        # its errors do not say whether the disk is full; those of Python do
        made = Path(name, "depth.exr")
        try:
            with exr.File(header, {CHANNEL: values}) as file:
                file.write(str(made))
        except RuntimeError as error:
            raise OSError(errno.EIO, f"OpenEXR failed in {name}") from error
        path.write_bytes(made.read_bytes())
