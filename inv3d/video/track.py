"""Following a head through a clip: its crop and pose in every frame, smoothed over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.crops import Crops
from inv3d.core.errors import InputError
from inv3d.core.networks.aligner import Aligner
from inv3d.video.choose import HeadChoice, choose
from inv3d.video.decode import FailedFrame, Frame, frames, probe
from inv3d.video.locate import CONFIDENT, Detector, Located, align, search
from inv3d.video.shots import Shots

SEARCH_SIDE = 540
"""Pixels on the shorter side of the frames in which heads are searched and tracked."""
MAX_FRAMES = 600
"""Longer clips are thinned evenly to about this many frames."""
_SMOOTHING = 0.07  # standard deviation of the time window, seconds
_BLANK = 16  # of 255: the level of black with noise and vignetting
_OUTLIER = 6.0  # median absolute deviations from the smooth path


@dataclass(frozen=True)
class TrackedFrame:
    """One frame: crop centre (x, y) and side in pixels, roll, yaw and pitch in radians, the aligner's confidence."""

    index: int
    time: float
    x: float
    y: float
    size: float
    roll: float
    yaw: float
    pitch: float
    confidence: float

    def crops(self, scale: tuple[float, float] = (1.0, 1.0)) -> Crops:
        """The crop in a picture whose pixels are so many of the full size wide and high."""
        center = torch.tensor([[self.x / scale[0], self.y / scale[1]]])
        size = torch.tensor([self.size / math.sqrt(scale[0] * scale[1])])
        return Crops(center, size, torch.tensor([self.roll]))


@dataclass(frozen=True)
class HeadTrack:
    """Usable frames in order of time, and failed frames with their reasons."""

    frames: tuple[TrackedFrame, ...]
    failed: tuple[FailedFrame, ...]

    @property
    def yaws(self) -> Tensor:
        return torch.tensor([frame.yaw for frame in self.frames])

    @property
    def yaw_range(self) -> tuple[float, float]:
        """Leftmost and rightmost yaw in radians."""
        return float(self.yaws.min()), float(self.yaws.max())


def placed(frame: Frame, located: Located) -> TrackedFrame:
    """The first of the heads that were located in a frame, in pixels of the clip's or the photo's full size."""
    crops, pose = located.crops, located.alignment
    x, y = (float(c * s) for c, s in zip(crops.center[0], frame.scale, strict=True))
    size = float(crops.size[0]) * math.sqrt(frame.scale[0] * frame.scale[1])
    values = (crops.roll[0], pose.yaw[0], pose.pitch[0], located.confidence[0])
    return TrackedFrame(frame.index, frame.time, x, y, size, *(float(value) for value in values))


def _find(
    aligner: Aligner, frame: Frame, detect: Detector | None, head: HeadChoice | None, last: Located | None
) -> Located:
    """The one head of a frame, if any. Once a chosen head has been seen, it is the head nearest to its `last` position.

    Raises InputError if it is not clear which head is meant.
    """
    found = search(aligner, frame.tensor(), detect=detect)
    if head is not None and last is not None and len(found):
        return found[[int((found.crops.center - last.crops.center).norm(dim=1).argmin())]]
    return choose(found, head, frame.scale, f"the picture at {frame.time:.2f} s")


def _is_blank(frame: Frame) -> bool:
    """Whether a frame has a single colour."""
    return int(np.ptp(frame.image[::4, ::4], axis=(0, 1)).max()) < _BLANK


