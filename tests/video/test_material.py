"""Clips and photographs give the same: frames, a track, a selection."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inv3d.core.bundle import Bundle
from inv3d.core.errors import InputError
from inv3d.video.material import Photographs, Recording
from inv3d.video.track import HeadTrack
from tests.people import still

REAL = Path(__file__).parents[3] / "shared" / "real"


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """A head from three sides, the last one first and turned by its metadata; a plain picture, text, and a copy."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / name for name in ("c.png", "a.jpg", "b.png", "plain.png", "text.png", "copy.png")]
    for path, frame in zip(paths[:3], (24, 4, 14), strict=True):
        pixels = still(frame)
        exif = Image.Exif()
        if path.name == "c.png":
            pixels = np.ascontiguousarray(np.rot90(pixels))
            exif[0x0112] = 6  # to be turned clockwise
        Image.fromarray(pixels).save(path, exif=exif, quality=95)
    Image.fromarray(np.full((60, 80, 3), (90, 120, 160), np.uint8)).save(paths[3])
    paths[4].write_text("no picture")
    paths[5].write_bytes(paths[2].read_bytes())
    return Photographs(tuple(paths))


@pytest.fixture(scope="module")
def found(photos: Photographs, demo: Bundle) -> HeadTrack:
    counts = []
    found = photos.track(demo, None, lambda done, total: counts.append((done, total)))
    assert counts == [(i, 6) for i in range(1, 7)]
    return found


def test_photos_are_tracked_one_by_one_and_listed_if_they_cannot_be_used(photos, found, turn):
    assert [frame.index for frame in found.frames] == [0, 1, 2]
    for frame, number in zip(found.frames, (24, 4, 14), strict=True):
        x, y, side = turn.placement(number)
        assert abs(math.degrees(frame.yaw - turn.yaw(number))) < 8
        assert math.hypot(frame.x - x, frame.y - y) < 0.06 * side and abs(frame.size / side - 1) < 0.1
    assert [(photos.place(frame.index, frame.time), frame.reason.split(",")[0]) for frame in found.failed] == [
        ("plain.png", "no head was found"),
        ("text.png", "is not a picture"),
        ("copy.png", "is a copy of b.png"),
    ]


def test_photos_beyond_the_views_are_held_out(photos, found):
    every = photos.select(found, 9, 24)
    assert photos.at_most(9) == 6 and photos.at_most(2) == 2  # known before any was looked at
    assert [frame.index for frame in every.targets] == [1, 2, 0] and not every.between and not every.held_out
    two = photos.select(found, 2, 24)
    assert [frame.index for frame in two.targets] == [1, 0] and [frame.index for frame in two.held_out] == [2]
    assert [frame.index for frame in photos.frames({0, 2}.__contains__)] == [0, 2]


def test_a_single_usable_photo_is_not_enough(photos, demo):
    few = Photographs((photos.files[2], *photos.files[4:]))
    with pytest.raises(InputError, match=r"only 1 of 3 photos can be used \(text\.png: is not a picture.*; copy\.png"):
        few.track(demo, None, silent)


def test_photos_are_recognised_by_their_content(photos, tmp_path):
    copies = []
    for path in photos.files:
        copies.append(tmp_path / path.name)
        copies[-1].write_bytes(path.read_bytes())
    assert Photographs(tuple(copies)).digest == photos.digest
    copies[1].write_bytes(b"another")
    assert Photographs(tuple(copies)).digest != photos.digest
    assert Photographs(photos.files[::-1]).digest != photos.digest


def test_a_recording_is_its_clip(clip, demo):
    recording = Recording.of(clip)
    assert recording.files == (clip,) and recording.title == "turn.mp4"
    assert recording.description == "turn.mp4: 320 x 180, 2.8 s, h264"
    assert [frame.index for frame in recording.frames({3, 5}.__contains__)] == [3, 5]
    assert recording.place(3, 0.3) == "frame 3 at 0.30 s"


@pytest.mark.skipif(not REAL.exists(), reason="the photos are not here")
def test_most_of_four_real_photos_are_found_in_order(demo):
    photos = Photographs(tuple(REAL / f"man-{i}.png" for i in range(1, 5)))
    found = photos.track(demo, None, silent)
    assert len(found.frames) >= 3
    truth = json.loads((REAL / "cameras.json").read_text())["man, yaw in degrees (EG3D sign), from a head model fitted by others"]
    chosen = photos.select(found, 3, 24).targets
    for frame in chosen:
        assert abs(math.degrees(frame.yaw) - truth[photos.place(frame.index, 0.0)]) < 12
    assert [frame.yaw for frame in chosen] == sorted(frame.yaw for frame in chosen)
