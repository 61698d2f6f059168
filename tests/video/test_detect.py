from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skimage import data

from inv3d.core.crops import Crops
from inv3d.video import detect as detecting
from inv3d.video.detect import faces, ffhq_crop, landmarks_model
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


def test_the_crop_of_landmarks_turns_and_grows_with_the_face():
    points = [np.array(p, dtype=float) for p in ((40, 50), (60, 50), (43, 75), (57, 75))]
    x, y, side, roll = ffhq_crop(*points)
    assert (x, y, roll) == (50.0, 52.5, 0.0)
    assert side == pytest.approx(2 * max(2 * 20, 1.8 * 25) * 700 / 1024)
    angle, c, s = 0.4, np.cos(0.4), np.sin(0.4)
    turned = ffhq_crop(*(3.0 * np.array([[c, -s], [s, c]]) @ p for p in points))
    assert turned[2:] == pytest.approx((3.0 * side, angle))


def test_landmarks_come_first_where_mediapipe_and_its_model_are(photograph, tmp_path, monkeypatch):
    """MediaPipe itself is played: its model cannot be shipped."""
    monkeypatch.setenv("INV3D_HOME", str(tmp_path))
    point = {33: (0.40, 0.2), 133: (0.42, 0.2), 362: (0.46, 0.2), 263: (0.48, 0.2), 61: (0.42, 0.3), 291: (0.46, 0.3)}
    face = [SimpleNamespace(x=x, y=y) for x, y in (point.get(i, (0.0, 0.0)) for i in range(478))]
    played = SimpleNamespace(detect=lambda image: SimpleNamespace(face_landmarks=[face]))
    monkeypatch.setattr(detecting, "_has_mediapipe", lambda: True)
    monkeypatch.setattr(detecting, "_as_mediapipe", lambda pixels: pixels)
    monkeypatch.setattr(detecting, "_landmarker", lambda model: played)
    assert len(faces(photograph)) == 3  # no model file: the cascade alone
    landmarks_model().parent.mkdir(parents=True)
    landmarks_model().write_bytes(b"")
    found = faces(photograph)
    assert len(found) == 4
    assert found.center[0].tolist() == pytest.approx([0.44 * 512, 0.21 * 512], abs=0.1)
