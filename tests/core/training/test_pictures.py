import pytest
import torch

from inv3d.core.errors import InputError
from inv3d.core.training.pictures import Pictures


@pytest.fixture
def pictures():
    """Pictures that are bright on the side to which their yaw points."""
    images = torch.zeros(4, 3, 2, 2, dtype=torch.uint8)
    images[:2, ..., 0], images[2:, ..., 1] = 255, 255
    return Pictures(images, torch.tensor([-0.4, -0.2, 0.1, 0.3]), torch.full((4,), 0.1), alpha=images[:, :1])


def test_mirror_images_are_seen_from_the_other_side(pictures):
    turned = []
    for seed in range(12):
        rows, images, yaw, pitch, alpha = pictures.drawn(3, torch.Generator().manual_seed(seed), mirroring=True)
        bright = images[:, 0, 0, 1] > images[:, 0, 0, 0]
        assert torch.equal(bright, yaw > 0) and torch.equal(yaw.abs(), pictures.yaw[rows].abs())
        assert torch.equal(pitch, torch.full((3,), 0.1))
        assert torch.equal(alpha, (images[:, :1] + 1.0) / 2.0)  # it is where the picture is bright
        turned.append(not torch.equal(yaw, pictures.yaw[rows]))
    assert 2 < sum(turned) < 10


def test_without_mirroring_pictures_are_as_they_are(pictures):
    rows, images, yaw, *_ = pictures.drawn(8, torch.Generator().manual_seed(0))
    assert torch.equal(yaw, pictures.yaw[rows]) and torch.equal(images, pictures.images[rows].float() / 127.5 - 1.0)


def test_a_folder_without_pictures_is_told_with_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no images shards") as caught:
        Pictures.read(tmp_path, "images", own=False)
    assert "--data" in caught.value.hint
