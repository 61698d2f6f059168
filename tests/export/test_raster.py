import numpy as np
import pytest
import torch
import trimesh

from inv3d.core.camera import look_at
from inv3d.export import raster as module
from inv3d.export.raster import project, rasterise, sample

SQUARE = np.array([[0.0, 0.0], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def test_two_halves_of_a_square_cover_every_pixel_once():
    raster = rasterise(SQUARE, HALVES, (8, 8))
    assert raster.covered.all()
    y, x = np.mgrid[:8, :8] + 0.5
    places = raster.interpolate(HALVES, SQUARE).reshape(8, 8, 2)
    assert np.abs(places - np.stack([x, y], 2)).max() < 1e-5


def test_the_nearest_triangle_wins_whatever_the_order():
    places = np.array([[0.0, 0.0], [16.0, 0.0], [0.0, 16.0]] * 2)
    for far, near in ((0, 1), (1, 0)):
        depth = np.repeat([3.0, 3.0], 3)
        depth[3 * near : 3 * near + 3] = 2.0
        faces = rasterise(places, np.arange(6).reshape(2, 3), (8, 8), depth).faces
        assert set(faces[faces >= 0]) == {near} and far != near


def test_weights_are_those_of_space_not_of_the_picture():
    """Halfway between a corner at depth 1 and one at depth 3 in the picture is a quarter of the way in space."""
    places = np.array([[0.0, 0.5], [9.0, 0.5], [4.5, 20.0]])
    raster = rasterise(places, np.array([[0, 1, 2]]), (1, 9), np.array([1.0, 3.0, 2.0]))
    assert raster.weights[0, 4, :2] == pytest.approx([0.75, 0.25], abs=1e-6)


def test_what_is_outside_the_picture_or_behind_the_camera_is_left_out():
    assert not rasterise(SQUARE + 100, HALVES, (8, 8)).covered.any()
    assert not rasterise(SQUARE, HALVES, (8, 8), np.full(4, -1.0)).covered.any()
    assert not rasterise(np.zeros((3, 2)) + 4, np.array([[0, 1, 2]]), (8, 8)).covered.any()


def test_many_triangles_are_tested_in_parts(monkeypatch):
    ball = trimesh.creation.icosphere(2)
    camera = look_at(torch.tensor([0.4]), torch.tensor([0.2]))
    seen = project(np.asarray(ball.vertices) * 0.2, camera)
    whole = rasterise(seen.places * 32, ball.faces, (32, 32), seen.depth)
    monkeypatch.setattr(module, "_CANDIDATES", 50)
    parts = rasterise(seen.places * 32, ball.faces, (32, 32), seen.depth)
    assert (whole.faces == parts.faces).all() and whole.covered.sum() > 200


def test_points_are_projected_as_cameras_do():
    camera = look_at(torch.tensor([0.7]), torch.tensor([-0.3]), pivot=(0.01, 0.02, 0.0))
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (20, 3))
    seen = project(points, camera)
    places, distance = camera.project(torch.tensor(points, dtype=torch.float32)[None])
    assert np.abs(seen.places - places[0].numpy()).max() < 1e-5
    assert (seen.depth <= distance[0].numpy() + 1e-6).all()


def test_samples_are_bilinear():
    picture = np.array([[[0.0], [1.0]], [[2.0], [3.0]]])
    places = np.array([[0.25, 0.25], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])
    assert sample(picture, places)[:, 0] == pytest.approx([0.0, 1.0, 1.5, 2.0])
