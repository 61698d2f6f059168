"""The closed mesh: marching cubes on the density field, with the colours of the radiance field at its vertices."""

from __future__ import annotations

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy.ndimage import grey_closing
from skimage.filters import gaussian
from skimage.measure import marching_cubes

from inv3d.core.errors import InputError
from inv3d.core.generator import Generator, Scene
from inv3d.core.head import Head
from inv3d.export.decimate import decimate, without_small_parts

_SMALLEST_PART = 0.02  # of the largest part's faces; smaller parts are floating debris
_CLEARANCE = 0.01  # of a cell: how near a vertex may come to a corner of the grid
_NARROW = 0.014  # of the grid's side: half as wide as tunnels that are filled
_STEEPNESS = 0.02  # of the field's range: how much the cutting plane's field grows within a cell
_SHOWN = 0.92  # of the height of pictures, at their centre, in which a head is seen from all sides
_STAND = 0.05  # of a head's height that is cut off at least, so that it stands


@torch.no_grad()
def extract_mesh(head: Head, resolution: int = 144, triangles: int = 60_000, flat: bool = False) -> trimesh.Trimesh:
    """The head's surface, y up and facing +z, in the generator's world units, from the code of the frontal view.

    A closed manifold of at most `triangles` triangles (4 or more), wound outwards. It ends in a plane on which it can stand:
    with `flat` at the neck, otherwise where pictures end. Raises InputError if the density has no surface.
    """
    generator, info = head.generator, head.bundle.info
    scene = _frontal_scene(head)
    level = generator.levels(scene, resolution)[0].cpu().numpy()
    # voxel-sized ripples are noise of the field, not part of the head
    level = _without_tunnels(gaussian(level, 0.7, mode="nearest", preserve_range=True))
    # the generator has learned nothing of what lies below its pictures
    lowest = _SHOWN * info.radius / (2 * info.focal)
    cut = max(0, round((0.5 - lowest / generator.box) * resolution))
    if flat and (level > 0.0).any():
        cut = max(cut, neck(level > 0.0))
    if cut:
        above = np.arange(resolution) - cut + 0.5  # cells above the cut
        level = np.minimum(level, above[:, None] * (_STEEPNESS * float(np.ptp(level))))
    # a rim of empty cells closes the mesh where the volume ends
    padded = np.pad(level, 1, constant_values=min(float(level.min()), -1.0))
    if not padded.max() > 0.0:
        raise InputError("the head has no surface", "make the head again with more steps")
    cell = generator.box / resolution
    # grid axes are z, y, x; the first cell of the unpadded grid is centred half a cell inside the box
    cells, found = _isosurface(padded)
    points = (cells[:, ::-1] - 1.0 + 0.5) * cell - generator.box / 2
    mesh = trimesh.Trimesh(points, found[:, ::-1], process=False)
    mesh = decimate(without_small_parts(mesh, _SMALLEST_PART), triangles)
    if cut:
        plane = cut * cell - generator.box / 2
        mesh.vertices[mesh.vertices[:, 1] < plane + cell / 4, 1] = plane  # fewer triangles leave it a little
    return _coloured(generator, scene, mesh)


@torch.no_grad()
def coarser(head: Head, mesh: trimesh.Trimesh, triangles: int) -> trimesh.Trimesh:
    """A mesh of `head` with at most `triangles` triangles (4 or more), with the colours of the head at its vertices."""
    return _coloured(head.generator, _frontal_scene(head), decimate(mesh, triangles))


def _frontal_scene(head: Head) -> Scene:
    front = head.frontal()
    return front.scene(front.track.codes)


def _coloured(generator: Generator, scene: Scene, mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """A mesh, with the colours of the radiance field at its vertices."""
    located = torch.tensor(np.array(mesh.vertices), dtype=torch.float32, device=generator.device)
    colors = torch.cat([generator.surface(scene, part[None]).colors[0] for part in located.split(32768)])
    rgba = torch.cat([colors.clamp(0, 1), torch.ones_like(colors[:, :1])], 1).mul(255).round().byte().cpu().numpy()
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=rgba)
    return mesh


def head_width(mesh: trimesh.Trimesh) -> float:
    """How wide the head of a mesh is: from side to side above the middle of the face, hair and ears included."""
    upper = mesh.vertices[mesh.vertices[:, 1] > 0]
    return float(np.ptp((upper if len(upper) else mesh.vertices)[:, 0]))


def _without_tunnels(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """A field without tunnels and slits as narrow as those of a mouth that is a little open: laid flat, their walls would take
    most of a texture."""
    size = 2 * round(_NARROW * len(level)) + 1
    closed: NDArray[np.float32] = grey_closing(level, size=(size, size, size), mode="nearest")
    return closed


def neck(inside: NDArray[np.bool_]) -> int:
    """The row of cells above which a head (axes z, y, x; y up) is cut off: its narrowest below the middle of the grid,
    and at least a little above its lowest."""
    areas = inside.sum((0, 2))
    rows = np.flatnonzero(areas)
    lowest = int(rows[0] + _STAND * (rows[-1] - rows[0]))
    below = areas[lowest : max(len(areas) // 2, lowest + 1)]
    return lowest + int(below.argmin())


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
