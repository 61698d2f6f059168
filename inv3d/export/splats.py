"""Gaussian splats of a head: one for each triangle of its mesh, with colours fitted to the head's own renders.

A splat has the centre and the spread of its triangle, and is thin across it. What a camera sees of splats is linear in
their colours; so these are fitted by a few steps of Landweber's method, as in tomography.

Sources: Kerbl et al. 2023, *3D Gaussian Splatting for Real-Time Radiance Field Rendering*; Zwicker et al. 2001, *EWA Volume
Splatting*.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.transform import Rotation
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.counting import Counted, uncounted
from inv3d.core.files import write_whole
from inv3d.export.formats import unlike
from inv3d.export.raster import pixels_of
from inv3d.export.texture import Shot, colors_of

MOST = 100_000
"""Splats of a head at the most."""
_SPREAD = 1.6  # of a splat, in standard deviations of its triangle: neighbours overlap without blurring
_THINNEST = 0.12  # standard deviation across and least along a triangle, of the typical one along it
_OPACITY = 0.96
_DILATION = 0.3  # variance in square pixels that renderers of splats add to each
_FAINTEST = 1 / 255
_SOLID = 0.9  # coverage of a pixel that shows no background
_LARGEST = 256  # pixels per side of pictures that colours are fitted to
_STEPS = 12
_TURN = np.diag([1.0, -1.0, -1.0])
Y00 = 0.28209479177387814
"""The spherical harmonic of degree 0."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Splats:
    """N splats: `centers` [N,3], `axes` [N,3,3] (the columns are unit vectors), standard deviations `scales` [N,3] along
    these, `colors` [N,3] in sRGB, `opacities` [N]."""

    centers: Floats
    axes: Floats
    scales: Floats
    colors: Floats
    opacities: Floats

    def __len__(self) -> int:
        return len(self.centers)

    def scaled(self, factor: float) -> Splats:
        """The same, `factor` times as large."""
        return dataclasses.replace(self, centers=self.centers * factor, scales=self.scales * factor)


def splats_of(mesh: trimesh.Trimesh) -> Splats:
    """One splat for each triangle of a mesh with coloured vertices."""
    corners = np.asarray(mesh.triangles, np.float64)
    centers = corners.mean(1)
    offsets = corners - centers[:, None]
    variances, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", offsets, offsets) / 12)
    axes[..., 0] *= np.sign(np.linalg.det(axes))[:, None]  # a rotation, not a reflection
    scales = _SPREAD * np.sqrt(variances.clip(0))
    scales = np.maximum(scales, _THINNEST * np.median(scales[:, 2]))
    colors = colors_of(mesh)[mesh.faces, :3].mean(1) / 255
    return Splats(centers, axes, scales, colors, np.full(len(centers), _OPACITY))


def visible(splats: Splats, camera: Camera, size: int) -> sparse.csr_array:
    """How much each splat contributes to each pixel of a picture, [size*size,N]: a row sums up to the coverage of its
    pixel."""
    pose, lens = (matrix[0].double().cpu().numpy() for matrix in (camera.cam2world, camera.intrinsics))
    local = (splats.centers - pose[:3, 3]) @ pose[:3, :3]
    x, y, z = local.T
    places = (local @ lens.T)[:, :2] / z[:, None] * size
    # the derivative of a place in the picture by the place in space, along the axes of each splat
    slopes = np.zeros((len(splats), 2, 3))
    slopes[:, 0, 0], slopes[:, 0, 1], slopes[:, 1, 1] = lens[0, 0], lens[0, 1], lens[1, 1]
    slopes[:, :, 2] = -np.stack([lens[0, 0] * x + lens[0, 1] * y, lens[1, 1] * y], 1) / z[:, None]
    spread = slopes * (size / z)[:, None, None] @ pose[:3, :3].T @ splats.axes * splats.scales[:, None]
    covariance = spread @ spread.transpose(0, 2, 1) + _DILATION * np.eye(2)
    rows, pixels, alpha = _footprints(places, covariance, splats.opacities, size)
    order = np.lexsort((z[rows], pixels))
    rows, pixels, alpha = rows[order], pixels[order], alpha[order]
    # what passes all splats in front, within each pixel
    passed = np.cumsum(np.log1p(-alpha))
    before = np.append(0.0, passed[:-1])
    starts = np.flatnonzero(np.append(True, np.diff(pixels) > 0))
    offset = np.repeat(before[starts], np.diff(np.append(starts, len(pixels))))
    weights = alpha * np.exp(before - offset)
    return sparse.coo_array((weights.astype(np.float32), (pixels, rows)), (size * size, len(splats))).tocsr()


