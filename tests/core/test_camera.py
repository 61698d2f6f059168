import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import Camera, dollied, look_at, screen_height

from .conftest import relative

angles = st.floats(-1.4, 1.4)


@pytest.mark.parametrize(
    ("pivot", "radius", "name"),
    [((0.0, 0.0, 0.2), 2.7, "lookat_cam2world"), ((0.0, 0.0, 0.0), 1.7, "lookat_cam2world_origin_r1.7")],
)
def test_look_at_matches_the_eg3d_sampler(reference, pivot, radius, name):
    offsets = reference("camera/yaw_pitch_offsets")
    # the sampler takes phi = arccos(1 - 2 v / pi), so its "vertical" v is not an angle
    elevation = torch.asin(1.0 - 2.0 * (math.pi / 2 + offsets[:, 1]) / math.pi)
    camera = look_at(offsets[:, 0], elevation, radius, pivot)
    assert relative(camera.cam2world, reference(f"camera/{name}")) < 1e-5


@given(angles, angles)
def test_yaw_and_pitch_are_read_back(yaw, pitch):
    camera = look_at(torch.tensor([yaw]), torch.tensor([pitch]))
    assert float(camera.yaw) == pytest.approx(yaw, abs=1e-4)
    assert float(camera.pitch) == pytest.approx(pitch, abs=1e-4)


@given(angles, angles, angles)
def test_rotations_are_rotations_and_look_at_the_origin(yaw, pitch, roll):
    camera = look_at(torch.tensor([yaw]), torch.tensor([pitch]), roll=torch.tensor([roll]))
    rotation = camera.cam2world[0, :3, :3]
    assert torch.allclose(rotation @ rotation.t(), torch.eye(3), atol=1e-5)
    assert float(torch.linalg.det(rotation)) == pytest.approx(1.0, abs=1e-5)
    origins, directions = camera.rays(1)
    assert torch.allclose(torch.linalg.cross(origins, directions), torch.zeros(1, 1, 3), atol=1e-5)


def test_mirrored_cameras_see_mirror_images():
    """Where a camera sees a point, its mirror image sees that of the point in the mirrored picture."""
    camera = look_at(torch.tensor([0.7]), torch.tensor([0.2]))
    turned = Camera(camera.cam2world, torch.tensor([[[4.0, 0.1, 0.45], [0.0, 4.2, 0.52], [0.0, 0.0, 1.0]]]))
    points = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(1)) * 0.2
    (place, far), (other, as_far) = turned.project(points), turned.mirrored().project(points * torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.allclose(other[..., 0], 1.0 - place[..., 0], atol=1e-5)
    assert torch.allclose(other[..., 1], place[..., 1], atol=1e-5) and torch.allclose(far, as_far, atol=1e-5)
    assert float(turned.mirrored().yaw) == pytest.approx(-0.7, abs=1e-5)


def test_vector_round_trip():
    camera = look_at(torch.tensor([0.1, -0.7]), torch.tensor([0.2, 0.0]))
    again = Camera.from_vector(camera.vector())
    assert torch.equal(again.cam2world, camera.cam2world) and torch.equal(again.intrinsics, camera.intrinsics)


def test_rays_of_a_wide_image_follow_rows():
    camera = look_at(torch.zeros(1), torch.zeros(1))
    _, directions = camera.rays((2, 4))
    assert directions.shape == (1, 8, 3)
    assert float(directions[0, 0, 0]) < float(directions[0, 3, 0])  # left to right
    assert float(directions[0, 0, 1]) > float(directions[0, 4, 1])  # top to bottom


@settings(deadline=None, max_examples=30)
@given(st.floats(-3.0, 3.0), st.floats(-0.5, 0.5))
def test_screen_height_is_that_of_the_picture_from_every_side(yaw, pitch):
    camera = look_at(torch.tensor([yaw]), torch.tensor([pitch]))
    points = torch.tensor([[[0.1, 0.0], [0.9, 0.5], [0.3, 1.0]]])
    height = screen_height(*camera.rays_through(points))
    assert torch.allclose(height, torch.tensor([[1.0, 0.0, -1.0]]), atol=1e-4)


def test_a_dollied_camera_sees_the_origin_at_the_same_size():
    camera = look_at(torch.tensor([0.3, -0.5]), torch.tensor([0.1, 0.2]))
    moved = dollied(camera, torch.tensor([0.5, 2.0]))
    # directions across the viewing axis: in its own plane through the origin nothing moves
    across = camera.cam2world[:, :3, 0] * 0.1
    for one in (camera, moved):
        local = (torch.linalg.inv(one.cam2world) @ torch.cat([across, torch.ones(2, 1)], 1)[..., None])[:, :3, 0]
        seen = (one.intrinsics @ (local / local[:, 2:])[..., None])[:, :2, 0]
        assert torch.allclose(seen - 0.5, torch.tensor([[0.1 * 4.2647 / 2.7, 0.0]]), atol=1e-4)
    assert torch.allclose(moved.cam2world[:, :3, 3].norm(dim=1), 2.7 * torch.tensor([0.5, 2.0]))


def test_a_window_has_the_rays_of_a_part_of_the_image():
    camera = look_at(torch.tensor([0.3]), torch.tensor([-0.2]))
    camera = Camera(camera.cam2world, torch.tensor([[[4.0, 0.1, 0.45], [0.0, 3.8, 0.55], [0.0, 0.0, 1.0]]]))
    every = camera.rays(16).directions.reshape(16, 16, 3)
    part = camera.window(torch.tensor([3.0, 6.0]) / 16, 8 / 16).rays(8)
    assert torch.allclose(part.directions.reshape(8, 8, 3), every[6:14, 3:11], atol=1e-6)
    assert torch.equal(part.origins[0, 0], camera.position[0])
