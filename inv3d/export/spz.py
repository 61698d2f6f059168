"""Splats as SPZ, Niantic's compressed file of Gaussian splats: a sixth as large as PLY files.

The file is gzip's, of a header and one array for each property. Version 2 is written, which all readers know. Source: the
description at https://github.com/nianticlabs/spz.
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inv3d.core.files import write_whole
from inv3d.export.formats import unlike
from inv3d.export.splats import Y00, Splats

_HEADER = struct.Struct("<4sIIBBBB")  # magic, version, splats, degree of harmonics, fractional bits, flags, reserved
_MAGIC, _VERSION = b"NGSP", 2
_MOST_BITS = 20  # fractional bits of coordinates, which have 24 bits
_HALF_TURNS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])

Floats = NDArray[np.float64]


def write_spz(splats: Splats, path: Path, replace: bool = False) -> None:
    """Write an SPZ file (y up, facing +z) and open it again. Raises UsageError if it exists and may not be replaced,
    Inv3dError if it does not contain what was written, OSError."""
    with write_whole(path, replace) as part:
        part.write_bytes(_spz(splats))
        if not _contains(part.read_bytes(), splats):
            raise unlike(path)


def _spz(splats: Splats) -> bytes:
    bits = _fractional_bits(splats.centers)
    centers = np.rint(splats.centers * 2.0**bits).astype("<i4").view(np.uint8).reshape(-1, 3, 4)[..., :3]
    properties = (
        splats.opacities * 255,
        (0.15 * (splats.colors - 0.5) / Y00 + 0.5) * 255,
        (np.log(splats.scales) + 10) * 16,
        _quaternions(splats.axes) * 127.5 + 127.5,
    )
    arrays = (centers, *(np.rint(each).clip(0, 255).astype(np.uint8) for each in properties))
    header = _HEADER.pack(_MAGIC, _VERSION, len(splats), 0, bits, 0, 0)
    return gzip.compress(header + b"".join(array.tobytes() for array in arrays), mtime=0)


def _fractional_bits(centers: Floats) -> int:
    """How fine coordinates can be, so that the largest still fits."""
    return min(_MOST_BITS, 22 - math.frexp(float(np.abs(centers).max()))[1])


def _quaternions(axes: Floats) -> Floats:
    """The x, y and z [N,3] of quaternions that turn splats to their `axes` [N,3,3]; w, positive, follows from them.

    A splat looks the same after half a turn about any of its axes. The one with the largest w is taken, 0.5 or more,
    because a small w would be imprecise.
    """
    diagonals = np.diagonal(axes, axis1=1, axis2=2)
    chosen = _HALF_TURNS[(diagonals @ _HALF_TURNS.T).argmax(1)]  # the largest trace, 4 w^2 - 1
    return Rotation.from_matrix(axes * chosen[:, None]).as_quat(canonical=True)[:, :3]


def _contains(data: bytes, splats: Splats) -> bool:
    """Whether a file has the splats' centres, and a byte for each of their other properties."""
    body = gzip.decompress(data)
    magic, version, count, _, bits, _, _ = _HEADER.unpack_from(body)
    if (magic, version, count, len(body)) != (_MAGIC, _VERSION, len(splats), _HEADER.size + 19 * len(splats)):
        return False
    low, middle, high = np.frombuffer(body, np.uint8, 9 * count, _HEADER.size).reshape(-1, 3).T.astype(np.int64)
    centers = (low + (middle << 8) + (high << 16) - (high >> 7 << 24)) / 2.0**bits
    return bool(np.abs(centers.reshape(-1, 3) - splats.centers).max() <= 0.5001 / 2.0**bits)
