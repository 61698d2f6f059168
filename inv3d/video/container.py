"""Opening clips: supported formats and sizes, and the choice of the track."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from PIL import Image

from inv3d.core.errors import InputError
from inv3d.video.cropping import Cropping, declared_cropping

MAX_PIXELS = 8192 * 4608
"""Pixels of a frame; larger frames are refused before decoding."""
MIN_SIDE = 48
"""Pixels; smaller frames cannot show a head."""
MAX_ASPECT = 4.0
"""Ratio of the longer side to the shorter one; the time to search for a head is proportional to it."""
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,gif,apng,dv,wtv,rm,nut,ivf,obu,"
    "h264,hevc,vvc,av1,m4v,mjpeg,yuv4mpegpipe"
)
"""Demuxers that read a single file and nothing else: no playlists, no image sequences, no network."""
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]", b"v=0", b"<smil")
_STILL_BRANDS = {"heic", "heix", "heim", "heis", "mif1", "avif"}
_NO_CLIP = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
_UNTIMED = ("asf", "avi", "mxf")
"""Containers that store no time at which a frame is shown: FFmpeg's guesses are wrong for H.264 with B-frames."""
_LEAP = 10.0
"""Seconds; time stamps that jump back, or ahead by more than this, belong to another recording joined to the first."""


@dataclass(frozen=True)
class ClipInfo:
    """The properties that the container declares; the number of frames is counted if it is not declared.

    `width` and `height` are coded, before cropping and turning; `frames` is the number of frames, `duration` is in
    seconds, `rate` in frames per second.
    """

    path: Path
    codec: str
    width: int
    height: int
    frames: int
    duration: float
    rate: float


@dataclass
class Clip:
    """An open clip: its track, the part of the picture that is shown, and the shape (width / height) of a pixel.

    `end` is how many seconds of it were read, by the file's own time stamps.
    """

    path: Path
    container: InputContainer
    stream: VideoStream
    cropping: Cropping
    pixel_aspect: Fraction
    end: float = 0.0

    @property
    def rate(self) -> float:
        """Frames per second as declared; 25 if the declared rate is not plausible."""
        declared = self.stream.average_rate or self.stream.guessed_rate
        return float(declared) if declared and 0.01 <= declared <= 1000 else 25.0

    @property
    def stretch(self) -> tuple[float, float]:
        """Horizontal and vertical stretch that makes the pixels square; the shorter axis is enlarged."""
        aspect = float(self.pixel_aspect)
        return max(aspect, 1.0), 1.0 / min(aspect, 1.0)

    def decoder(self) -> VideoCodecContext:
        """An open decoder of the track."""
        context = self.stream.codec_context
        # FFmpeg's own decoders of VP8 and VP9 ignore transparency
        other = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(context.name)
        if other in av.codecs_available and self.stream.metadata.get("alpha_mode") == "1":
            context = cast(VideoCodecContext, CodecContext.create(other, "r"))
        # the stream itself may declare a larger size than its container
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_type = "AUTO"
        try:
            context.open(strict=False)
        except FFmpegError as error:
            raise InputError(
                f"{self.path} cannot be decoded: {error.strerror}", "check that a player opens it, or re-encode it"
            ) from error
        return context

    def seconds(self, stamp: int) -> float:
        return float(stamp * (self.stream.time_base or Fraction(1, av.time_base)))

    def declared_duration(self) -> float | None:
        """Duration of the track in seconds, if the container declares it."""
        stream, container = self.stream, self.container
        if stream.duration:
            return self.seconds(stream.duration)
        if tagged := _clock_time(stream.metadata.get("DURATION", "")):
            return tagged
        # the whole container may last longer than this track
        return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None

    @property
    def untimed(self) -> bool:
        """Whether the track does not say when a frame is shown, so that frames only follow each other."""
        context = self.stream.codec_context
        return self.container.format.name in _UNTIMED and context.name == "h264" and context.has_b_frames

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets of the track, their time stamps continuous also where recordings were joined; those of an untimed track
        only say when they are decoded. Unreadable packets are skipped.
        """
        untimed = self.untimed
        shift, last, failures, start = 0, None, 0, 0.0
        back, leap, step = (self._ticks(s) for s in (0.5, max(_LEAP, 5 / self.rate), 1 / self.rate))
        while failures < 16:
            try:
                for packet in self.container.demux(self.stream):
                    failures = 0
                    if not packet.size:  # a dropped frame, or the end
                        continue
                    if packet.dts is not None:
                        if last is not None and not -back <= packet.dts + shift - last <= leap:
                            shift = last + (packet.duration or step) - packet.dts
                        last = packet.dts + shift
                        packet.dts = last
                    if packet.pts is not None:
                        time = self.seconds(packet.pts)
                        start = min(start, time)
                        self.end = max(self.end, time + self.seconds(packet.duration or 0) - start)
                        packet.pts = None if untimed else packet.pts + shift
                    yield packet
                return
            except FFmpegError:
                failures += 1

    def _ticks(self, seconds: float) -> int:
        return max(1, round(seconds / self.seconds(1)))

    def check_size(self, width: int, height: int) -> None:
        """Raise InputError if the coded frames are too large, too small or too thin."""
        shown = self.cropping.size(width, height)
        across, down = (pixels * by for pixels, by in zip(shown, self.stretch, strict=True))
        size = f"{width} x {height} pixels"
        if max(width * height, across * down) > MAX_PIXELS:
            raise InputError(
                f"{self.path} has frames of {size}; at most {MAX_PIXELS // 10**6} million pixels are read",
                "make it smaller: ffmpeg -i clip -vf scale=1920:-2 smaller.mp4",
            )
        if min(shown) < MIN_SIDE:
            raise InputError(f"{self.path} has frames of only {size}", "use a larger clip")
        if max(across, down) > MAX_ASPECT * min(across, down):
            raise InputError(
                f"{self.path} is too thin for a head: its frames have {size}"
                + (f" of shape {self.pixel_aspect}" if self.pixel_aspect != 1 else ""),
                "crop the clip to the head: ffmpeg -i clip -vf crop=w:h:x:y head.mp4",
            )


@contextmanager
def open_clip(path: Path) -> Iterator[Clip]:
    """Open the clip in a video file. Raises InputError for anything else, before decoding."""
    with _opened(path) as container:
        stream = _clip_stream(path, container)
        cropping = declared_cropping(path, container, stream)
        clip = Clip(path, container, stream, cropping, stream.sample_aspect_ratio or Fraction(1))
        if stream.width and stream.height:
            clip.check_size(stream.width, stream.height)
        yield clip


def probe(path: Path) -> ClipInfo:
    """Read the container's properties of the clip; packets are counted if the number of frames is not declared.

    Raises InputError if there is no clip in it.
    """
    with open_clip(path) as clip:
        stream = clip.stream
        size = (stream.codec_context.name, stream.width, stream.height)
        duration = clip.declared_duration()
        if stream.frames and duration and clip.container.format.name.startswith("mov"):
            # an edit list may show fewer frames than are stored
            return ClipInfo(path, *size, min(stream.frames, max(1, round(duration * clip.rate))), duration, clip.rate)
        stamps = sorted(_stamps(clip))
        steps = sorted(b - a for a, b in pairwise(stamps) if b > a)
        step = steps[len(steps) // 2] if steps else 1 / clip.rate
        return ClipInfo(path, *size, len(stamps), stamps[-1] - stamps[0] + step if stamps else 0.0, 1 / step)


def _stamps(clip: Clip) -> Iterator[float]:
    for count, packet in enumerate(clip.packets()):
        stamp = packet.pts if packet.pts is not None else packet.dts
        yield clip.seconds(stamp) if stamp is not None else count / clip.rate


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    head = _first_bytes(path)
    # `file:` keeps a colon in the name from being taken for a protocol, and a dash from being an option
    url = "file:" + os.fspath(path)
    limits = {"format_whitelist": _FORMATS, "protocol_whitelist": "file", "max_streams": "64"}
    try:
        container = av.open(
            url, options={"max_pixels": str(MAX_PIXELS)}, container_options=limits, metadata_errors="ignore"
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise _refusal(path, head) from error
    with container:
        if container.metadata.get("major_brand", "").strip() in _STILL_BRANDS:
            raise _picture(path)
        yield container


def _first_bytes(path: Path) -> bytes:
    """The first bytes of a regular file. Raises InputError for anything else, without waiting for it."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(
                f"{path} is a folder, not a video", "use one video file; for all videos in a folder: inv3d batch"
            )
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is not a regular file", "save the clip to a file first")
        if status.st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)", "copy or record the file again")
        with path.open("rb") as file:
            return file.read(1024)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputError(f"{path} does not exist", "check the path") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error


