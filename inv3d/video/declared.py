"""Colours that a picture file declares by numbers (ITU-T H.273) instead of by a profile, as HDR pictures do."""

from __future__ import annotations

HEADER = 1 << 16
"""First bytes of a file in which its colours are looked for."""
Colours = tuple[int, int]
"""Transfer function and primaries."""
_PNG = b"\x89PNG\r\n\x1a\n"


def declared_colours(header: bytes) -> Colours | None:
    """What the chunk `cICP` of a PNG (third edition, 11.3.2.6) or the box `colr` of an AVIF or HEIF (ISO/IEC 14496-12,
    12.1.5) says; None for others. `header` is the first `HEADER` bytes of the file."""
    if header.startswith(_PNG):
        start = header.find(b"cICP", 0, header.find(b"IDAT"))
        found = header[start + 4 : start + 6]
        return (found[1], found[0]) if start > 0 and len(found) == 2 else None
    if header[4:8] == b"ftyp":
        start = header.find(b"colrnclx")
        found = header[start + 8 : start + 12]
        return (int.from_bytes(found[2:], "big"), int.from_bytes(found[:2], "big")) if start > 0 and len(found) == 4 else None
    return None
