import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.inversion.poses import correct, interpolate_offsets, turns_around

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


@pytest.mark.parametrize("axis", range(3))
def test_a_rotation_vector_turns_about_the_worlds_axes_right_handed(axis):
    camera = look_at(torch.tensor([0.3]), torch.tensor([-0.1]))
    offsets = torch.zeros(1, 6)
    offsets[0, axis] = math.pi / 2
    turned = torch.eye(3)[[(axis + 1) % 3, (axis + 2) % 3]]  # for x: y becomes z, and z becomes -y
    rotation = correct(camera, offsets).cam2world[0, :3] @ torch.linalg.inv(camera.cam2world[0])[:, :3]
    assert torch.allclose(rotation @ turned[0], turned[1], atol=1e-5)
    assert torch.allclose(rotation @ turned[1], -turned[0], atol=1e-5)
    assert torch.allclose(rotation @ torch.eye(3)[axis], torch.eye(3)[axis], atol=1e-5)


def test_only_the_focal_lengths_and_the_centre_change_and_the_camera_itself_does_not():
    camera = look_at(torch.zeros(2), torch.zeros(2))
    before = camera.intrinsics.clone()
    moved = correct(camera, torch.tensor([[0.0, 0.0, 0.0, 0.01, -0.02, 0.1], [0.0] * 6]))
    expected = before.clone()
    expected[0] += torch.tensor([[0.0, 0.0, 0.01], [0.0, 0.0, -0.02], [0.0, 0.0, 0.0]])
    expected[0, [0, 1], [0, 1]] *= math.exp(0.1)
    assert torch.allclose(moved.intrinsics, expected) and torch.equal(moved.cam2world, camera.cam2world)
    assert torch.equal(camera.intrinsics, before)


def test_one_key_holds_everywhere_and_equal_keys_give_numbers():
    one = torch.arange(6.0)[None]
    assert torch.equal(interpolate_offsets(one, torch.tensor([0.2]), torch.tensor([-1.0, 0.2, 1.0])), one.expand(3, -1))
    at = interpolate_offsets(torch.stack([one[0], 2 * one[0]]), torch.tensor([0.2, 0.2]), torch.tensor([0.1, 0.2, 0.3]))
    assert torch.isfinite(at).all() and torch.allclose(at[[0, 2]], torch.cat([one, 2 * one]))


def test_between_several_keys_the_two_nearest_count():
    offsets = torch.tensor([[0.0] * 6, [1.0] * 6, [5.0] * 6])
    at = interpolate_offsets(offsets, torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([-0.5, 0.0, 0.5, 1.9]))
    assert torch.allclose(at[:, 3], torch.tensor([0.5, 1.0, 2.0, 4.8]))


def test_turns_around_go_about_all_axes_from_wherever_the_cameras_are():
    camera = look_at(torch.tensor([0.5, -0.2]), torch.tensor([0.1, 0.0]))
    turns = turns_around(camera)
    assert sum(not turn.any() for turn in turns) == 1 and len(turns) == 133 and all(not turn[:, 3:].any() for turn in turns)
    moved = [correct(camera, turn) for turn in turns]
    right = camera.cam2world[:, :3, 0]
    sides, above, about = (
        torch.stack(each).rad2deg()
        for each in (
            [one.yaw - camera.yaw for one in moved],
            [one.pitch - camera.pitch for one in moved],
            [torch.atan2(one.cam2world[:, 1, 0], one.cam2world[:, :3, 0].mul(right).sum(1)) for one in moved],
        )
    )
    for turned, others, most in ((sides, (above, about), 40), (above, (sides, about), 20), (about, (sides, above), 20)):
        alone = [i for i in range(len(turns)) if all(other[i].abs().max() < 0.1 for other in others)]
        steps = torch.arange(-most, most + 1, 10.0)[:, None].expand(-1, 2)
        assert torch.allclose(turned[alone].sort(0).values, steps, atol=0.1)


def test_any_turn_by_20_degrees_is_near_one_of_the_turns_around():
    camera = look_at(torch.tensor([0.3]), torch.tensor([-0.1]))
    tried = torch.cat(turns_around(camera))[:, :3].rad2deg()
    axes = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    assert torch.cdist(20.0 * axes, tried).amin(1).max() < 10.0
