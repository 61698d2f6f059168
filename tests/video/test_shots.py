from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inv3d.video.decode import Frame
from inv3d.video.shots import Shots

PLACE = (30.0, 18.0, 20.0)


def scene(hue: int, head: int, light: float = 1.0) -> np.ndarray:
    """A head-sized block at `head` before a background with some structure."""
    image = np.zeros((36, 64, 3), np.uint8)
    image[..., hue] = np.linspace(120, 200, 64).astype(np.uint8)
    image[8:28, head : head + 16] = (190, 140, 110)
    return (image * light).astype(np.uint8)


def changes(images: Iterable[NDArray[np.uint8]], yaws: Sequence[float] | None = None, rate: float = 10.0) -> list[float]:
    shots = Shots()
    found = []
    for i, image in enumerate(images):
        yaw = yaws[i] if yaws is not None else 0.0
        change = shots.change(Frame(i, i / rate, image), (*PLACE, yaw))
        if change is not None:
            found.append(change)
    return found


def test_another_place_is_another_shot():
    assert changes([scene(0, 20 + i) for i in range(6)] + [scene(2, 20 + i) for i in range(6)]) == [0.6]


def test_a_moving_head_is_one_shot():
    assert changes([scene(0, 10 + 2 * i) for i in range(12)]) == []


@pytest.mark.parametrize("light", [np.linspace(0.1, 1.0, 10), [1.0] * 5 + [0.4] * 5], ids=["fade", "lamp"])
def test_other_light_is_no_other_shot(light):
    assert changes([scene(0, 20 + i, float(by)) for i, by in enumerate(light)]) == []


def test_a_flash_is_no_other_shot():
    images = [scene(0, 20 + i) for i in range(8)]
    images[4] = np.full_like(images[4], 250)
    assert changes(images) == []


def test_a_camera_that_pans_shows_one_shot():
    noise = np.random.default_rng(0).integers(0, 255, (36, 400, 3)).astype(np.uint8)
    assert changes([np.ascontiguousarray(noise[:, 9 * i : 9 * i + 64]) for i in range(12)]) == []


def test_another_head_before_the_same_background_leaps():
    images = [scene(0, 20)] * 6 + [scene(0, 38)] * 6
    images = [np.clip(image.astype(int) + i % 2, 0, 255).astype(np.uint8) for i, image in enumerate(images)]
    assert changes(images, yaws=[1.1] * 6 + [-1.1] * 6) == [0.6]
    assert changes(images, yaws=[0.2] * 6 + [-0.2] * 6) == []


def test_after_dropped_frames_a_head_may_be_elsewhere():
    images = [scene(0, 20)] * 6 + [scene(0, 38)] * 6
    assert changes(images, yaws=[1.1] * 6 + [-1.1] * 6) == []  # the first six are one frame, repeated
    assert changes(images[5:7], yaws=[1.1, -1.1], rate=2.0) == []
