"""Streaming video decoding: frames upright, in RGB, with square pixels, keyed by index and time."""

from __future__ import annotations

import errno
import math
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.errors import InputError
from inv3d.core.views import from_bytes
from inv3d.video.colour import Converter, UnreadColours
from inv3d.video.container import Clip, ClipInfo, open_clip, probe
from inv3d.video.cropping import Cropping

__all__ = ["ClipInfo", "FailedFrame", "Frame", "frames", "probe"]


_SAME_SHAPE = 0.02  # of width / height: sizes are rounded to whole blocks
Decoded = tuple[int, float, VideoFrame | None]
"""Index, time in seconds, and frame; None for a lost frame."""


@dataclass(frozen=True)
class Frame:
    """`image` [H,W,3] uint8 RGB as a player shows it: cropped, with square pixels, upright.

    `index` counts the frames of the clip, `time` is in seconds from its start. `scale` is how many pixels of the full
    size, across and down, one pixel of `image` stands for; the full size is that of the clip's first frame.
    """

    index: int
    time: float
    image: NDArray[np.uint8]
    scale: tuple[float, float] = (1.0, 1.0)

    def tensor(self) -> Tensor:
        """[3,H,W] float in [-1,1]."""
        return from_bytes(torch.from_numpy(np.ascontiguousarray(self.image)).permute(2, 0, 1))


@dataclass(frozen=True)
class FailedFrame:
    """A frame that cannot be used, and why."""

    index: int
    time: float
    reason: str


def _ignore(failed: FailedFrame) -> None:
    pass


def frames(
    path: Path,
    wanted: Callable[[int], bool] = lambda index: True,
    short_side: int | None = None,
    failed: Callable[[FailedFrame], None] = _ignore,
) -> Iterator[Frame]:
    """Decode frame by frame; only the frames whose index is `wanted` are converted and yielded.

    With `short_side` larger frames are shrunk while they are converted, so that their shorter side has so many pixels.
    Frames that are damaged are handed to `failed` instead. Raises InputError if no frame can be decoded, if colours
    cannot be converted, or if the file ends before the clip does.
    """
    any_sound = False
    hint = "copy the file again, or re-encode it: ffmpeg -i clip -c:v libx264 fixed.mp4"
    with open_clip(path) as clip:
        convert = Converter(clip.stream.codec_context)
        first: VideoFrame | None = None
        for index, time, decoded in _deinterlaced(_Decoder(clip)):
            if decoded is None or decoded.is_corrupt:
                failed(FailedFrame(index, time, "cannot be decoded" if decoded is None else "damaged"))
                continue
            clip.check_size(decoded.width, decoded.height)
            first = first or decoded
            if wanted(index):
                try:
                    image, scale = _shown(decoded, clip, convert, short_side, _enlarged(decoded, first))
                except UnreadColours as error:
                    told = f"{path} has its colours as {error}, which cannot be converted"
                    raise InputError(told, "convert them: ffmpeg -i clip -vf zscale=matrix=709 fixed.mp4") from error
                except (FFmpegError, ValueError):
                    failed(FailedFrame(index, time, f"pixel format {decoded.format.name} cannot be converted"))
                    continue
                any_sound = True
                yield Frame(index, time, image, scale)
            any_sound = True
        if not any_sound:
            raise InputError(f"{path} contains no frame that can be decoded", hint)
        declared = clip.declared_duration()
        if declared and clip.end < 0.95 * declared - 1 / clip.rate:
            raise InputError(f"{path} is truncated: it ends at {clip.end:.1f} of {declared:.1f} s", hint)


