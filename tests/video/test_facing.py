import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from inv3d.core.camera import look_at
from inv3d.core.crops import Crops
from inv3d.core.networks.photographic import face_shape
from inv3d.video.facing import _around, _in_image, facing, mesh_in, seen_by


def cameras(yaw, pitch):
    return look_at(yaw, pitch)


def photographed(yaw, pitch, roll, size, center):
    """The mean face's points [1,468,3] as a mesh gives them, in pixels."""
    camera = cameras(torch.tensor([yaw]), torch.tensor([pitch]))
    where, far = camera.project(face_shape()[None])
    depth = far * float(camera.intrinsics[0, 0, 0]) / 2.7
    crop = Crops(torch.tensor([center]), torch.tensor([size]), torch.tensor([roll]))
    return _in_image(crop, torch.cat([where, depth[..., None]], -1))


angle = st.floats(-0.9, 0.9)


@settings(max_examples=20, deadline=None)
@given(angle, st.floats(-0.4, 0.4), st.floats(-0.6, 0.6), st.floats(80, 900), st.floats(-100, 2000))
def test_the_pose_of_the_mean_face_is_found(yaw, pitch, roll, size, x):
    found = seen_by(photographed(yaw, pitch, roll, size, (x, 300.0)), torch.tensor([20.0]), cameras)
    assert float(found.yaw) == pytest.approx(yaw, abs=0.01)
    assert float(found.pitch) == pytest.approx(pitch, abs=0.01)
    assert float(found.crops.roll) == pytest.approx(roll, abs=0.01)
    assert float(found.crops.size) == pytest.approx(size, rel=0.01)
    assert found.crops.center[0].tolist() == pytest.approx([x, 300.0], abs=0.01 * size)


def test_an_open_mouth_changes_little():
    shown = photographed(0.3, 0.1, 0.0, 400.0, (200.0, 200.0))
    chin = face_shape()[:, 1] < -0.11
    shown[0, chin, 1] += 30.0
    found = seen_by(shown, torch.tensor([20.0]), cameras)
    assert float(found.yaw) == pytest.approx(0.3, abs=0.03) and float(found.pitch) == pytest.approx(0.1, abs=0.06)


def test_the_mean_face_is_as_wide_to_the_left_as_to_the_right_and_upright():
    shape = face_shape()
    assert float(shape[:, 0].amax() + shape[:, 0].amin()) == pytest.approx(0.0, abs=0.01)
    assert float(shape[10, 2]) == pytest.approx(float(shape[152, 2]), abs=1e-4)
    assert int(shape[:, 2].argmax()) in (1, 4)  # the tip of the nose


def test_crops_around_a_face_level_its_eyes():
    points = photographed(0.0, 0.0, 0.5, 300.0, (100.0, 150.0))
    crop = _around(points)
    assert float(crop.roll) == pytest.approx(0.5, abs=0.02)
    level = _around(photographed(0.0, 0.0, 0.0, 300.0, (100.0, 150.0)))
    assert float(crop.size) == pytest.approx(float(level.size), rel=0.02)


@pytest.fixture(scope="module")
def portrait():
    return torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1).float() / 127.5 - 1.0


def test_a_photographed_face_is_read_from_a_crop_that_is_a_little_off(portrait):
    """She looks at the camera, her head turned a little to her right."""
    told = [
        facing(portrait, Crops(torch.tensor([place]), torch.tensor([220.0]), torch.zeros(1)), torch.zeros(1), torch.zeros(1), cameras)
        for place in ((225.0, 110.0), (240.0, 125.0))
    ]
    assert all(float(one.logit) > 16 for one in told)
    assert float(told[0].yaw) == pytest.approx(float(told[1].yaw), abs=math.radians(2))
    assert 0 < math.degrees(abs(float(told[0].yaw))) < 25


def test_the_mirror_image_is_read_as_the_mirrored_pose(portrait):
    start = Crops(torch.tensor([[225.0, 110.0]]), torch.tensor([220.0]), torch.zeros(1))
    mirrored = Crops(torch.tensor([[512 - 225.0, 110.0]]), start.size, start.roll)
    front = torch.zeros(1), torch.zeros(1)
    a, b = facing(portrait, start, *front, cameras), facing(portrait.flip(2), mirrored, *front, cameras)
    assert float(a.yaw) == pytest.approx(-float(b.yaw), abs=math.radians(4))
    assert float(a.pitch) == pytest.approx(float(b.pitch), abs=math.radians(4))


def test_there_is_no_face_in_a_plain_picture():
    logits = mesh_in(torch.zeros(3, 200, 200), Crops(torch.tensor([[100.0, 100.0]]), torch.tensor([150.0]), torch.zeros(1)))[1]
    assert float(logits) < 0
