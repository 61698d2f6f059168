"""Following a head through a clip: its crop and pose in every frame, smoothed over time, and its turn as points on it tell."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.counting import Counted, uncounted
from inv3d.core.crops import Crops, cut
from inv3d.core.errors import InputError, UsageError
from inv3d.core.networks.aligner import Aligner
from inv3d.core.views import to_bytes
from inv3d.video.choose import HeadChoice, choose
from inv3d.video.decode import ClipInfo, FailedFrame, Frame, frames, probe
from inv3d.video.detect import Faces
from inv3d.video.front import POSE, faced
from inv3d.video.locate import CONFIDENT, Located, align_near, search, settled
from inv3d.video.motion import MISREAD, PICTURE, Picture, measured_yaws
from inv3d.video.quality import Quality, quality
from inv3d.video.shots import Shots

SEARCH_SIDE = 540
"""Pixels on the shorter side of the frames in which heads are searched and tracked."""
MAX_FRAMES = 600
"""Longer clips are thinned evenly to about this many frames."""
_SHORTEST = 1.0  # seconds that a head takes to turn: clips that seem to last less misstate their rate
_SMOOTHING = 0.07  # standard deviation of the time window, seconds
_BLANK = 16  # of 255: the level of black with noise and vignetting
_OUTLIER = 6.0  # median absolute deviations from the smooth path
_BRIDGED = 0.5  # seconds: a head that is seen so shortly before and after is on the smooth path between
_FOLLOWED = 0.15  # confidence of a head that is followed: it cannot vanish from one frame to the next, nor
_REMEMBERED = 64  # frames without a head, in which one that is found later is looked for
_WAY, _GROWTH, _TURN = 0.08, 1.1, 0.2  # move by this part of its crop, grow by this factor, turn by these radians


@dataclass(frozen=True)
class TrackedFrame:
    """One frame: crop centre (x, y) and side in pixels, roll, yaw and pitch in radians, the confidence (0 where the pose is
    that of the smooth path), how well the frame shows the head, and the pose that its face tells (see `front`), with the weight
    of that beside the rest, from 0 to 1."""

    index: int
    time: float
    x: float
    y: float
    size: float
    roll: float
    yaw: float
    pitch: float
    confidence: float
    quality: Quality | None = None
    face: tuple[float, ...] | None = None
    face_weight: float = 0.0

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

    def turning(self, furthest: float) -> HeadTrack:
        """The same, with yaws in proportion, of which the furthest from the front is `furthest` (radians).

        Raises UsageError if that is not near to what was read.
        """
        read = float(self.yaws.abs().max())
        if not furthest / MISREAD <= read <= furthest * MISREAD:
            asked, found = round(math.degrees(furthest)), round(math.degrees(read))
            raise UsageError(
                f"--turn {asked} is too far from the {found} degrees that were read",
                "look at the yaws in preview.png, or leave --turn out",
            )
        return self._with(furthest / read * frame.yaw for frame in self.frames)

    def measured(self, pictures: Mapping[int, Picture]) -> HeadTrack:
        """The same, with yaws corrected by how far the head turns between `pictures`, by the frame's index (see
        `measured_yaws`)."""
        seen = {row: pictures[frame.index] for row, frame in enumerate(self.frames) if frame.confidence > 0.0}
        yaws = np.array([frame.yaw for frame in self.frames])
        return self._with(measured_yaws(yaws, seen, max(frame.face_weight for frame in self.frames)).tolist())

    def faced(self) -> HeadTrack:
        """The same, corrected by what the faces tell (see `front`)."""
        read = np.array([[getattr(frame, name) for name in POSE] for frame in self.frames])
        told = np.array([frame.face or row for frame, row in zip(self.frames, read.tolist(), strict=True)])
        weights = np.array([frame.face_weight for frame in self.frames])
        poses = faced(read, told, weights).tolist()
        frames = (replace(frame, **dict(zip(POSE, pose, strict=True))) for frame, pose in zip(self.frames, poses, strict=True))
        return replace(self, frames=tuple(frames))

    def _with(self, yaws: Iterable[float]) -> HeadTrack:
        frames = (replace(frame, yaw=yaw) for frame, yaw in zip(self.frames, yaws, strict=True))
        return replace(self, frames=tuple(frames))


def placed(frame: Frame, located: Located) -> TrackedFrame:
    """The first of the heads that were located in a frame, in pixels of the clip's or the photo's full size."""
    read, told = located.alignment, located.told
    x, y, size, roll = _in_full(frame, located.crops)
    yaw, pitch, confidence = (float(values[0]) for values in (read.yaw, read.pitch, located.confidence))
    looks = quality(frame.tensor(), located.crops[[0]], read.yaw[:1], read.pitch[:1])
    tracked = TrackedFrame(frame.index, frame.time, x, y, size, roll, yaw, pitch, confidence, looks)
    if told is None:
        return tracked
    face = (*_in_full(frame, told.face.crops), float(told.face.yaw[0]), float(told.face.pitch[0]))
    return replace(tracked, face=face, face_weight=float(told.weight[0]))


def _in_full(frame: Frame, crops: Crops) -> tuple[float, float, float, float]:
    """Centre, side and roll of the first of the crops in a frame's full size."""
    x, y = (float(c * s) for c, s in zip(crops.center[0], frame.scale, strict=True))
    return x, y, float(crops.size[0]) * math.sqrt(frame.scale[0] * frame.scale[1]), float(crops.roll[0])