def _footprints(
    places: Floats, covariance: Floats, opacities: Floats, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Splats, pixels and opacities of all pairs that are not too faint."""
    radius = 3.0 * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    first = np.ceil(places - radius - 0.5).clip(0, size).astype(np.int64)
    last = np.floor(places + radius - 0.5).clip(-1, size - 1).astype(np.int64)
    spans = (last - first + 1).clip(0)
    rows, x, y = pixels_of(np.arange(len(places)), first, spans)
    away_x, away_y = x + 0.5 - places[rows, 0], y + 0.5 - places[rows, 1]
    a, b, c = np.linalg.inv(covariance).reshape(-1, 4)[:, [0, 1, 3]].T
    power = a[rows] * away_x**2 + 2 * b[rows] * away_x * away_y + c[rows] * away_y**2
    alpha = opacities[rows] * np.exp(-power / 2)
    kept = alpha > _FAINTEST
    return rows[kept], (y * size + x)[kept], alpha[kept].clip(max=0.99)


def fit_colors(splats: Splats, shots: Sequence[Shot], counted: Counted = uncounted) -> Splats:
    """Splats with the colours that reproduce the `shots` best, where these can be trusted; the shots are counted."""
    parts, targets = [], []
    for shot in shots:
        size = min(len(shot.image), _LARGEST)
        image, trust = (_resized(map_, size).reshape(size * size, -1) for map_ in (shot.image, shot.trust[..., None]))
        weights = visible(splats, shot.camera, size)
        # elsewhere the background shows through
        rows = np.flatnonzero((trust[:, 0] > 0) & (np.asarray(weights.sum(1)) > _SOLID))
        parts.append(weights[rows])
        targets.append(image[rows])
        counted(len(targets), len(shots))
    matrix, target = sparse.vstack(parts).tocsr(), np.concatenate(targets)
    rates = 1.0 / np.maximum(np.asarray(matrix.sum(0)), 0.1)[:, None]
    colors = splats.colors
    for _ in range(_STEPS):
        colors = (colors + rates * (matrix.T @ (target - matrix @ colors))).clip(0, 1)
    return dataclasses.replace(splats, colors=colors)


def _resized(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """A picture [H,W,C] with `size` pixels a side."""
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    resized: NDArray[np.float32] = F.interpolate(image, (size, size), mode="area")[0].permute(1, 2, 0).numpy()
    return resized


def picture(splats: Splats, camera: Camera, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What one camera sees: colours [size,size,3] in [0,1] and which pixels the splats cover."""
    weights = visible(splats, camera, size)
    colors, coverage = weights @ splats.colors, np.asarray(weights.sum(1))
    return (
        (colors / np.maximum(coverage, _FAINTEST)[:, None]).reshape(size, size, 3).astype(np.float32),
        (coverage > _SOLID).reshape(size, size),
    )


def write_splats(splats: Splats, path: Path, replace: bool = False) -> None:
    """Write a PLY file and open it again. Raises UsageError if it exists and may not be replaced, Inv3dError if it does not
    contain what was written, OSError."""
    with write_whole(path, replace) as part:
        part.write_bytes(_ply(splats))
        read: Any = trimesh.load(io.BytesIO(part.read_bytes()), file_type="ply")
        if not np.allclose(read.vertices, splats.centers @ _TURN, rtol=1e-5, atol=1e-6):
            raise unlike(path)


def _ply(splats: Splats) -> bytes:
    """The standard PLY of splats, with y down and z forward as in the scenes that viewers are made for: centres, colours as
    spherical harmonics of degree 0, logarithms of scales, quaternions (w first), and opacities before the sigmoid."""
    quaternions = Rotation.from_matrix(_TURN @ splats.axes).as_quat(scalar_first=True)
    columns = {
        **dict(zip("xyz", (splats.centers @ _TURN).T, strict=True)),
        **dict.fromkeys(("nx", "ny", "nz"), np.zeros(len(splats))),
        **{f"f_dc_{i}": (splats.colors[:, i] - 0.5) / Y00 for i in range(3)},
        "opacity": np.log(splats.opacities / (1 - splats.opacities)),
        **{f"scale_{i}": np.log(splats.scales[:, i]) for i in range(3)},
        **{f"rot_{i}": column for i, column in enumerate(quaternions.T)},
    }
    properties = "".join(f"property float {name}\n" for name in columns)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(splats)}\n{properties}end_header\n"
    return header.encode() + np.stack(list(columns.values()), 1).astype("<f4").tobytes()
