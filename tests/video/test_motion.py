import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from inv3d.video.motion import PICTURE, Picture, measured_yaws
from inv3d.video.track import HeadTrack, TrackedFrame

TEXTURE = gaussian_filter(np.random.default_rng(4).uniform(0, 1, (400, 800)), 3, mode="wrap")
TEXTURE = (TEXTURE - TEXTURE.min()) / np.ptp(TEXTURE)


def egg(yaw: float, depth: float = 1.3) -> Picture:
    """A speckled ellipsoid, `depth` times as deep as it is wide, that is turned by `yaw`, before plain grey."""
    axis = (np.arange(PICTURE) + 0.5) / PICTURE * 2 - 1
    x, y = np.meshgrid(axis / 0.62, axis / 0.8)
    # rays (x, y, -t) in the egg's own axes: where do they meet (x/1)² + y² + (z/depth)² = 1?
    cos, sin = math.cos(yaw), math.sin(yaw)
    a = sin**2 + cos**2 / depth**2
    b = x * cos * sin * (1 - 1 / depth**2)
    c = (x * cos) ** 2 + (x * sin / depth) ** 2 + y**2 - 1
    inside = b**2 - a * c > 0
    t = (-b + np.sqrt(np.where(inside, b**2 - a * c, 0))) / a
    u, w = x * cos + t * sin, (-x * sin + t * cos) / depth
    places = [(y.clip(-1, 1) + 1) / 2 * 399, (np.arctan2(u, w) / (2 * math.pi) + 0.5) * 799]
    shown = np.where(inside, map_coordinates(TEXTURE, places, order=1), 0.5)
    return (255 * shown).round().astype(np.uint8)


def turn(low: float = -50, high: float = 40, count: int = 61) -> NDArray[np.float64]:
    return np.radians(np.linspace(low, high, count))


def pictures_of(yaws: NDArray[np.float64]) -> dict[int, Picture]:
    return {row: egg(yaw) for row, yaw in enumerate(yaws)}


def off(yaws: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return math.degrees(float(np.abs(yaws - truth).max()))


@pytest.mark.parametrize("share", [0.65, 1.3])
def test_a_turn_that_is_read_too_small_or_too_large_is_measured(share):
    yaws = turn()
    read = share * yaws
    found = measured_yaws(read, pictures_of(yaws))
    assert off(found, yaws) < 0.4 * off(read, yaws)


def test_a_turn_to_one_side_begins_where_it_is_read_to_begin():
    yaws = turn(0, 70)
    assert off(measured_yaws(0.75 * yaws, pictures_of(yaws)), yaws) < 6


def test_yaws_that_are_read_rightly_stay():
    yaws = turn()
    assert off(measured_yaws(yaws, pictures_of(yaws)), yaws) < 2


def test_frames_without_a_picture_go_with_those_around_them():
    yaws = turn()
    pictures = pictures_of(yaws)
    del pictures[20], pictures[21]
    found = measured_yaws(0.65 * yaws, pictures)
    assert np.all(np.diff(found) > 0) and off(found, yaws) < 0.4 * off(0.65 * yaws, yaws)


def test_nothing_is_measured_where_nothing_can_be_followed():
    yaws = 0.65 * turn()
    noise = np.random.default_rng(1).integers(0, 255, (len(yaws), PICTURE, PICTURE)).astype(np.uint8)
    assert off(measured_yaws(yaws, dict(enumerate(noise))), yaws) < 0.01
    plain = {row: np.full((PICTURE, PICTURE), 90, np.uint8) for row in range(len(yaws))}
    assert off(measured_yaws(yaws, plain), yaws) < 0.01


def test_what_only_shifts_does_not_turn():
    yaws = 0.65 * turn()
    still = egg(0.0)
    shifted = {row: np.roll(still, row // 8, 1) for row in range(len(yaws))}
    assert off(measured_yaws(yaws, shifted), yaws) < 0.01


def test_a_short_turn_is_measured():
    yaws = turn(0, 32, 31)
    assert off(measured_yaws(0.65 * yaws, pictures_of(yaws)), yaws) < 0.5 * off(0.65 * yaws, yaws)


def test_too_few_pictures_measure_nothing():
    yaws = turn(0, 14, 7)
    assert np.array_equal(measured_yaws(0.65 * yaws, pictures_of(yaws)), 0.65 * yaws)
    assert np.array_equal(measured_yaws(yaws, {}), yaws)


def test_a_track_takes_measured_yaws_and_keeps_the_rest():
    yaws = turn()
    frames = tuple(
        TrackedFrame(3 * row, row / 30, 50, 50, 40, 0.0, 0.65 * yaw, 0.1, 0.0 if row == 7 else 0.9)
        for row, yaw in enumerate(yaws)
    )
    pictures = {3 * row: picture for row, picture in pictures_of(yaws).items() if row != 7}
    found = HeadTrack(frames, ()).measured(pictures)
    assert off(found.yaws.double().numpy(), yaws) < 0.4 * off(0.65 * yaws, yaws)
    assert [(f.index, f.pitch, f.confidence) for f in found.frames] == [(f.index, f.pitch, f.confidence) for f in frames]


def test_what_faces_have_told_counts_beside_what_is_measured():
    yaws = np.radians(np.linspace(-60, 60, 33))
    read = 0.75 * yaws
    alone, told = (measured_yaws(read, pictures_of(yaws), share) for share in (0.0, 1.0))
    assert told - read == pytest.approx(0.7 * (alone - read), abs=1e-6) and off(alone, yaws) < off(read, yaws)
