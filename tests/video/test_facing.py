import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from inv3d.core.bundle import load_bundle
from inv3d.core.crops import Crops
from inv3d.core.facepoints import in_image
from inv3d.video.facing import FaceWorld, facing, seen_by

_WORLD = FaceWorld.of(load_bundle("demo"))
assert _WORLD is not None
WORLD = _WORLD


def photographed(yaw, pitch, roll, size, center):
    """The mean face's points [1,468,3] as a mesh gives them, in pixels."""
    camera = WORLD.cameras(torch.tensor([yaw]), torch.tensor([pitch]))
    where, far = camera.project(WORLD.points[None])
    depth = far * float(camera.intrinsics[0, 0, 0]) / 2.7
    crop = Crops(torch.tensor([center]), torch.tensor([size]), torch.tensor([roll]))
    return in_image(crop, torch.cat([where, depth[..., None]], -1))


angle = st.floats(-0.9, 0.9)


@settings(max_examples=20, deadline=None)
@given(angle, st.floats(-0.4, 0.4), st.floats(-0.6, 0.6), st.floats(80, 900), st.floats(-100, 2000))
def test_the_pose_of_the_mean_face_is_found(yaw, pitch, roll, size, x):
    found = seen_by(photographed(yaw, pitch, roll, size, (x, 300.0)), torch.tensor([20.0]), WORLD)
    assert float(found.yaw) == pytest.approx(yaw, abs=0.01)
    assert float(found.pitch) == pytest.approx(pitch, abs=0.01)
    assert float(found.crops.roll) == pytest.approx(roll, abs=0.01)
    assert float(found.crops.size) == pytest.approx(size, rel=0.01)
    assert found.crops.center[0].tolist() == pytest.approx([x, 300.0], abs=0.01 * size)


def test_an_open_mouth_changes_little():
    shown = photographed(0.3, 0.1, 0.0, 400.0, (200.0, 200.0))
    chin = WORLD.points[:, 1] < -0.11
    shown[0, chin, 1] += 30.0
    found = seen_by(shown, torch.tensor([20.0]), WORLD)
    assert float(found.yaw) == pytest.approx(0.3, abs=0.03) and float(found.pitch) == pytest.approx(0.1, abs=0.06)


@pytest.fixture(scope="module")
def portrait():
    return torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1).float() / 127.5 - 1.0


def test_a_photographed_face_is_read_from_a_crop_that_is_a_little_off(portrait):
    """She looks at the camera, her head turned a little to her right."""
    told = [
        facing(portrait, Crops(torch.tensor([place]), torch.tensor([220.0]), torch.zeros(1)), torch.zeros(1), torch.zeros(1), WORLD)
        for place in ((225.0, 110.0), (240.0, 125.0))
    ]
    assert all(float(one.logit) > 16 for one in told)
    assert float(told[0].yaw) == pytest.approx(float(told[1].yaw), abs=math.radians(2))
    assert 0 < math.degrees(abs(float(told[0].yaw))) < 25


def test_the_mirror_image_is_read_as_the_mirrored_pose(portrait):
    start = Crops(torch.tensor([[225.0, 110.0]]), torch.tensor([220.0]), torch.zeros(1))
    mirrored = Crops(torch.tensor([[512 - 225.0, 110.0]]), start.size, start.roll)
    front = torch.zeros(1), torch.zeros(1)
    a, b = facing(portrait, start, *front, WORLD), facing(portrait.flip(2), mirrored, *front, WORLD)
    assert float(a.yaw) == pytest.approx(-float(b.yaw), abs=math.radians(4))
    assert float(a.pitch) == pytest.approx(float(b.pitch), abs=math.radians(4))