class _Decoder:
    """Decodes a clip into (index, time, frame), with None for a lost frame."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._pending: list[float] = []  # times of packets whose frames are still to come
        self._last: float | None = None
        self._start: float | None = None
        self._index = 0

    def __iter__(self) -> Iterator[Decoded]:
        context, interval = self._clip.decoder(), 1 / self._clip.rate
        for packet in self._clip.packets():
            if packet.pts is not None and not packet.is_discard:
                self._pending.append(self._clip.seconds(packet.pts))
            try:
                decoded = context.decode(packet)
            except FFmpegError as error:
                _check_memory(error)
                continue
            for frame in decoded:
                yield from self._placed(frame, interval)
        try:
            for frame in context.decode(None):
                yield from self._placed(frame, interval)
        except FFmpegError as error:
            _check_memory(error)
        yield from self._lost(float("inf"), interval)

    def _placed(self, frame: VideoFrame, interval: float) -> Iterator[Decoded]:
        time = self._clip.seconds(frame.pts) if frame.pts is not None else None
        if time is None or (self._last is not None and time <= self._last):
            time = self._last + interval if self._last is not None else 0.0
        yield from self._lost(time, interval)
        yield self._next(time, frame)

    def _lost(self, before: float, interval: float) -> Iterator[Decoded]:
        """Packets without a frame; those close in time to a frame were a field or a hidden part of it."""
        due = sorted(time for time in self._pending if time <= before)
        self._pending = [time for time in self._pending if time > before]
        for time in due:
            if before - time > 0.75 * interval and (self._last is None or time - self._last > 0.75 * interval):
                yield self._next(time, None)

    def _next(self, time: float, frame: VideoFrame | None) -> Decoded:
        self._start = time if self._start is None else self._start
        self._last = time
        self._index += 1
        return self._index - 1, time - self._start, frame


def _check_memory(error: FFmpegError) -> None:
    if error.errno == errno.ENOMEM:
        raise MemoryError(error.strerror) from error


class _Deinterlacer:
    """Makes interlaced frames progressive with libavfilter's `bwdif`, one for one; it lags a frame behind."""

    def __init__(self, frame: VideoFrame) -> None:
        self.shape = _shape(frame)
        self._places: deque[tuple[int, float]] = deque()
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, av.time_base)
        )
        deinterlace = self._graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = self._graph.add("buffersink")
        source.link_to(deinterlace)
        deinterlace.link_to(sink)
        self._graph.configure()

    def push(self, index: int, time: float, frame: VideoFrame | None) -> Iterator[Decoded]:
        """Push a frame, or None at the end; returns the frames that are ready."""
        if frame is not None:
            self._places.append((index, time))
        self._graph.vpush(frame)
        while True:
            try:
                ready = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            yield *self._places.popleft(), ready


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _deinterlaced(items: Iterable[Decoded]) -> Iterator[Decoded]:
    """Decoded frames, deinterlaced from the first interlaced one on."""
    filtering: _Deinterlacer | None = None
    for index, time, frame in items:
        if frame is None:
            yield index, time, None
            continue
        if filtering is not None and filtering.shape != _shape(frame):
            yield from filtering.push(index, time, None)
            filtering = None
        if filtering is None and frame.interlaced_frame:
            filtering = _Deinterlacer(frame)
        if filtering is None:
            yield index, time, frame
        else:
            yield from filtering.push(index, time, frame)
    if filtering is not None:
        yield from filtering.push(0, 0.0, None)


def _enlarged(frame: VideoFrame, first: VideoFrame) -> tuple[float, float]:
    """How a frame is stretched, across and down, to the size of the first: video calls change their resolution. One of
    another shape is not."""
    across, down = first.width / frame.width, first.height / frame.height
    return (across, down) if abs(across / down - 1.0) < _SAME_SHAPE else (1.0, 1.0)


def _shown(
    frame: VideoFrame, clip: Clip, convert: Converter, short_side: int | None, enlarged: tuple[float, float]
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """The picture as a player shows it, and its scale, in pixels that are `enlarged`."""
    cut = clip.cropping if clip.cropping.fits(frame.width, frame.height) else Cropping()
    across, down = clip.stretch
    width, height = cut.size(frame.width, frame.height)
    shrink = 1.0 if short_side is None else min(1.0, short_side / min(width * across, height * down))
    columns, rows = (max(1, round(n)) for n in (frame.width * across * shrink, frame.height * down * shrink))
    image = convert.rgb(frame, columns, rows)
    at_x, at_y = columns / frame.width, rows / frame.height
    image = image[
        round(cut.top * at_y) : rows - round(cut.bottom * at_y),
        round(cut.left * at_x) : columns - round(cut.right * at_x),
    ]
    scale = (width * across * enlarged[0] / image.shape[1], height * down * enlarged[1] / image.shape[0])
    return _upright(image, scale, _display_matrix(frame))


def _display_matrix(frame: VideoFrame) -> tuple[float, float, float, float]:
    """(a, b, c, d), by which a point (p, q) of the picture is shown at (ap + cq, bp + dq)."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # the side data include a kind that PyAV does not know
        angle = math.radians(frame.rotation)
        return math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)
    if data is None:
        return 1.0, 0.0, 0.0, 1.0
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])  # type: ignore[call-overload]
    return a, b, c, d


def _upright(
    image: NDArray[np.uint8], scale: tuple[float, float], matrix: tuple[float, float, float, float]
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Turned and mirrored as a display matrix asks, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, scale, a, d = image.transpose(1, 0, 2), scale[::-1], c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1], scale
