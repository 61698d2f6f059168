"""Reading picture files: oriented by their metadata, in sRGB, at a manageable size."""

from __future__ import annotations

import functools
import io
import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor

from inv3d.core.errors import InputError, OutOfMemoryError
from inv3d.core.views import from_bytes
from inv3d.memory import ran_out, require
from inv3d.video.declared import HEADER, Colours, declared_colours
from inv3d.video.mend import LOST, mended
from inv3d.video.srgb import shrunk, to_srgb

LARGEST_SIDE = 4096
"""Larger photos are shrunk; no generator renders as many pixels."""
_MOST_PIXELS = 300_000_000
_MOST_BYTES = 2 << 30
_MOST_MENDED = 256 << 20
"""Bytes of a damaged file that is worth a second copy in memory."""
_SMALLEST_SIDE = 48
_FLATTEST = 8.0  # ratio of the longer side to the shorter one
_LONGEST_TEXT = 32 << 20  # bytes of a text or a profile in a PNG, unpacked
_HARMLESS = 4_000_000  # pixels that a file of any size may claim
_PIXEL = {"AVIF": 12, "HEIF": 12, "WEBP": 16}
"""Bytes of memory that a pixel takes while a format is decoded, 4 in others."""
_DENSEST = 10_000  # pixels per byte; the most uniform photos have a few hundred
_BEHIND = (127, 127, 127)
"""The colour behind transparent pixels."""
_ORIENTATION = 0x0112
_MISREAD = {(8, 2): "signed", (32, 1): "unsigned"}
"""Bits and signs of grey TIFFs that Pillow reads as if they were of the other kind."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_USUAL = "save it as PNG or JPEG"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_NO_PHOTOS = frozenset({"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow recognises but cannot read by itself, or reads by starting another program."""
_HEIF_ENDINGS = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_RAW_ENDINGS = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".jxl", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"}
)
"""Endings of photos that are not read: raw files of cameras, and JPEG XL."""

logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def _formats() -> tuple[str, ...]:
    """Names of the formats that are read; HEIF among them if `pillow_heif` is installed."""
    Image.init()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    return tuple(name for name in Image.ID if name not in _NO_PHOTOS)


def photo_endings() -> frozenset[str]:
    """Endings, in lower case with their dot, of files that are photos, whether they can be read here or not."""
    formats = _formats()
    read = {ending for ending, name in Image.registered_extensions().items() if name in formats}
    return frozenset(read | _HEIF_ENDINGS | _RAW_ENDINGS)


@dataclass(frozen=True)
class Picture:
    """`image` [3,H,W] in [-1,1]; `scale` is the side of its pixels in pixels of the file, above 1 if it was shrunk."""

    image: Tensor
    scale: float


def read_picture(path: Path) -> Picture:
    """Read a picture of any depth and colour space, oriented by its metadata; of an animation, the first frame.

    Raises InputError if it is not a picture, damaged, or too small, too flat or too large to work with, and
    OutOfMemoryError.
    """
    size = _check_file(path)
    try:
        try:
            image, scale = _read(path, path, size)
        except (InputError, OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # decoders raise anything
            if ran_out(error):
                raise MemoryError from error
            image, scale = _mended(path, size, error)
    except MemoryError as error:
        raise OutOfMemoryError(f"there is not enough memory to read {path}", "shrink the photo first") from error
    return Picture(from_bytes(torch.from_numpy(np.array(image)).permute(2, 0, 1)), scale)


def _check_file(path: Path) -> int:
    """The size in bytes of a file that may be opened: never a pipe or a device, which could hang."""
    if path.suffix.lower() in _RAW_ENDINGS:
        raise InputError(f"{path} is in a format that cannot be read ({path.suffix})", "save it as JPEG or PNG")
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path} is a folder, not a photo", "name a photo in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is not a regular file", "save the photo as a file")
        if status.st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)", "copy or save the photo again")
        if status.st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES >> 30} GB", "save it as JPEG")
        with path.open("rb"):
            return status.st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path} does not exist", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be opened: {reason.lower()}", "check the path and its permissions") from error


@contextmanager
def _own_settings() -> Iterator[None]:
    """Replace Pillow's limits by ours, let libtiff read all TIFFs, and silence Pillow's warnings."""
    own = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, TiffImagePlugin.READ_LIBTIFF
    # Pillow raises above twice its limit
    Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = _MOST_PIXELS // 2, _LONGEST_TEXT
    # its own decoder mixes up the planes of 16 bits
    TiffImagePlugin.READ_LIBTIFF = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, TiffImagePlugin.READ_LIBTIFF = own


@contextmanager
def _silenced() -> Iterator[None]:
    """Suppress libtiff's own messages on the process's standard error."""
    try:
        own = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(nowhere)


_Read = tuple[Image.Image, float]
"""A picture in RGB, and its scale."""