def _refusal(path: Path, head: bytes) -> InputError:
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_PLAYLISTS) or b"<MPD" in head:
        return InputError(f"{path} is a playlist, not a video", "use the video file that it names")
    try:
        with Image.open(path):
            return _picture(path)
    except Exception:  # whatever Pillow raises, it is not a picture
        return InputError(
            f"{path} is not a video, or it is damaged", "check that a player opens it; copy it again, or re-encode it"
        )


def _picture(path: Path) -> InputError:
    return InputError(f"{path} is a picture, not a video", "use: inv3d image")


def _clip_stream(path: Path, container: InputContainer) -> VideoStream:
    """The default video track, else the largest; never a cover picture, a thumbnail, or one frame beside a clip."""
    if not len(container.streams):
        raise InputError(f"{path} is damaged: it contains no streams", "copy or record the file again")
    tracks = container.streams.video
    if not tracks:
        kind = "only audio" if container.streams.audio else "no video stream"
        raise InputError(f"{path} has {kind}", "use a clip with a video stream")
    moving = [track for track in tracks if not track.disposition & _NO_CLIP]
    if not moving:
        raise InputError(f"{path} has no video, only a cover picture", "use a clip with moving pictures")
    known = [track for track in moving if track.codec_context is not None]
    if not known:
        raise InputError(
            f"{path} has a video track of an unknown codec, or it is damaged",
            "check that a player opens it, or re-encode it: ffmpeg -i clip -c:v libx264 fixed.mp4",
        )
    return max(known, key=_prominence)


def _prominence(track: VideoStream) -> tuple[bool, bool, int]:
    """What decides between tracks: whether it moves, is the default, and its size. A sequence of AVIF or HEIF pictures
    has its title picture as a track of one frame."""
    return track.frames != 1, bool(track.disposition & Disposition.default), track.width * track.height


def _clock_time(text: str) -> float | None:
    """Seconds of a time such as 00:01:02.5, as Matroska's statistics tags write it."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds)
    except ValueError:
        return None
