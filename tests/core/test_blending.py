import pytest
import torch

from inv3d.core.blending import blended


def test_no_frame_comes_or_goes_with_a_jump():
    """A frame's share is zero where the next one is as near, and shares of near frames follow their angles."""
    seen, colours = torch.ones(4, 1), torch.eye(4)[..., None]
    for step in (-1e-4, 1e-4):
        angles = torch.tensor([[0.1], [0.2], [0.3 + step], [0.3 - step]])
        colour, weight = blended(angles, seen, colours)
        assert weight == pytest.approx(1.0)
        assert colour[2:, 0].max() < 1e-3
        assert colour[0, 0] > 1.5 * colour[1, 0] > 0.1


def test_unseen_frames_give_no_weight():
    colour, weight = blended(torch.tensor([[0.1], [3.2]]), torch.tensor([[0.0], [0.0]]), torch.ones(2, 4, 1))
    assert weight == 0.0 and bool(colour.isfinite().all())
