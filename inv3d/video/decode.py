"""Streaming video decoding: frames upright, in RGB, keyed by index and time stamp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.errors import InputError


@dataclass(frozen=True)
class ClipInfo:
    """What the container declares. `frames` is 0 where it does not say; `duration` in seconds."""

    path: Path
    codec: str
    width: int
    height: int
    frames: int
    duration: float


@dataclass(frozen=True)
class Frame:
    """`image` [H,W,3] uint8 RGB, upright; `index` counts decoded frames, `time` is the time stamp in seconds.

    `scale` is how many pixels of the clip, across and down, one pixel of `image` stands for.
    """

    index: int
    time: float
    image: NDArray[np.uint8]
    scale: tuple[float, float] = (1.0, 1.0)

    def tensor(self) -> Tensor:
        """[3,H,W] float in [-1,1]."""
        return torch.from_numpy(np.ascontiguousarray(self.image)).permute(2, 0, 1).float().div(127.5).sub(1.0)


def _open(path: Path) -> av.container.InputContainer:
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the path")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video", "give one video file; loop over a folder in the shell")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)", "copy or record the file again")
    try:
        return av.open(str(path))
    except (FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path} is not a video, or it is damaged", "check that a player opens it; copy it again, or re-encode it"
        ) from error


def probe(path: Path) -> ClipInfo:
    """Read the container's header. Raises InputError if there is no video in it."""
    with _open(path) as container:
        if not container.streams.video:
            if len(container.streams) == 0:
                raise InputError(f"{path} is damaged: it holds no streams", "copy or record the file again")
            kind = "only audio" if container.streams.audio else "no video stream"
            raise InputError(f"{path} has {kind}", "give a clip with pictures")
        stream = container.streams.video[0]
        duration = (container.duration or 0) / av.time_base
        if stream.duration and stream.time_base:
            duration = float(stream.duration * stream.time_base)
        return ClipInfo(path, stream.codec_context.name, stream.width, stream.height, stream.frames, duration)


def _upright(frame: av.VideoFrame, short_side: int | None) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """RGB in full range, turned as the rotation metadata asks, and its scale."""
    full = frame.color_range == ColorRange.JPEG
    shrink = 1.0 if short_side is None else min(1.0, short_side / min(frame.width, frame.height))
    width, height = round(frame.width * shrink), round(frame.height * shrink)
    image = frame.to_ndarray(
        format="rgb24", width=width, height=height, interpolation=Interpolation.AREA,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG, dst_color_range=ColorRange.JPEG,
    )  # fmt: skip
    quarters = round(frame.rotation / 90) % 4
    scale = (frame.width / width, frame.height / height)
    return np.rot90(image, quarters), scale[::-1] if quarters % 2 else scale


def frames(
    path: Path, wanted: Callable[[int], bool] = lambda index: True, short_side: int | None = None
) -> Iterator[Frame]:
    """Decode one frame after the other; only those `wanted` by index are converted and yielded.

    With `short_side` larger frames are shrunk while they are converted, so that their shorter side has so many pixels.
    Raises InputError where the stream breaks off or holds fewer frames than its header declares.
    """
    info = probe(path)
    decoded = 0
    hint = "copy the file again, or re-encode it: ffmpeg -i clip -c:v libx264 fixed.mp4"
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            for index, frame in enumerate(container.decode(stream)):
                decoded = index + 1
                if wanted(index):
                    time = frame.time if frame.time is not None else index / float(stream.average_rate or 25)
                    yield Frame(index, time, *_upright(frame, short_side))
        except FFmpegError as error:
            raise InputError(
                f"{path} is damaged: decoding stops after {decoded} frames ({error.strerror})", hint
            ) from error
    if decoded == 0:
        raise InputError(f"{path} holds no frame that can be decoded", hint)
    if decoded < 0.95 * info.frames - 1:
        raise InputError(f"{path} is truncated: {decoded} of {info.frames} frames can be decoded", hint)
