"""Repair of picture files with missing last bytes or damaged metadata, which viewers show all the same."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LOST = 0.1
"""Fraction of a picture's rows that may be missing."""
_PADDING = 0.05  # of the file, or so many bytes:
_LEAST_PADDING = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_SHOWN = (b"tRNS", b"cICP", b"iCCP", b"eXIf", b"cHRM", b"gAMA", b"sRGB")
"""Ancillary chunks that change a PNG's appearance."""
_END = b"\xff\xd9"
_GARBAGE = bytes([0x5A, 0x33, 0xC9, 0x96]) * (1 << 14)


def mended(data: bytes) -> Iterator[bytes]:
    """The file `data` without what may be damaged and with what may be missing at its end, the best first; nothing if
    too much is missing. A decoder has the last word.
    """
    if data.startswith(_PNG):
        yield without_metadata(data, _SHOWN)
        yield without_metadata(data, ())
    elif data.startswith(b"\xff\xd8"):
        data = data.rstrip(b"\xff")  # half a marker
        if lost_of_jpeg(data) <= LOST:
            yield data + _END
    else:
        yield data + bytes(max(_LEAST_PADDING, int(_PADDING * len(data))))


def without_metadata(png: bytes, shown: tuple[bytes, ...]) -> bytes:
    """A PNG of its critical chunks and of those of the kinds `shown` whose checksum is right."""
    kept, at = [_PNG], len(_PNG)
    while at + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 4 : at + 8 + length]
        critical = not kind[0] & 0x20
        sound = png[at + 8 + length : at + 12 + length] == struct.pack(">I", zlib.crc32(body))
        if critical or (kind in shown and sound):
            kept.append(png[at : at + 12 + length])
        at += 12 + length
    return b"".join(kept)


def lost_of_jpeg(data: bytes) -> float:
    """Fraction of a JPEG's rows that are missing because the file ends early.

    Decoders fill what is missing. Rows that depend on the bytes that follow the end are not in the file.
    """
    if not _all_scans(data):
        return 1.0
    first, second = (_pixels(data + tail + _END) for tail in (b"", _GARBAGE))
    differ = np.flatnonzero((first != second).reshape(len(first), -1).any(1))
    return 1.0 - float(differ[0]) / len(first) if len(differ) else 0.0


def _pixels(jpeg: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg)) as file:
        file.draft("L", (512, 512))
        return np.asarray(file)


def _all_scans(jpeg: bytes) -> bool:
    """Whether every coefficient of every component is sent to its last bit; a progressive file sends them bit by bit."""
    wanted: set[tuple[int, int]] = set()
    at, progressive = 2, False
    while at + 4 <= len(jpeg):
        at = jpeg.find(b"\xff", at)
        if at < 0 or at + 4 > len(jpeg):
            break
        marker = jpeg[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            at += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        segment = jpeg[at + 4 : at + 2 + length]
        if marker == 0xC2 and len(segment) >= 6:
            progressive = True
            components = [segment[6 + 3 * i] for i in range(segment[5]) if 6 + 3 * i < len(segment)]
            wanted = {(component, k) for component in components for k in range(64)}
        elif marker == 0xDA and progressive and len(segment) >= 4 and len(segment) == 4 + 2 * segment[0]:
            start, end, bits = segment[-3:]
            if not bits & 15:
                scanned = [segment[1 + 2 * i] for i in range(segment[0])]
                wanted -= {(component, k) for component in scanned for k in range(start, end + 1)}
        at += 2 + length
    return not wanted
