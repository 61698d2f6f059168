import numpy as np
import pytest
import torch
from skimage import data

from inv3d.core.crops import Crops, cut
from inv3d.video.alone import alone


@pytest.fixture(scope="module")
def portrait():
    return torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1).float() / 127.5 - 1.0


HEAD = Crops(torch.tensor([[225.0, 110.0]]), torch.tensor([260.0]), torch.zeros(1))


def seen(image: torch.Tensor) -> tuple[torch.Tensor, Crops]:
    found = alone(image, HEAD)
    assert found is not None
    return found


def test_the_room_goes_and_the_person_stays(portrait):
    """Beside her head is a flag on the left, and a model of a shuttle on the right."""
    picture, around = seen(portrait)
    before = cut(portrait, around, 256)[0]
    face, flag, shuttle = ((slice(90, 150), slice(110, 140)), (slice(60, 110), slice(8, 40)), (slice(60, 110), slice(220, 250)))
    assert torch.allclose(picture[:, *face], before[:, *face], atol=0.02)
    for room in (flag, shuttle):
        assert float((picture[:, *room] - 0.5).abs().mean()) < 0.02 < float((before[:, *room] - 0.5).abs().mean())


def test_a_dark_person_is_brightened(portrait):
    picture, _ = seen(0.15 * (portrait + 1.0) - 1.0)
    assert float(picture[:, 90:150, 110:140].mean()) > -0.4


def test_where_nobody_is_seen_there_is_nothing():
    waves = torch.linspace(-1, 1, 200).expand(3, 200, 200).contiguous()
    assert alone(waves, Crops(torch.tensor([[100.0, 100.0]]), torch.tensor([120.0]), torch.zeros(1))) is None