def _find(
    aligner: Aligner, frame: Frame, faces: Faces | None, head: HeadChoice | None, last: Located | None
) -> Located:
    """The one head of a frame, if any. Once a head has been seen, it is the one nearest to its `last` position, whoever passes by.

    Raises InputError if it is not clear which head is meant.
    """
    image = frame.tensor()
    found = search(aligner, image, faces=faces)
    if last is not None and len(found):
        chosen = found[[int((found.crops.center - last.crops.center).norm(dim=1).argmin())]]
    else:
        chosen = choose(found, head, frame.scale, f"the picture at {frame.time:.2f} s")
    if faces is not None and len(chosen):  # as frames are read in which it is followed
        again = align_near(aligner, image, chosen.crops, faces)
        chosen = again if float(again.confidence) >= CONFIDENT else chosen
    return settled(image, chosen, faces)


def _follow(
    aligner: Aligner, frame: Frame, faces: Faces | None, last: Located, before: Located
) -> Located | None:
    """The head near its last two positions, if it is there: convincing, or at least close to where and how it was.

    The search starts between the two: from the last alone, crops swing from frame to frame where the aligner overcorrects.
    """
    start = Crops(
        (last.crops.center + before.crops.center) / 2,
        (last.crops.size * before.crops.size).sqrt(),
        (last.crops.roll + before.crops.roll) / 2,
    )
    image = frame.tensor()
    located = settled(image, align_near(aligner, image, start, faces), faces)
    confidence = float(located.confidence[0])
    size, was = float(located.crops.size[0]), float(last.crops.size[0])
    way = float((located.crops.center[0] - last.crops.center[0]).norm()) / was
    turn = abs(float(located.alignment.yaw[0] - last.alignment.yaw[0]))
    close = way < _WAY and 1 / _GROWTH < size / was < _GROWTH and turn < _TURN
    return located if confidence >= CONFIDENT or (close and confidence >= _FOLLOWED) else None


def _followed_back(
    aligner: Aligner, lost: Sequence[Frame], faces: Faces | None, found: Located
) -> Iterator[tuple[Frame, Located]]:
    """The latest of the frames in which no head was found, the last first, where it can be followed back from where it was
    `found` after them: from the side a head is followed more surely than it is found."""
    before = last = found
    for frame in reversed(lost):
        located = _follow(aligner, frame, faces, last, before)
        if located is None:
            return
        yield frame, located
        before, last = last, located


def _is_blank(frame: Frame) -> bool:
    """Whether a frame has a single colour."""
    return int(np.ptp(frame.image[::4, ::4], axis=(0, 1)).max()) < _BLANK


def track(
    path: Path,
    aligner: Aligner,
    progress: Counted = uncounted,
    faces: Faces | None = None,
    head: HeadChoice | None = None,
    rate: float = math.inf,
) -> HeadTrack:
    """Find the head, or the one chosen by `head`, in the frames of the clip, about `rate` a second or all, and how far it
    turns; `faces` tell what the aligner cannot.

    Raises InputError for clips without one steady head.
    """
    found, pictures = read(path, aligner, progress, faces, head, rate)
    return found.measured(pictures)


def stride_of(info: ClipInfo, rate: float) -> int:
    """One in so many frames of a clip is looked at, for about `rate` a second: of all its time, as frames may come in bursts."""
    a_second = info.frames / max(info.duration, _SHORTEST)
    return max(1, round(a_second / rate), round(info.frames / MAX_FRAMES))


