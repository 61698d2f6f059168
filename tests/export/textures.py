"""Small textured meshes for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from inv3d.export.formats import plain_file
from inv3d.export.texture import bake
from inv3d.export.textured import TexturedMesh
from inv3d.export.unwrap import unwrap


def ball(subdivisions: int = 3) -> trimesh.Trimesh:
    """A sphere of radius 0.2 whose vertices have the colours of a smooth function of their places."""
    made = trimesh.creation.icosphere(subdivisions, 0.2)
    colors = np.concatenate([128 + 500 * made.vertices, np.full((len(made.vertices), 1), 255)], 1).astype(np.uint8)
    return trimesh.Trimesh(made.vertices, made.faces, vertex_colors=colors, process=False)


def write_plain(mesh: trimesh.Trimesh, path: Path, replace: bool = False) -> None:
    with plain_file(mesh, path, replace):
        pass


def textured_ball(size: int = 128) -> TexturedMesh:
    mesh = ball()
    unwrapped = unwrap(mesh)
    return TexturedMesh(mesh, unwrapped, bake(mesh, unwrapped, [], size))
