"""The coloured mesh: marching cubes on the density field, vertex colours from the radiance, and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from skimage.filters import gaussian
from skimage.measure import marching_cubes
from torch import Tensor

from inv3d.core.errors import InputError, Inv3dError
from inv3d.core.head import Head
from inv3d.export.decimate import decimate, without_small_parts

FORMATS = (".glb", ".ply", ".obj", ".stl")
_SMALLEST_PART = 0.02  # of the largest part's faces; smaller parts are floating debris
_CLEARANCE = 0.01  # of a cell: how near a vertex may come to a corner of the grid
_Z_UP = (".ply", ".stl")  # as Blender and 3D printing programs expect; the face looks along -y
_TO_Z_UP = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)


@torch.no_grad()
def extract_mesh(head: Head, resolution: int = 144, faces: int = 60_000) -> trimesh.Trimesh:
    """The head's surface, y up and facing +z, in the generator's world units, from the code of the frontal view.

    A closed manifold of at most `faces` triangles (4 or more), wound outwards. Raises InputError if the density has no
    surface.
    """
    generator = head.generator
    zero = torch.zeros(1, device=generator.device)
    scene = head.scene(head.track.at(head.camera(zero, zero)))
    level = generator.levels(scene, resolution)[0].cpu().numpy()
    # voxel-sized ripples are noise of the field, not part of the head
    level = gaussian(level, 0.7, mode="nearest", preserve_range=True)
    # a rim of empty cells closes the mesh where the volume ends
    padded = np.pad(level, 1, constant_values=min(float(level.min()), -1.0))
    if not padded.max() > 0.0:
        raise InputError("the head has no surface", "make the head again with more steps")
    cell = generator.box / resolution
    # grid axes are z, y, x; the first cell of the unpadded grid is centred half a cell inside the box
    cells, triangles = _isosurface(padded)
    points = (cells[:, ::-1] - 1.0 + 0.5) * cell - generator.box / 2
    mesh = trimesh.Trimesh(points, triangles[:, ::-1], process=False)
    mesh = decimate(without_small_parts(mesh, _SMALLEST_PART), faces)
    located = torch.tensor(np.array(mesh.vertices), dtype=torch.float32, device=generator.device)
    colors = torch.cat([generator.surface(scene, part[None]).colors[0] for part in located.split(32768)])
    rgba = torch.cat([colors.clamp(0, 1), torch.ones_like(colors[:, :1])], 1)
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=_bytes(rgba))
    return mesh


def _isosurface(field: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices in cells and triangles where `field` passes zero. No vertex comes so near to a corner of the grid that
    its triangles lose their area."""
    least = 1e-4 * float(np.ptp(field))
    field = np.where(np.abs(field) < least, np.copysign(least, field), field)
    vertices, triangles, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")
    whole = np.floor(vertices.astype(np.float64))
    part = vertices - whole
    vertices = np.where(part > 0, whole + part.clip(_CLEARANCE, 1 - _CLEARANCE), whole)
    return vertices, triangles.astype(np.int64)


def _bytes(values: Tensor) -> Any:
    return values.mul(255).round().byte().cpu().numpy()


def write_mesh(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write GLB, OBJ, PLY or STL by the suffix, then open the file again and check positions, faces and colours.

    GLB and OBJ are y up with the face looking along +z, PLY and STL (which has no colours) z up along -y, as their
    readers expect. The colours of a GLB are linear 32-bit floats, those of OBJ and PLY sRGB. A GLB names no material:
    where one is named, trimesh drops the colours of vertices.
    Raises Inv3dError if the file does not contain what was written.
    """
    suffix = path.suffix.lower()
    placed = mesh.copy()
    if suffix in _Z_UP:
        placed.apply_transform(_TO_Z_UP)
    if suffix == ".glb":
        path.write_bytes(_glb(placed))
    else:
        placed.export(path, file_type=suffix[1:])
    if not _same(placed, path, suffix):
        raise Inv3dError(
            f"{path.name} does not contain what was written",
            "please report it, with the versions that `inv3d doctor` prints",
        )


def _colors(mesh: trimesh.Trimesh) -> NDArray[np.uint8]:
    """The sRGB colours [V,4] of a mesh's vertices."""
    return np.asarray(mesh.visual.vertex_colors)  # type: ignore[union-attr]


def _linear(colors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB colours [V,4] as linear light in [0,1], as glTF requires for vertices."""
    values = colors / 255.0
    low = values[:, :3] <= 0.04045
    values[:, :3] = np.where(low, values[:, :3] / 12.92, ((values[:, :3] + 0.055) / 1.055) ** 2.4)
    return values.astype(np.float32)


def _glb(mesh: trimesh.Trimesh) -> bytes:
    """trimesh writes colours as bytes, too coarse for linear dark ones: they go in as an attribute of its own first."""
    bare = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    bare.vertex_attributes["_COLOR"] = _linear(_colors(mesh))

    def named(tree: dict[str, Any]) -> None:
        for part in tree["meshes"]:
            for primitive in part["primitives"]:
                primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop("_COLOR")

    return trimesh.exchange.gltf.export_glb(trimesh.Scene(bare), include_normals=True, tree_postprocessor=named)


def _same(mesh: trimesh.Trimesh, path: Path, suffix: str) -> bool:
    """Whether a file contains a mesh, corner by corner; colours may differ by the reader's rounding."""
    read: Any = trimesh.load(path, file_type=suffix[1:], force="mesh", process=False)
    if read.faces.shape != mesh.faces.shape or not np.allclose(read.triangles, mesh.triangles, atol=1e-6):
        return False
    if suffix == ".stl":
        return True
    if read.visual.kind != "vertex":
        return False
    expected: NDArray[Any] = _colors(mesh)
    if suffix == ".glb":
        expected = _linear(_colors(mesh)) * 255
    return bool((np.abs(_colors(read)[read.faces] - expected[mesh.faces].astype(np.float64)) <= 1).all())
