import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.turn import Turn

TURN = Turn(seed=1, frames=31, width=320, height=180, crop=110.0)


@settings(max_examples=50, deadline=None)
@given(frame=st.integers(0, 30), seed=st.integers(0, 10_000))
def test_what_the_crop_shows_is_where_the_frame_has_the_crop(frame, seed):
    points = 0.3 * torch.randn(1, 20, 3, generator=torch.Generator().manual_seed(seed))
    x, y, side = TURN.placement(frame)
    in_crop, _ = TURN.aligned_camera(frame).project(points)
    in_frame, _ = TURN.frame_camera(frame).project(points)
    expected = torch.tensor([x, y]) + (in_crop - 0.5) * side
    assert torch.allclose(in_frame * torch.tensor([320.0, 180.0]), expected, atol=1e-2)


def test_a_head_turns_from_side_to_side_and_never_back():
    yaws = torch.tensor([TURN.yaw(frame) for frame in range(31)])
    assert yaws[-1] == TURN.max_yaw and (yaws.diff() > 0).all()
    assert torch.allclose(yaws, -yaws.flip(0), atol=1e-6)
    cameras = torch.cat([TURN.aligned_camera(frame).yaw for frame in range(31)])
    assert torch.allclose(cameras, yaws, atol=1e-5)
