import numpy as np
import pytest
import trimesh

from inv3d.export.raster import rasterise
from inv3d.export.unwrap import unwrap
from tests.export.textures import ball


def lying(angle: float, **sizes: float) -> trimesh.Trimesh:
    ring = trimesh.creation.torus(0.2, 0.08, major_sections=24, minor_sections=12)
    return ring.apply_transform(trimesh.transformations.rotation_matrix(angle, [1, 0, 0]))


def chain() -> trimesh.Trimesh:
    """Two handles: a block with two holes through it."""
    cells = np.zeros((9, 5, 13), bool)
    cells[1:-1, 1:-1, 1:-1] = True
    cells[3:6, :, 3:5] = cells[3:6, :, 8:10] = False
    return trimesh.voxel.ops.matrix_to_marching_cubes(cells).apply_translation([-4, -2, -6])


SURFACES = {
    "sphere": lambda: ball(2),
    "tetrahedron": lambda: trimesh.creation.icosahedron().convex_hull,
    "box": lambda: trimesh.creation.box((0.3, 0.5, 0.3)),
    "capsule": lambda: trimesh.creation.capsule(0.5, 0.05),
    "ring": lambda: lying(0.3),
    "two handles": chain,
    "three parts": lambda: trimesh.util.concatenate(
        [ball(2), ball(1).apply_translation([0.6, 0, 0]), ball(1).apply_scale(0.3).apply_translation([0, 0.4, 0])]
    ),
}


@pytest.mark.parametrize("name", SURFACES)
def test_every_closed_surface_is_laid_flat_without_overlaps(name):
    mesh = SURFACES[name]()
    opened = unwrap(mesh)
    assert (opened.origin[opened.triangles] == mesh.faces).all()
    assert opened.uv.min() >= 0 and opened.uv.max() <= 1
    a, b, c = np.moveaxis(opened.uv[opened.triangles], 1, 0)
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (areas > 0).all()  # none is turned over
    covered = rasterise(opened.uv * 512, opened.triangles, (512, 512)).covered.mean()
    assert covered == pytest.approx(areas.sum(), abs=0.01)  # none lies on another


def test_the_face_is_upright_in_the_middle_and_the_seam_behind():
    mesh = ball()
    opened = unwrap(mesh)
    points, uv = mesh.vertices[opened.origin], opened.uv
    nose, left = points[:, 2].argmax(), points[:, 0].argmax()
    brow, chin = (np.abs(points - np.array([0, y, 0.17])).sum(1).argmin() for y in (0.1, -0.1))
    assert np.abs(uv[nose] - 0.5).max() < 0.15
    assert uv[brow, 1] > uv[nose, 1] > uv[chin, 1] and uv[left, 0] > uv[nose, 0] + 0.1
    copies = np.bincount(opened.origin)
    assert mesh.vertices[copies > 1][:, 2].max() < 0.05


def test_equal_areas_get_about_equal_shares_of_the_texture():
    mesh = trimesh.creation.capsule(0.3, 0.2)
    opened = unwrap(mesh)
    a, b, c = np.moveaxis(opened.uv[opened.triangles], 1, 0)
    share = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / mesh.area_faces
    share /= np.median(share)
    assert np.quantile(share, 0.02) > 0.3 and np.quantile(share, 0.98) < 3.5
