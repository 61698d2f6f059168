"""The textured mesh of a head: its surface, cut open and painted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray

from inv3d.core.camera import Camera
from inv3d.core.counting import Counted, uncounted
from inv3d.core.head import Head
from inv3d.core.views import Views
from inv3d.export.raster import project, rasterise, sample
from inv3d.export.sides import shots
from inv3d.export.texture import bake, bake_vertices
from inv3d.export.unwrap import Unwrapped, unwrap

FINER = 4  # the texture goes all around the head
_LEAST = 64  # pixels per side of the renders that even a small texture is baked from
_SUPERSAMPLING = 2


@dataclass(frozen=True)
class TexturedMesh:
    """A closed `mesh` (y up, facing +z), the same cut open, and its `texture` [S,S,3] in sRGB."""

    mesh: trimesh.Trimesh
    unwrapped: Unwrapped
    texture: NDArray[np.uint8]

    def scaled(self, factor: float) -> TexturedMesh:
        """The same, `factor` times as large."""
        return dataclasses.replace(self, mesh=self.mesh.copy().apply_scale(factor))


def paint(head: Head, mesh: trimesh.Trimesh, photos: Views | None = None, size: int | None = None) -> TexturedMesh:
    """A mesh of `head` with a texture of `size` pixels a side (default: four times that of the model's pictures), from
    aligned `photos` and the head's own renders."""
    return paint_each(head, [mesh], photos, size)[0]


def paint_each(
    head: Head, meshes: Sequence[trimesh.Trimesh], photos: Views | None = None, size: int | None = None,
    counted: Counted = uncounted,
) -> list[TexturedMesh]:  # fmt: skip
    """The same for several meshes of `head`, which share the renders; these and the textures are counted."""
    full = head.generator.raw_resolution
    size = size or FINER * head.generator.resolution
    pictures = shots(head, photos, min(full, max(size // FINER, _LEAST)))
    counted(1, 1 + len(meshes))
    painted = []
    for mesh in meshes:
        opened = unwrap(mesh)
        painted.append(TexturedMesh(mesh, opened, bake(mesh, opened, pictures, size)))
        counted(1 + len(painted), 1 + len(meshes))
    return painted


def paint_vertices(head: Head, meshes: Sequence[trimesh.Trimesh], photos: Views | None = None) -> None:
    """Give the vertices of several meshes of `head` the colours that their textures would have."""
    pictures = shots(head, photos)
    for mesh in meshes:
        mesh.visual.vertex_colors[:, :3] = bake_vertices(mesh, pictures)  # type: ignore[union-attr]


def picture(textured: TexturedMesh, camera: Camera, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What one camera sees of a mesh, unlit: colours [size,size,3] in [0,1] and which pixels it covers wholly."""
    fine = size * _SUPERSAMPLING
    points, triangles = np.asarray(textured.mesh.vertices, np.float64), textured.unwrapped.triangles
    seen = project(points[textured.unwrapped.origin], camera)
    raster = rasterise(seen.places * fine, triangles, (fine, fine), seen.depth)
    colors = np.zeros((fine, fine, 3), np.float32)
    uv = raster.interpolate(triangles, textured.unwrapped.uv)
    colors[raster.covered] = sample(textured.texture, uv * [1, -1] + [0, 1]) / np.float32(255)
    blocks = (size, _SUPERSAMPLING, size, _SUPERSAMPLING)
    whole = np.asarray(raster.covered.reshape(blocks).all((1, 3)))
    return colors.reshape(*blocks, 3).mean((1, 3)), whole