def read(
    path: Path,
    aligner: Aligner,
    progress: Counted,
    faces: Faces | None,
    head: HeadChoice | None,
    rate: float = math.inf,
) -> tuple[HeadTrack, dict[int, Picture]]:
    """The head as it is read off the frames of the clip, about `rate` a second or all, and the pictures of it in which points can be followed."""
    info = probe(path)
    stride = stride_of(info, rate)
    total = max(1, math.ceil(info.frames / stride))
    usable: list[TrackedFrame] = []
    failed: list[FailedFrame] = []
    before: Located | None = None
    last: Located | None = None
    seen: Located | None = None  # the last position of the head, however long ago
    shots = Shots()
    pictures: dict[int, Picture] = {}
    lost: deque[Frame] = deque(maxlen=_REMEMBERED)  # since a head was seen
    sampled = frames(path, lambda index: index % stride == 0, SEARCH_SIDE, failed.append)
    for count, frame in enumerate(sampled):
        look = count % max(20, total // 4) == 0
        located: Located | None = None
        if not _is_blank(frame):  # a lead-in may be long, and the search is slow
            followed = None if last is None else _follow(aligner, frame, faces, last, before or last)
            located = followed
            # searching the whole frame now and then brings back a crop that has slid off the head
            if followed is None or (look and not followed.surely_faces):
                found = _find(aligner, frame, faces, head, seen)
                located = found if len(found) else followed
        if located is not None and len(located):
            tracked = placed(frame, located)
            changed = shots.change(frame, (tracked.x, tracked.y, tracked.size, tracked.yaw))
            if changed is not None:
                raise InputError(
                    f"{path} has several shots: the picture changes at {changed:.2f} s",
                    f"cut out one shot: ffmpeg -i clip.mp4 -t {changed:.2f} one.mp4",
                )
            usable.append(tracked)
            pictures[frame.index] = _grey(frame, located)
            for earlier, there in _followed_back(aligner, lost, faces, located):
                usable.append(placed(earlier, there))
                pictures[earlier.index] = _grey(earlier, there)
            lost.clear()
            before, last, seen = last, located, located
        else:
            lost.append(frame)
            failed.append(FailedFrame(frame.index, frame.time, "no head found"))
            before = last = None
        progress(count + 1, max(total, count + 1))
    if not usable:
        raise InputError(
            f"no head was found in any frame of {path}", "film one head, upright, at least a sixth of the picture high"
        )
    usable.sort(key=lambda frame: frame.index)
    unusable = sorted((frame for frame in failed if frame.index not in pictures), key=lambda frame: frame.index)
    return smooth(HeadTrack(tuple(usable), tuple(unusable)).faced()), pictures


def _grey(frame: Frame, located: Located) -> Picture:
    """The first of the heads that were located in a frame, cut out as points on it are followed."""
    picture: Picture = to_bytes(cut(frame.tensor(), located.crops[[0]], PICTURE)[0].mean(0)).cpu().numpy()
    return picture


def smooth(raw: HeadTrack) -> HeadTrack:
    """Smooth by local linear regression over time stamps. Frames far from the smooth path take its pose if others are
    near it shortly before and after, and fail otherwise.

    A straight line, because a plain average would shrink the turn at the ends of the clip.
    """
    if len(raw.frames) < 5:
        return raw
    times = np.array([frame.time for frame in raw.frames])
    window = _SMOOTHING * min(1.0, (times[-1] - times[0]) / _SHORTEST)
    values = np.array([[getattr(frame, name) for name in POSE] for frame in raw.frames])
    keep = np.ones(len(times), bool)
    for _ in range(2):
        path = _local_lines(times, values, times[keep], values[keep], window)
        residual = np.abs(values - path)
        scale = 1.4826 * np.median(residual[keep], 0) + np.array([0.5, 0.5, 0.5, 0.004, 0.008, 0.008])
        keep = (residual / scale).max(1) < _OUTLIER
    usable: list[TrackedFrame] = []
    jumps: list[FailedFrame] = []
    for frame, row, good in zip(raw.frames, path, keep, strict=True):
        if good or _bridged(frame.time, times[keep]):
            confidence = frame.confidence if good else 0.0
            pose = dict(zip(POSE, map(float, row), strict=True))
            usable.append(replace(frame, **pose, confidence=confidence))  # type: ignore[arg-type]
        else:
            jumps.append(FailedFrame(frame.index, frame.time, "pose jumps"))
    return HeadTrack(tuple(usable), tuple(sorted((*raw.failed, *jumps), key=lambda frame: frame.index)))


def _bridged(time: float, times: NDArray[np.float64]) -> bool:
    """Whether there are `times` shortly before and after a time."""
    return bool(((times < time) & (times > time - _BRIDGED)).any() and ((times > time) & (times < time + _BRIDGED)).any())


def _local_lines(
    at: NDArray[np.float64], shape: NDArray[np.float64], times: NDArray[np.float64], values: NDArray[np.float64], window: float
) -> NDArray[np.float64]:
    """Weighted straight-line fits of `values` [N,D] at `times` [N] within a `window` (standard deviation, seconds), evaluated at
    `at`; `shape` gives the result's."""
    result = np.empty_like(shape)
    for i, t in enumerate(at):
        offset = times - t
        # where frames are sparse, the window widens until it contains a few
        width = max(window, float(np.sort(np.abs(offset))[min(3, len(offset) - 1)]))
        weight = np.exp(-0.5 * (offset / width) ** 2)
        total, mean = weight.sum(), (weight * offset).sum() / weight.sum()
        centered = offset - mean
        average = (weight[:, None] * values).sum(0) / total
        slope = (weight[:, None] * centered[:, None] * values).sum(0) / max((weight * centered**2).sum(), 1e-12)
        result[i] = average - slope * mean
    return result
