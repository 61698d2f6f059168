"""A small rasteriser: which triangle covers each pixel, and where in it.

Pixels are counted from the top left corner; pixel (x, y) has its centre at (x + 0.5, y + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inv3d.core.camera import Camera

_CANDIDATES = 1 << 21  # pairs of triangle and pixel that are tested at a time

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Raster:
    """`faces` [H,W]: the nearest triangle of each pixel, or -1; `weights` [H,W,3]: the shares of its corners."""

    faces: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def covered(self) -> NDArray[np.bool_]:
        return self.faces >= 0

    def interpolate(self, triangles: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
        """`values` [V,C] of the vertices at the covered pixels [N,C], in row-major order."""
        corners = values[triangles[self.faces[self.covered]]]
        return (corners * self.weights[self.covered][..., None]).sum(1)


@dataclass(frozen=True)
class Projected:
    """Points in a picture: `places` [V,2] with (0, 0) and (1, 1) at its corners, and `depth` [V] along the axis."""

    places: Floats
    depth: Floats


def project(points: Floats, camera: Camera) -> Projected:
    """World `points` [V,3] as one camera sees them; those behind it get a depth that is not positive."""
    pose, lens = (matrix[0].double().cpu().numpy() for matrix in (camera.cam2world, camera.intrinsics))
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    image = local @ lens.T
    return Projected(image[:, :2] / image[:, 2:], local[:, 2])


def rasterise(
    places: Floats, triangles: NDArray[np.int64], size: tuple[int, int], depth: Floats | None = None
) -> Raster:
    """Triangles [F,3] of vertices at `places` [V,2] in pixels, seen from the front and from behind alike.

    With the vertices' `depth` [V] the nearest triangle wins and weights are those of space, not of the picture; all
    depths must be positive. `size` is (height, width).
    """
    height, width = size
    nearness = np.ones(len(places)) if depth is None else 1.0 / depth
    faces = np.full(height * width, -1, np.int64)
    weights = np.zeros((height * width, 3), np.float32)
    nearest = np.full(height * width, -np.inf)
    corners, near_corners = places[triangles.T], nearness[triangles.T]  # corners first: numpy adds up long rows quickly
    # the centres within the box around each triangle
    first = np.ceil(corners.min(0) - 0.5).clip(0, [width, height]).astype(np.int64)
    last = np.floor(corners.max(0) - 0.5).clip(-1, [width - 1, height - 1]).astype(np.int64)
    spans = (last - first + 1).clip(0)
    counts = spans[:, 0] * spans[:, 1]
    for rows in _chunks(counts):
        which, x, y = pixels_of(rows, first, spans)
        shares = _shares(corners[:, which], x + 0.5, y + 0.5)
        within = np.flatnonzero(shares.min(0) >= 0)
        which, pixels = which[within], (y * width + x)[within]
        near = shares[:, within] * near_corners[:, which]
        total = near.sum(0)
        np.maximum.at(nearest, pixels, total)
        front = (total >= nearest[pixels]) & (total > 0)
        pixels = pixels[front]
        faces[pixels], weights[pixels] = which[front], (near[:, front] / total[front]).T
    return Raster(faces.reshape(size), weights.reshape(*size, 3))


def pixels_of(
    rows: NDArray[np.int64], first: NDArray[np.int64], spans: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All pixels of some of the boxes that begin at `first` [F,2] and are `spans` [F,2] wide and high: the box of each, x
    and y."""
    counts = spans[rows, 0] * spans[rows, 1]
    which = np.repeat(rows, counts)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, first[which, 0] + inside % spans[which, 0], first[which, 1] + inside // spans[which, 0]


def _chunks(counts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows with something to test, in groups of about as many tests."""
    rows = np.flatnonzero(counts)
    ends = np.cumsum(counts[rows])
    if not len(rows):
        return []
    return np.split(rows, np.searchsorted(ends, np.arange(_CANDIDATES, int(ends[-1]), _CANDIDATES)) + 1)


def _shares(corners: Floats, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> Floats:
    """Barycentric coordinates [3,N] of places `x`, `y` [N] in triangles `corners` [3,N,2]; negative outside, and where a
    triangle has no area."""
    across, down = corners[..., 0] - x, corners[..., 1] - y
    areas = np.stack([across[i] * down[j] - down[i] * across[j] for i, j in ((1, 2), (2, 0), (0, 1))])
    total = areas.sum(0)
    return np.divide(areas, total, out=np.full_like(areas, -1.0), where=np.abs(total) > 1e-12)


def sample(picture: NDArray[Any], places: Floats) -> NDArray[np.float32]:
    """Bilinear samples [N,C] of a picture [H,W,C] at `places` [N,2] with (0, 0) and (1, 1) at its corners."""
    image = torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32)).permute(2, 0, 1)[None]
    grid = torch.from_numpy(places.astype(np.float32) * 2 - 1)[None, None]
    found = torch.nn.functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T.numpy()
