"""Detection of shot changes, which a head-turn clip must not have."""

from __future__ import annotations

import statistics
from collections import deque

import numpy as np
from numpy.typing import NDArray

from inv3d.video.decode import Frame

_CHANGED = 0.06  # of the range: the change of a pixel that shows something else
_SHARE = 0.35  # fraction of the picture that changes at a cut; in a single shot a tenth, over a second
_BALANCED_SHARE = 0.15  # the same without the mean, because a fade or a lamp is not a cut
_COLOURS = 0.25  # fraction of the picture that has other colours after a cut; a moving camera keeps them
_SPIKE = 3.0  # times the usual change from frame to frame, as in adaptive shot detectors
_HEAD_SHARE = 0.08  # of the picture that shows something else after a cut to another head before the same background
_TURN = 1.0  # radians of yaw, and
_WAY = 0.6  # sides of the crop, that no head moves from one frame to the next, nor
_GROWTH = 1.6  # does it grow or shrink by this factor
_STILL = 0.0005  # of the range: what encoding alone changes
_AT_ONCE = 0.2  # seconds; over longer gaps a head may have moved


Pose = tuple[float, float, float, float]


class Shots:
    """Watches the frames that show a head, in order; frames without one lead into or out of a shot."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=15)
        self._last: tuple[NDArray[np.float32], float, Pose] | None = None
        self._before: tuple[NDArray[np.float32], float, Pose, float] | None = None

    def change(self, frame: Frame, pose: Pose) -> float | None:
        """The time at which the shot changed, if it did; reported one frame later, because a flash passes.

        `pose` is x, y, side of the head's crop and yaw.
        """
        thumbnail = _thumbnail(frame)
        last, self._last = self._last, (thumbnail, frame.time, pose)
        if last is None:
            return None
        if self._before is not None:
            seen, time, posed, at = self._before
            self._before = None
            return at if _differs(seen, thumbnail, posed, pose, at - time) else None
        step = float(np.abs(thumbnail - last[0]).mean())
        if step < _STILL:
            # a frame shown again for one that was dropped: the head may have moved on since it was first seen
            self._last = last
            return None
        usual = statistics.median(self._steps) if self._steps else 0.0
        if step > _SPIKE * usual and _differs(last[0], thumbnail, last[2], pose, frame.time - last[1]):
            self._before = (*last, frame.time)
        else:
            self._steps.append(step)
        return None


def _thumbnail(frame: Frame) -> NDArray[np.float32]:
    """[36,64,3] in [0,1]."""
    height, width = frame.image.shape[:2]
    rows, columns = (np.linspace(0, extent - 1, count).astype(int) for extent, count in ((height, 36), (width, 64)))
    return frame.image[np.ix_(rows, columns)].astype(np.float32) / 255.0


def _differs(a: NDArray[np.float32], b: NDArray[np.float32], from_: Pose, to: Pose, seconds: float) -> bool:
    """Whether two frames belong to different shots: another place, or a head that cannot have moved so far."""
    share = _changed_share(a, b)
    if share > _SHARE:
        a, b = _balanced(a), _balanced(b)
        if _changed_share(a, b) > _BALANCED_SHARE and _colour_distance(a, b) > _COLOURS:
            return True
    return share > _HEAD_SHARE and seconds < _AT_ONCE and _leaps(from_, to)


def _changed_share(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float((np.abs(a - b).mean(-1) > _CHANGED).mean())


def _balanced(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised to a mean of 0.4, to compensate for the light."""
    return (image * (0.4 / max(float(image.mean()), 0.004))).clip(0.0, 1.0)


def _colour_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The fraction of the picture whose colours differ, by the more lenient of two binnings."""
    distances = []
    for offset in (0.0, 0.5):
        bins = [((image * 5.0 + offset).astype(int) @ np.array([36, 6, 1])).ravel() for image in (a, b)]
        first, second = (np.bincount(rows, minlength=216) / len(rows) for rows in bins)
        distances.append(float(np.abs(first - second).sum()) / 2)
    return min(distances)


def _leaps(a: Pose, b: Pose) -> bool:
    way = max(abs(a[0] - b[0]), abs(a[1] - b[1])) / max(a[2], b[2])
    return abs(a[3] - b[3]) > _TURN or way > _WAY or max(a[2] / b[2], b[2] / a[2]) > _GROWTH
