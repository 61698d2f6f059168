"""The head in a photo is found and cut out as the model sees heads."""

import numpy as np
import pytest
import torch
from PIL import Image

from inv3d.core.errors import InputError
from inv3d.video.photo import align_photo


@pytest.fixture(scope="module")
def portrait(turn):
    """A head at 320 x 180, as an array."""
    from inv3d.core.procedural.renderer import HeadRenderer

    image = turn.render(HeadRenderer(), 12).image[0].permute(1, 2, 0)
    return image.add(1).mul(127.5).round().clamp(0, 255).byte().numpy()


def differ(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean difference in grey levels."""
    assert a.shape == b.shape
    return float((a - b).abs().mean() * 127.5)


def test_the_head_is_cut_out_as_the_model_sees_heads(demo, portrait, turn, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "x.png")
    small = align_photo(tmp_path / "x.png", demo)
    assert small.image.shape == (1, 3, 256, 256) and small.confidence > 0.5
    # a larger copy of the photo shows the same
    Image.fromarray(portrait).resize((1600, 900), Image.Resampling.LANCZOS).save(tmp_path / "large.png")
    large = align_photo(tmp_path / "large.png", demo)
    assert differ(small.image, large.image) < 8
    assert torch.allclose(small.camera.cam2world, large.camera.cam2world, atol=0.15)


def test_photos_without_one_head_are_named(demo, portrait, tmp_path):
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"no head is found in .*grey\.png"):
        align_photo(tmp_path / "grey.png", demo)
    Image.fromarray(np.hstack([portrait, portrait])).save(tmp_path / "two.png")
    with pytest.raises(InputError, match=r"there are 2 heads in .*two\.png, at \(\d+, \d+\) and"):
        align_photo(tmp_path / "two.png", demo)
