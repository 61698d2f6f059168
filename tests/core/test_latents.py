import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.latents import LatentTrack


def track() -> LatentTrack:
    codes = torch.arange(3.0).reshape(3, 1, 1).expand(3, 4, 2).clone()
    return LatentTrack(codes, torch.tensor([-1.0, 0.0, 0.5]))


def at(latents: LatentTrack, yaw: float) -> float:
    return float(latents.at(look_at(torch.tensor([yaw]), torch.tensor([0.2])))[0, 0, 0])


@pytest.mark.parametrize(
    ("yaw", "expected"), [(-1.0, 0.0), (-0.5, 0.5), (0.0, 1.0), (0.25, 1.5), (0.5, 2.0), (-1.3, 0.0), (1.2, 2.0)]
)
def test_codes_are_interpolated_between_the_bracketing_keys(yaw, expected):
    assert at(track(), yaw) == pytest.approx(expected, abs=1e-5)


@given(st.floats(-1.4, 1.4), st.floats(-1.4, 1.4))
def test_interpolation_is_monotonous_along_a_monotonous_track(a, b):
    low, high = sorted((a, b))
    assert at(track(), low) <= at(track(), high) + 1e-5


def test_gradient_reaches_both_neighbours_only():
    codes = torch.zeros(4, 2, 2, requires_grad=True)
    latents = LatentTrack(codes, torch.tensor([-1.0, -0.3, 0.3, 1.0]))
    latents.at(look_at(torch.tensor([0.1]), torch.zeros(1))).sum().backward()
    assert codes.grad is not None and (codes.grad.flatten(1).sum(1) > 0).tolist() == [False, True, True, False]


def test_a_single_code_holds_everywhere():
    latents = LatentTrack(torch.ones(1, 2, 2), torch.zeros(1))
    assert at(latents, 1.0) == 1.0
    assert latents.neighbour_distance() == 0.0


def test_neighbour_distance():
    assert track().neighbour_distance() == pytest.approx(8**0.5)


def test_yaws_must_ascend():
    with pytest.raises(ValueError, match="ascend"):
        LatentTrack(torch.zeros(2, 1, 1), torch.tensor([0.5, 0.0]))