def _read(path: Path, source: Path | IO[bytes], size: int, check_rows: bool = False) -> _Read:
    """Decode `source`, the file `path` of `size` bytes or a mended copy. Raises anything for damaged files.

    With `check_rows`, InputError if many rows at the end are empty.
    """
    with _own_settings():
        try:
            file = Image.open(source, formats=_formats())
        except Image.DecompressionBombError as error:
            raise _too_large(path) from error
        with file:
            _check_size(path, file, size)
            _check_samples(path, file)
            whole = max(file.size)
            profile = file.info.get("icc_profile")
            # JPEGs can be decoded at a fraction of their size
            file.draft("RGB", (LARGEST_SIDE, LARGEST_SIDE))
            require(
                _needed(file),
                f"reading {path} ({file.width} x {file.height} pixels)",
                "close other programs, or shrink the photo first",
            )
            with _silenced() if file.format == "TIFF" else nullcontext():
                file.load()
            turn = _TURNS.get(_orientation(file))
            image = to_srgb(shrunk(file, LARGEST_SIDE), profile, _colours(source))
            # the rows of an interlaced picture are not stored in order
            if check_rows and (file.info.get("interlace") or _empty_rows(image) > LOST):
                raise _damaged(path)
    if image.mode == "RGBA":
        behind = Image.new("RGBA", image.size, (*_BEHIND, 255))
        image = Image.alpha_composite(behind, image).convert("RGB")
    return (image if turn is None else image.transpose(turn)), whole / max(image.size)


def _colours(source: Path | IO[bytes]) -> Colours | None:
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        file.seek(0)
        return declared_colours(file.read(HEADER))


def _mended(path: Path, size: int, reason: Exception) -> _Read:
    """The readable part of a damaged file. Raises InputError for `reason` unless that is most of it."""
    with path.open("rb") as file:
        start = file.read(HEADER)
    if isinstance(reason, UnidentifiedImageError) and not start.startswith(b"\x89PNG"):
        raise _unknown(path, start) from reason
    if size > _MOST_MENDED:
        raise _damaged(path) from reason
    data = path.read_bytes()
    try:
        copies = list(mended(data))
    except Exception:
        raise _damaged(path) from reason
    for copy in copies:
        try:
            return _read(path, io.BytesIO(copy), size)
        except (InputError, OutOfMemoryError, MemoryError):
            raise
        except Exception:  # decoders raise anything
            continue
    if data.startswith(b"\x89PNG"):
        return _read_part(path, copies[-1], size, reason)
    raise _damaged(path) from reason


def _read_part(path: Path, png: bytes, size: int, reason: Exception) -> _Read:
    """A PNG whose last rows are missing. Raises InputError for `reason` if many are."""
    own = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return _read(path, io.BytesIO(png), size, check_rows=True)
    except (InputError, OutOfMemoryError, MemoryError):
        raise
    except Exception:
        raise _damaged(path) from reason
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = own


def _empty_rows(image: Image.Image) -> float:
    """Fraction of rows, at the end, that only have the colour of the last one."""
    pixels = np.asarray(image)
    rows = np.flatnonzero((pixels != pixels[-1, -1]).any((1, 2)))
    return 1.0 - (float(rows[-1]) + 1.0) / len(pixels) if len(rows) else 1.0


def _orientation(file: Image.Image) -> int:
    try:
        return int(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata raises anything
        return 1


def _check_size(path: Path, file: Image.Image, size: int) -> None:
    """Check the size that a header claims, before anything is decoded."""
    width, height = file.size
    claim = f"{width} x {height} pixels"
    if width * height > _MOST_PIXELS:
        raise _too_large(path)
    if width > _FLATTEST * height:
        raise InputError(f"{path} has {claim}: it is too flat for a head", "crop the photo to one head")
    if height > _FLATTEST * width:
        raise InputError(f"{path} has {claim}: it is too narrow for a head", "crop the photo to one head")
    if min(width, height) < _SMALLEST_SIDE:
        raise InputError(f"{path} is only {claim}", "use a larger photo")
    if width * height > max(_HARMLESS, _DENSEST * size):
        raise InputError(f"{path} claims {claim} but is only {size} bytes long", "it is damaged; save the photo again")


def _check_samples(path: Path, file: Image.Image) -> None:
    tags = getattr(file, "tag_v2", {})
    bits, signs = (tags.get(tag, (1,))[0] for tag in (TiffImagePlugin.BITSPERSAMPLE, TiffImagePlugin.SAMPLEFORMAT))
    if signed := _MISREAD.get((bits, signs)):
        raise InputError(f"{path} is a TIFF of {signed} {bits}-bit numbers, which is not read", _USUAL)


def _needed(file: Image.Image) -> int:
    """Bytes of memory for a picture: decoded, and then shrunk, as bytes and as floats."""
    small = min(1.0, LARGEST_SIDE / max(file.size)) ** 2
    return round(file.width * file.height * (_PIXEL.get(file.format or "", 4) + 24 * small))


def _too_large(path: Path) -> InputError:
    return InputError(f"{path} claims more than {_MOST_PIXELS // 10**6} million pixels", "shrink the photo first")


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged, or in a format that cannot be read", "save it again as PNG or JPEG")


def _unknown(path: Path, data: bytes) -> InputError:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and "HEIF" not in _formats():
        return InputError(
            f"{path} is an HEIC photo, which cannot be read without pillow-heif",
            "install it with `pip install pillow-heif`, or save the photo as JPEG",
        )
    if data.startswith(_TIFF):
        return InputError(f"{path} is a TIFF of a kind that is not read, or it is damaged", _USUAL)
    return InputError(
        f"{path} is not a picture, or it is damaged", "save it as PNG or JPEG, and check that a viewer opens it"
    )
