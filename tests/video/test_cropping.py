from pathlib import Path

import numpy as np
import pytest

from inv3d.video.cropping import Cropping
from inv3d.video.decode import frames
from tests.video.clips import add_clean_aperture, add_pixel_crop, encode

EDGED = np.full((96, 128, 3), 30, np.uint8)
EDGED[16:80, 32:112] = 220


def only_the_middle(path: Path) -> bool:
    frame = next(iter(frames(path)))
    return frame.image.shape == (64, 80, 3) and int(frame.image.min()) > 200 and frame.scale == (1.0, 1.0)


def test_the_clean_aperture_of_an_mp4_is_shown(tmp_path):
    path = encode(tmp_path / "clip.mp4", [EDGED] * 3)
    add_clean_aperture(path, 80, 64, right=8, down=0)
    assert only_the_middle(path)


def test_a_clean_aperture_may_lie_off_the_middle(tmp_path):
    edged = np.full((96, 128, 3), 30, np.uint8)
    edged[24:88, 24:104] = 220
    path = encode(tmp_path / "clip.mp4", [edged] * 3)
    add_clean_aperture(path, 80, 64, right=0, down=8)
    assert only_the_middle(path)


def test_the_pixel_crop_of_matroska_is_shown(tmp_path):
    path = encode(tmp_path / "clip.mkv", [EDGED] * 3)
    add_pixel_crop(path, left=32, top=16, right=16, bottom=16)
    assert only_the_middle(path)


def test_places_in_a_shrunk_frame_are_those_of_the_cropped_one(tmp_path):
    path = encode(tmp_path / "clip.mkv", [EDGED] * 3)
    add_pixel_crop(path, left=32, top=16, right=16, bottom=16)
    frame = next(iter(frames(path, short_side=32)))
    assert frame.image.shape == (32, 40, 3) and frame.scale == (2.0, 2.0)


@pytest.mark.parametrize(("width", "right"), [(400, 0), (80, 300), (0, 0)])
def test_an_aperture_that_makes_no_sense_is_none(tmp_path, width, right):
    path = encode(tmp_path / "clip.mp4", [EDGED] * 3)
    add_clean_aperture(path, width, 64, right=right, down=0)
    assert next(iter(frames(path))).image.shape == (96, 128, 3)


def test_sizes():
    assert Cropping(1, 2, 3, 4).size(20, 10) == (16, 4)
    assert not Cropping(10, 0, 10, 0).fits(20, 10) and not Cropping(-1).fits(20, 10)
