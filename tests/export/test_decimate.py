from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from inv3d.export.decimate import as_manifold, decimate, without_small_parts
from tests.export.surfaces import faults

FAULTY = Path(__file__).parents[3] / "shared" / "faults" / "nonmanifold.glb"
TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def volume(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> float:
    return float(np.linalg.det(points[triangles]).sum() / 6)


def parts(triangles: NDArray[np.int64]) -> int:
    return trimesh.Trimesh(np.zeros((triangles.max() + 1, 3)), triangles, process=False).body_count


def bumpy(seed: int = 0) -> trimesh.Trimesh:
    """A ball with bumps and a small ring through it: closed, two parts, one of them with a hole."""
    random = np.random.default_rng(seed)
    ball = trimesh.creation.icosphere(4)
    ball.vertices += 0.02 * random.normal(size=ball.vertices.shape)
    ring = trimesh.creation.torus(0.5, 0.1, major_sections=24, minor_sections=12)
    ring.apply_translation((2.0, 0.0, 0.0))
    return ball + ring


def test_a_sound_surface_stays_as_it_is():
    ball = trimesh.creation.icosphere(2)
    points, triangles = as_manifold(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert (points[triangles] == ball.triangles).all() and faults(points, triangles) == []


def test_two_solids_that_touch_along_an_edge_become_one():
    """Four faces share the edge from 0 to 1."""
    points = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0.5], [1, 1, 0.5], [-1, 0, 0.5], [-1, -1, 0.5]], float)
    first, second = (np.array([0, 1, 2, 3])[TETRAHEDRON], np.array([0, 1, 4, 5])[TETRAHEDRON])
    triangles = np.concatenate([first, second])
    assert volume(points, first) > 0 and volume(points, second) > 0
    assert "edges without two faces" in faults(points, triangles)
    mended = as_manifold(points, triangles)
    assert faults(*mended) == [] and parts(mended[1]) == 1
    assert volume(*mended) == pytest.approx(volume(points, triangles), rel=0.05)
    assert len(mended[1]) == len(triangles) + 2


def test_two_solids_that_touch_at_a_vertex_are_parted():
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 0, 1], [-1, 0, 0], [-1, 1, 0], [-1, 0, -1]], float)
    triangles = np.concatenate([np.array(corners)[TETRAHEDRON] for corners in ([0, 1, 2, 3], [0, 4, 5, 6])])
    assert faults(points, triangles) == ["vertices with several fans of faces"]
    mended = as_manifold(points, triangles)
    assert faults(*mended) == [] and parts(mended[1]) == 2 and len(mended[1]) == 8


def test_faces_back_to_back_go():
    ball = trimesh.creation.icosphere(1)
    flap = np.array([[3, 7, 11], [7, 3, 11]])
    triangles = np.concatenate([ball.faces[:10], flap, ball.faces[10:]])
    points, mended = as_manifold(np.asarray(ball.vertices), triangles)
    assert faults(points, mended) == [] and len(mended) == len(ball.faces)


@pytest.mark.parametrize("seed", range(40))
def test_what_careless_collapses_leave_becomes_a_manifold(seed):
    """Edges collapse, and vertices anywhere are joined, with no regard to what they tear."""
    random = np.random.default_rng(seed)
    shape = trimesh.creation.icosphere(2) if seed % 2 else trimesh.creation.torus(1, 0.3, 16, 8)
    points = shape.vertices + 0.01 * random.normal(size=shape.vertices.shape)
    triangles = np.asarray(shape.faces)
    for step in range(12):
        kept, gone = triangles[random.integers(len(triangles))][:2] if step % 3 else random.choice(triangles.max(), 2)
        triangles = np.where(triangles == gone, kept, triangles)
        triangles = triangles[(triangles != np.roll(triangles, 1, 1)).all(1)]
    assert faults(points, triangles) != []
    mended = as_manifold(points, triangles)
    assert set(faults(*mended)) <= {"faces without area"}
    assert volume(*mended) == pytest.approx(volume(points, triangles), rel=0.1)


@pytest.mark.parametrize("faces", [4, 5, 6, 7, 8, 12, 20, 33, 39, 40, 41, 50, 64, 100, 200, 777, 2000, 5000, 100_000])
def test_every_number_of_faces_gives_a_closed_manifold(faces):
    mesh = bumpy()
    fewer = decimate(mesh, faces)
    assert 4 <= len(fewer.faces) <= faces
    assert faults(fewer.vertices, fewer.faces) == []
    assert fewer.volume > 0
    if faces >= 777:
        assert len(fewer.faces) > 0.97 * min(faces, len(mesh.faces)) and fewer.body_count == 2
        assert fewer.volume == pytest.approx(mesh.volume, rel=0.02)


def test_what_floats_and_what_is_hollow_goes():
    ball, hollow, speck = (trimesh.creation.icosphere(n, radius) for n, radius in ((4, 1.0), (3, 0.5), (0, 0.1)))
    hollow.invert()
    speck.apply_translation((2.0, 0.0, 0.0))
    kept = without_small_parts(speck + ball + hollow, 0.02)
    assert len(kept.faces) == len(ball.faces) and kept.volume == pytest.approx(ball.volume)


def test_slivers_that_collapses_cut_off_go():
    ball = trimesh.creation.icosphere(3)
    sliver = trimesh.Trimesh(np.array([[2, 0, 0], [2, 1, 0], [2.1, 0, 0], [2, 0, 1e-5]]), TETRAHEDRON, process=False)
    kept = without_small_parts(ball + sliver)
    assert len(kept.faces) == len(ball.faces) and len(kept.vertices) == len(ball.vertices)


@pytest.mark.skipif(not FAULTY.is_file(), reason="needs the folder of faulty files")
def test_the_faulty_mesh_is_mended():
    mesh = trimesh.load_mesh(FAULTY, process=False)
    points, triangles = as_manifold(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    assert set(faults(points, triangles)) <= {"faces without area", "vertices in the same place"}
    assert len(triangles) < len(mesh.faces) + 20
