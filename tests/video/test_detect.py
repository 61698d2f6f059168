import numpy as np
import pytest
import torch
from skimage import data

from inv3d.core.crops import Crops
from inv3d.video.detect import faces
from inv3d.video.locate import search


@pytest.fixture(scope="module")
def photograph():
    """A portrait whose face is at about (225, 120), 96 pixels wide."""
    return torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1).float() / 127.5 - 1.0


def test_a_face_is_found_with_room_around_it(photograph):
    found = faces(photograph)
    assert len(found) == 3 and bool((found.size.diff() > 0).all())
    assert torch.allclose(found.center, torch.tensor([225.0, 123.0]), atol=15)
    assert 150 < float(found.size.min()) < float(found.size.max()) < 300


@pytest.mark.parametrize("size", [8, 64, 200])
def test_no_face_gives_no_crops(size):
    assert len(faces(torch.zeros(3, size, size))) == 0


def test_what_a_detector_proposes_is_tried(demo, photograph):
    tried = []

    def detect(image: torch.Tensor) -> Crops:
        tried.append(image)
        return faces(image)

    with_it = search(demo.aligner, photograph, confident=0.0, detect=detect)
    assert tried and len(with_it) >= 1
