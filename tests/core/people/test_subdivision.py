import numpy as np

from inv3d.core.people.subdivision import catmull_clark


def cube() -> tuple[np.ndarray, np.ndarray]:
    corners = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    return corners, quads


def test_a_cube_becomes_the_known_rounder_one() -> None:
    corners, quads = cube()
    refine, refined = catmull_clark(quads, len(corners))
    points = refine @ corners
    assert points.shape == (8 + 12 + 6, 3) and refined.shape == (24, 4)
    assert np.allclose(np.abs(points[:8]), 5.0 / 9.0)  # Catmull and Clark's rule for a corner of three faces
    assert np.allclose(np.sort(np.abs(points[8:20]), 1), [0.0, 0.75, 0.75])
    assert np.allclose(np.sort(np.abs(points[20:]), 1), [0.0, 0.0, 1.0])


def test_refined_faces_keep_their_side() -> None:
    corners, quads = cube()
    refine, refined = catmull_clark(quads, len(corners))
    points = (refine @ corners)[refined]
    before = np.cross(corners[quads][:, 1] - corners[quads][:, 0], corners[quads][:, 3] - corners[quads][:, 0])
    after = np.cross(points[:, 1] - points[:, 0], points[:, 3] - points[:, 0])
    outward = np.sign((before * corners[quads].mean(1)).sum(1))
    assert np.all(np.sign((after * points.mean(1)).sum(1)) == np.tile(outward, 4))


def test_borders_stay_in_their_plane_and_loose_vertices_where_they_are() -> None:
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    refine, _ = catmull_clark(np.array([[0, 1, 2, 3]]), 5)
    points = refine @ corners
    assert np.allclose(points[4], [5.0, 5.0, 5.0])
    assert np.allclose(points[:, 2][np.arange(len(points)) != 4], 0.0)
    assert np.allclose(points[0], [0.125, 0.125, 0.0])  # a cubic B-spline's (1, 6, 1) / 8
