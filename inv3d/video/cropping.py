"""Cropping declared by the container.

libavcodec applies the cropping of the coded stream itself; that of the container it leaves to the player, and PyAV does
not hand it on. It is read here: `clap` of ISO base media files (ISO/IEC 14496-12, 12.1.4), `PixelCrop` of Matroska
(RFC 9559, 5.1.4.1.28).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from av.container import InputContainer
from av.video.stream import VideoStream

_MOST_HEADER = 64_000_000
"""Bytes of a header that are searched."""


@dataclass(frozen=True)
class Cropping:
    """Pixels to remove at each side of the coded picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The remaining part of a picture."""
        return width - self.left - self.right, height - self.top - self.bottom

    def fits(self, width: int, height: int) -> bool:
        return min(self.left, self.top, self.right, self.bottom) >= 0 and min(self.size(width, height)) > 0


def declared_cropping(path: Path, container: InputContainer, stream: VideoStream) -> Cropping:
    """The cropping of a track; none if it is absent or not plausible."""
    try:
        with path.open("rb") as file:
            match container.format.name.split(",")[0]:
                case "mov":
                    return _clean_aperture(file, stream.id)
                case "matroska":
                    return _pixel_crop(file, container.streams.video.index(stream))
    except (struct.error, ValueError, ZeroDivisionError, IndexError, KeyError, StopIteration):
        pass  # a damaged header is left to the decoder
    return Cropping()


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int]]:
    """Type and length of the content of the boxes up to `end`; the file stands at the content."""
    while (start := file.tell()) + 8 <= end:
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
        size = size or end - start
        stop = start + size
        if stop > end or stop <= start:
            return
        yield kind, stop - file.tell()
        file.seek(stop)


def _content(data: bytes, *path: bytes) -> Iterator[bytes]:
    """The contents of all boxes at `path` within `data`."""
    if not path:
        yield data
        return
    file = BytesIO(data)
    for kind, length in _boxes(file, len(data)):
        if kind == path[0]:
            yield from _content(file.read(length), *path[1:])


def _clean_aperture(file: BinaryIO, track: int) -> Cropping:
    """The cropping of the track with this number."""
    end = file.seek(0, 2)
    file.seek(0)
    for kind, length in _boxes(file, end):
        if kind == b"moov" and length <= _MOST_HEADER:
            for trak in _content(file.read(length), b"trak"):
                header = next(_content(trak, b"tkhd"), b"")
                if struct.unpack_from(">I", header, 20 if header[:1] == b"\x01" else 12)[0] == track:
                    return _clap(next(_content(trak, b"mdia", b"minf", b"stbl", b"stsd"), b""))
    return Cropping()


def _clap(descriptions: bytes) -> Cropping:
    """Of the first sample entry: 8 bytes of `stsd`, 8 of the box, 78 of a visual sample entry, then its boxes."""
    entry = next(_content(descriptions[8:], descriptions[12:16]), b"")
    width, height = struct.unpack_from(">2H", entry, 24)
    for values in _content(entry[78:], b"clap"):
        w, w_by, h, h_by, x, x_by, y, y_by = struct.unpack_from(">IIIIiIiI", values)
        shown_w, shown_h = w / w_by, h / h_by
        left, top = (width - shown_w) / 2 + x / x_by, (height - shown_h) / 2 + y / y_by
        cropping = Cropping(round(left), round(top), width - round(left + shown_w), height - round(top + shown_h))
        return cropping if cropping.fits(width, height) else Cropping()
    return Cropping()


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Identifier and content of the EBML elements in `data`; the last one may be cut off."""
    at = 0
    while at < len(data):
        name, at = _vint(data, at, keep_marker=True)
        size, at = _vint(data, at)
        yield name, data[at : at + size]
        at += size


def _vint(data: bytes, at: int, keep_marker: bool = False) -> tuple[int, int]:
    """A number of variable length, and where it ends (RFC 8794, 4)."""
    length = 9 - data[at].bit_length()
    if length > 8:
        raise ValueError("not an EBML number")
    value = int.from_bytes(data[at : at + length], "big")
    return value if keep_marker else value & ((1 << 7 * length) - 1), at + length


_SEGMENT, _TRACKS, _TRACK, _TYPE, _VIDEO, _WIDTH, _HEIGHT = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0xE0, 0xB0, 0xBA
_CROPS = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}


def _pixel_crop(file: BinaryIO, place: int) -> Cropping:
    """The cropping of the video track with this index; tracks precede the first cluster."""
    segment = dict(elements(file.read(1_000_000)))[_SEGMENT]
    tracks = next(content for name, content in elements(segment) if name == _TRACKS)
    entries = [dict(elements(content)) for name, content in elements(tracks) if name == _TRACK]
    video = [entry[_VIDEO] for entry in entries if entry.get(_TYPE) == b"\x01"][place]
    values = {name: int.from_bytes(content, "big") for name, content in elements(video)}
    cropping = Cropping(**{side: values.get(name, 0) for name, side in _CROPS.items()})
    return cropping if cropping.fits(values[_WIDTH], values[_HEIGHT]) else Cropping()