def track(
    path: Path,
    aligner: Aligner,
    progress: Callable[[int, int], None] = lambda done, total: None,
    detect: Detector | None = None,
    head: HeadChoice | None = None,
) -> HeadTrack:
    """Find the head, or the one chosen by `head`, in every frame of the clip; `detect` proposes crops.

    Raises InputError for clips without one steady head.
    """
    info = probe(path)
    stride = max(1, round(info.frames / MAX_FRAMES)) if info.frames else 1
    total = max(1, math.ceil(info.frames / stride))
    usable: list[TrackedFrame] = []
    failed: list[FailedFrame] = []
    last: Located | None = None
    seen: Located | None = None  # the last position of the head, however long ago
    shots = Shots()
    sampled = frames(path, lambda index: index % stride == 0, SEARCH_SIDE, failed.append)
    for count, frame in enumerate(sampled):
        # searching the whole frame now and then reveals a second head
        look = count % max(20, total // 4) == 0
        located: Located | None = None
        if _is_blank(frame):
            pass  # a lead-in may be long, and the search is slow
        elif last is None or look:
            located = _find(aligner, frame, detect, head, seen)
        else:
            located = align(aligner, frame.tensor(), last.crops, iterations=2)
        if located is not None and len(located) and float(located.confidence[0]) < CONFIDENT:
            located = _find(aligner, frame, detect, head, seen)
        if located is not None and len(located):
            tracked = placed(frame, located)
            changed = shots.change(frame, (tracked.x, tracked.y, tracked.size, tracked.yaw))
            if changed is not None:
                raise InputError(
                    f"{path} has several shots: the picture changes at {changed:.2f} s",
                    f"cut out one shot: ffmpeg -i clip.mp4 -t {changed:.2f} one.mp4",
                )
            usable.append(tracked)
            last = seen = located
        else:
            failed.append(FailedFrame(frame.index, frame.time, "no head found"))
            last = None
        progress(count + 1, max(total, count + 1))
    if not usable:
        raise InputError(
            f"no head was found in any frame of {path}", "film one head, upright, at least a sixth of the picture high"
        )
    return smooth(HeadTrack(tuple(usable), tuple(sorted(failed, key=lambda frame: frame.index))))


def smooth(raw: HeadTrack) -> HeadTrack:
    """Smooth by local linear regression over time stamps; frames far from the smooth path fail.

    A straight line, because a plain average would shrink the turn at the ends of the clip.
    """
    if len(raw.frames) < 5:
        return raw
    names = ("x", "y", "size", "roll", "yaw", "pitch")
    times = np.array([frame.time for frame in raw.frames])
    values = np.array([[getattr(frame, name) for name in names] for frame in raw.frames])
    keep = np.ones(len(times), bool)
    for _ in range(2):
        path = _local_lines(times, values, times[keep], values[keep])
        residual = np.abs(values - path)
        scale = 1.4826 * np.median(residual[keep], 0) + np.array([0.5, 0.5, 0.5, 0.004, 0.008, 0.008])
        keep = (residual / scale).max(1) < _OUTLIER
    usable = tuple(
        replace(frame, **dict(zip(names, map(float, row), strict=True)))  # type: ignore[arg-type]
        for frame, row, good in zip(raw.frames, path, keep, strict=True)
        if good
    )
    jumps = tuple(
        FailedFrame(f.index, f.time, "pose jumps") for f, good in zip(raw.frames, keep, strict=True) if not good
    )
    return HeadTrack(usable, tuple(sorted(raw.failed + jumps, key=lambda frame: frame.index)))


def _local_lines(
    at: NDArray[np.float64], shape: NDArray[np.float64], times: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted straight-line fits of `values` [N,D] at `times` [N], evaluated at `at`; `shape` gives the result's."""
    result = np.empty_like(shape)
    for i, t in enumerate(at):
        offset = times - t
        # where frames are sparse, the window widens until it contains a few
        width = max(_SMOOTHING, float(np.sort(np.abs(offset))[min(3, len(offset) - 1)]))
        weight = np.exp(-0.5 * (offset / width) ** 2)
        total, mean = weight.sum(), (weight * offset).sum() / weight.sum()
        centered = offset - mean
        average = (weight[:, None] * values).sum(0) / total
        slope = (weight[:, None] * centered[:, None] * values).sum(0) / max((weight * centered**2).sum(), 1e-12)
        result[i] = average - slope * mean
    return result
