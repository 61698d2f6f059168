import numpy as np
import pytest
import torch

from inv3d.core import faces
from inv3d.core.faces import FaceFinder


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    if not faces.has_dlib():
        pytest.skip("dlib-bin and face_recognition_models are not installed")
    return FaceFinder()


def test_pupils_lie_between_the_corners_of_the_eyes(finder):
    """NASA's portrait of Eileen Collins, which scikit-image carries."""
    data = pytest.importorskip("skimage.data")
    pixels = np.ascontiguousarray(data.astronaut()[:256, 96:352])
    face = finder.find(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1)
    pupils = face.pupils[face.pupils[:, 0].argsort()] * 256
    assert pupils == pytest.approx(np.array([[107.5, 101.0], [151.0, 103.5]]), abs=3)
    assert np.array_equal(face.pixels, pixels)


def test_where_no_face_is_none_is_found(finder):
    assert finder.find(torch.zeros(1, 3, 128, 128)) is None


def test_half_of_the_packages_is_not_enough(monkeypatch):
    monkeypatch.setattr(faces, "_folder", lambda: None)
    assert not faces.has_dlib()
