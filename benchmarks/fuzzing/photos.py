"""Damaged photos: what `inv3d image` reads, in every format that Pillow writes, with metadata, profiles and texts."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from fuzzing.damage import Random, damaged_bytes, pick
from inv3d.places import find_photos
from inv3d.video.picture import photo_endings, read_picture

_MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "LAB", "I;16", "I", "F")
_OPTIONS: dict[str, tuple[dict[str, object], ...]] = {
    "JPEG": ({"quality": 60}, {"progressive": True, "restart_marker_blocks": 4}),
    "PNG": ({}, {"compress_level": 0}),
    "TIFF": ({}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"compression": "tiff_deflate"}),
    "WEBP": ({}, {"lossless": True}),
    "JPEG2000": ({}, {"irreversible": True, "tile_size": (32, 32)}),
}
_DIMENSIONS = (0, 1, 47, 48, 255, 4096, 16_000, 17_320, 30_000, 65_535)


class Kind:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        photo_endings()  # registers HEIF, if it is there
        y, x = np.mgrid[:72, :96] / 72.0
        waves = [np.sin(3 * x + 2 * y), np.cos(4 * y - x), np.sin(5 * x * y)]
        picture = Image.fromarray((127.5 + 110 * np.stack(waves, -1)).astype(np.uint8))
        self.sound: list[tuple[str, bytes]] = []
        endings = {name: ending for ending, name in reversed(Image.registered_extensions().items())}
        for name in sorted(Image.SAVE):
            if endings.get(name) not in photo_endings():
                continue
            for mode in _MODES:
                for options in _OPTIONS.get(name, ({},)):
                    data = _saved(picture, name, mode, options)
                    if data:
                        self.sound.append((endings[name], data))

    def make(self, random: Random) -> Path:
        ending, data = pick(random, self.sound)
        path = self.folder / f"photo{ending if random.random() < 0.9 else pick(random, sorted(photo_endings()))}"
        roll = random.random()
        if roll < 0.15 and ending == ".png":
            data = _damaged_chunks(random, data)
        elif roll < 0.3:
            data = _other_numbers(random, data)
        else:
            data = damaged_bytes(random, data)
        path.write_bytes(data)
        return path

    def read(self, path: Path) -> None:
        for photo in find_photos([path]):
            picture = read_picture(photo).image
            assert picture.isfinite().all() and picture.shape[0] == 3


def _saved(picture: Image.Image, name: str, mode: str, options: dict[str, object]) -> bytes | None:
    """The picture in a mode and a format, with all that can be said about it; None if the format has no such mode."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "a head", 72.0
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "hello " * 50, zip=True)
    text.add_itxt("Title", "a head", zip=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extra = {"exif": exif, "icc_profile": profile, **({"pnginfo": text} if name == "PNG" else {})}
    grey = np.asarray(picture.convert("L"))
    try:
        if mode in ("I;16", "I", "F"):
            kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
            image = Image.fromarray((grey * 257.0).astype(kind))
        elif mode == "LAB":
            image = picture.convert("LAB")
        else:
            image = picture.convert(mode)
        buffer = io.BytesIO()
        image.save(buffer, name, **extra, **options)
    except Exception:  # plugins raise anything for what they cannot write
        return None
    return buffer.getvalue()


def _other_numbers(random: Random, data: bytes) -> bytes:
    """Two or four bytes that may be a width, a height, a count or an offset, as others."""
    raw = bytearray(data)
    for form in [pick(random, ["<H", ">H", "<I", ">I"]) for _ in range(int(random.integers(1, 4)))]:
        at = int(random.integers(min(len(raw) - 4, 200)))
        raw[at : at + struct.calcsize(form)] = struct.pack(form, pick(random, list(_DIMENSIONS)))
    return bytes(raw)


def _damaged_chunks(random: Random, png: bytes) -> bytes:
    """A PNG with damaged chunks whose checksums are right."""
    chunks, at = [], 8
    while at + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks.append((kind, png[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(int(random.integers(1, 4))):
        i = int(random.integers(len(chunks)))
        kind, body = chunks[i]
        match int(random.integers(4)):
            case 0:
                chunks[i] = kind, damaged_bytes(random, body)
            case 1:
                kinds = [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"cHRM", b"sRGB", b"tRNS", b"pHYs", b"acTL", b"fcTL", b"fdAT", b"PLTE"]  # fmt: skip
                chunks.insert(i, (pick(random, kinds), body or random.bytes(20)))
            case 2:
                long = zlib.compress(bytes(int(2 ** random.uniform(10, 26))))
                named = [(b"zTXt", b"a\0\0" + long), (b"iTXt", b"a\0\1\0\0\0" + long), (b"iCCP", b"a\0\0" + long)]
                chunks.insert(i, pick(random, named))
            case 3:
                chunks.insert(int(random.integers(len(chunks))), chunks.pop(i))
    out = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        out.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(out)
