from pathlib import Path

import pytest
import torch

from inv3d.core.errors import InputError
from inv3d.export.lens import Lens


def test_pixels_and_shares_of_the_picture_are_the_same_lens():
    intrinsics = torch.tensor([[4.0, 0.0, 0.5], [0.0, 5.0, 0.25], [0.0, 0.0, 1.0]])
    lens = Lens.of(intrinsics, 200)
    assert lens == Lens(200, 200, 800.0, 1000.0, 100.0, 50.0)
    assert torch.equal(lens.intrinsics(Path("x")), intrinsics)


def test_a_picture_that_is_not_square_is_named():
    with pytest.raises(InputError, match=r"x\.txt describes pictures of 30 x 20 pixels"):
        Lens(30, 20, 9.0, 9.0, 15.0, 10.0).intrinsics(Path("x.txt"))
