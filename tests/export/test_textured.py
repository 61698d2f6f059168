import functools

import numpy as np
import pytest

from inv3d.core.views import Views
from inv3d.export import sides as module
from inv3d.export.mesh import extract_mesh
from inv3d.export.sides import likeness, sides
from inv3d.export.textured import TexturedMesh, paint, picture
from tests.export.textures import textured_ball


@pytest.fixture(scope="module")
def painted(head):
    cameras = sides(head, [(0.0, 0.0)])
    photo = Views(head.frontal().render(cameras).image, cameras, (0,), (0.0,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SHOTS", ((90.0, 0.0), (180.0, 0.0), (270.0, 0.0)))
        return paint(head, extract_mesh(head, resolution=72, triangles=6000), photo, 256)


def test_the_mesh_looks_like_the_head_from_every_side(head, painted):
    found = likeness(head, functools.partial(picture, painted), 64)
    assert found.face is not None and found.face > 26 and found.around > 26
    grey = TexturedMesh(painted.mesh, painted.unwrapped, np.full_like(painted.texture, 128))
    assert likeness(head, functools.partial(picture, grey), 24).around < 20


def test_pictures_of_a_mesh_show_it_where_it_is(head):
    ball = textured_ball()
    colors, covered = picture(ball, sides(head, [(0.0, 0.0)]), 64)
    radius = 0.2 * head.bundle.info.focal / head.bundle.info.radius * 64
    assert covered.sum() == pytest.approx(np.pi * radius**2, rel=0.1)
    # x, y and z as red, green and blue: to the right, upwards, forwards
    assert colors[32, 44, 0] > colors[32, 20, 0] + 0.1 and colors[20, 32, 1] > colors[44, 32, 1] + 0.1
    assert colors[32, 32, 2] > 0.7


def test_the_texture_is_finer_than_the_pictures_of_the_model(head, monkeypatch):
    monkeypatch.setattr("inv3d.export.textured.shots", lambda *_: [])
    assert paint(head, textured_ball().mesh).texture.shape == (4 * head.generator.resolution,) * 2 + (3,)


def test_a_scaled_mesh_keeps_its_texture():
    ball = textured_ball(32)
    large = ball.scaled(3.0)
    assert large.mesh.extents == pytest.approx(3 * ball.mesh.extents)
    assert large.texture is ball.texture and large.unwrapped is ball.unwrapped
