import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.inversion.poses import correct, interpolate_offsets

small = st.floats(-0.5, 0.5)


@settings(deadline=None)
@given(small, small, small)
def test_a_rotation_stays_a_rotation(a, b, c):
    camera = look_at(torch.tensor([0.3]), torch.tensor([-0.1]))
    moved = correct(camera, torch.tensor([[a, b, c, 0.0, 0.0, 0.0]]))
    rotation = moved.cam2world[0, :3, :3]
    assert torch.allclose(rotation @ rotation.t(), torch.eye(3), atol=1e-5)
    assert float(moved.position.norm()) == pytest.approx(2.7, abs=1e-4)


def test_turning_about_the_vertical_axis_adds_to_the_yaw():
    moved = correct(look_at(torch.tensor([0.3]), torch.zeros(1)), torch.tensor([[0.0, 0.2, 0.0, 0.0, 0.0, 0.0]]))
    assert float(moved.yaw) == pytest.approx(0.5, abs=1e-5)


def test_shift_and_magnification_change_the_intrinsics():
    camera = look_at(torch.zeros(1), torch.zeros(1))
    moved = correct(camera, torch.tensor([[0.0, 0.0, 0.0, 0.01, -0.02, 0.1]]))
    assert torch.allclose(moved.intrinsics[0, :2, 2], torch.tensor([0.51, 0.48]))
    assert torch.allclose(moved.intrinsics[0, 0, 0] / camera.intrinsics[0, 0, 0], torch.tensor(0.1).exp())


def test_offsets_are_linear_between_keys_and_constant_beyond():
    offsets = torch.tensor([[0.0] * 6, [1.0] * 6])
    at = interpolate_offsets(offsets, torch.tensor([-1.0, 1.0]), torch.tensor([-2.0, 0.0, 0.5, 3.0]))
    assert torch.allclose(at[:, 0], torch.tensor([0.0, 0.5, 0.75, 1.0]))
