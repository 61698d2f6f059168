"""Conversion of pictures of any depth and colour space to 8-bit sRGB."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from inv3d.video import colour
from inv3d.video.declared import Colours

_WHITES = (1.0, 255.0, 1023.0, 4095.0, 65535.0)
"""White levels of pictures with more than 8 bits; the smallest that holds their largest value applies."""
_TAILS, _BRIGHT, _BEYOND = (0.1, 99.9), 95.0, 1.5
"""Percentiles of floats that count as black and white, because single pixels may be anything; one that no more than the
brightest lights exceed, and by which factor it may exceed white."""
_BAND = 64  # rows of the small picture that are converted together
_ALPHA = ("LA", "RGBA")
_MIN_IS_WHITE, _PHOTOMETRIC, _BITS = 0, 262, 258  # TIFF 6.0, section 8

Levels = tuple[float, float]
"""The values of black and white."""


def shrunk(image: Image.Image, largest: int) -> Image.Image:
    """The picture in L, LA, RGB, RGBA, CMYK or LAB with 8 bits, its sides at most `largest`.

    Converted and shrunk in bands, so that a large picture is in memory only once.
    """
    levels = levels_of(image)
    factor = max(1, max(image.size) // largest)
    if factor == 1:
        small = _plain(image, levels)
    else:
        width, height = (-(-side // factor) for side in image.size)
        small = Image.new("L", (0, 0))
        for top, band in _bands(image, _BAND * factor):
            part = _plain(band, levels).reduce(factor)
            if small.mode != part.mode or not small.width:
                small = Image.new(part.mode, (width, height))
            small.paste(part, (0, top // factor))
    small.thumbnail((largest, largest), Image.Resampling.BOX)
    return small


def _bands(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    """Bands of a number of rows, with the index of their first row."""
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def levels_of(image: Image.Image) -> Levels | None:
    """Black and white of a picture of 16 bits, integers or floats; None for one of 8 bits."""
    if not image.mode.startswith(("I", "F")):
        return None
    ranges = [_range(np.asarray(band)) for _, band in _bands(image, 1024)]
    low, high = min(low for low, _, _ in ranges), max(high for _, _, high in ranges)
    most = max(most for _, most, _ in ranges)
    white = next((white for white in _WHITES if most <= white), high)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (0,))[0]
    if image.mode.startswith("I;16") and 8 < bits < 16:
        white = float(2**bits - 1)
    black, white = (low, high) if low < 0.0 else (0.0, white)
    white = max(white, black + 1e-6)
    return (white, black) if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE else (black, white)


def _range(values: NDArray[np.generic]) -> tuple[float, float, float]:
    """Smallest value, the one that white is not below, and largest value, of those that are numbers; 0 if none is.

    White may be below a few floats: those of lights, and of edges that were sharpened.
    """
    numbers = values[np.isfinite(values)]
    if not numbers.size:
        return 0.0, 0.0, 0.0
    if not np.issubdtype(numbers.dtype, np.floating):
        return float(numbers.min()), float(numbers.max()), float(numbers.max())
    low, bright, high = np.percentile(numbers, (_TAILS[0], _BRIGHT, _TAILS[1]))
    return float(low), float(bright) / _BEYOND, float(high)


def _plain(image: Image.Image, levels: Levels | None) -> Image.Image:
    """The picture in L, LA, RGB, RGBA, CMYK or LAB with 8 bits."""
    if levels is not None:
        black, white = levels
        values = np.nan_to_num(np.asarray(image).astype(np.float32), nan=black, posinf=white, neginf=black)
        return Image.fromarray(((values - black) / (white - black) * 255.0).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("La", "RGBa"):
        return image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("L", "RGB", "CMYK", "LAB", *_ALPHA) and "transparency" not in image.info:
        return image
    grey = image.mode in ("1", "L")
    if image.has_transparency_data:
        try:
            return image.convert("LA" if grey else "RGBA")
        except (ValueError, TypeError):  # a colour that the picture's mode does not support
            image.info.pop("transparency", None)
    return image.convert("L" if grey else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None, colours: Colours | None = None) -> Image.Image:
    """A picture as `shrunk` gives it in RGB or RGBA, in sRGB if its file declares other `colours`, or if its ICC profile can
    be used, else as if it were sRGB."""
    plain = image.convert("L" if image.mode == "LA" else "RGB") if image.mode in _ALPHA else image
    if colours is not None and colour.beyond_srgb(*colours):
        converted = _of_wide(plain, *colours)
    else:
        converted = _converted(plain, profile)
    if image.mode in _ALPHA:
        converted.putalpha(image.getchannel("A"))
    return converted


def _of_wide(image: Image.Image, transfer: int, primaries: int) -> Image.Image:
    """A picture of high dynamic range or wide primaries in sRGB, in bands, because light takes much memory."""
    converted = Image.new("RGB", image.size)
    for top, band in _bands(image.convert("RGB"), _BAND):
        levels = np.asarray(band).astype(np.uint16) * 257
        converted.paste(Image.fromarray(colour.to_srgb(levels, transfer, primaries)), (0, top))
    return converted


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        result = ImageCms.profileToProfile(image, lab, _srgb(), outputMode="RGB")
        assert result is not None
        return result
    if profile:
        # grey pictures often carry a colour profile
        for candidate in (image, image.convert("RGB")):
            try:
                transform = ImageCms.buildTransform(
                    ImageCms.ImageCmsProfile(io.BytesIO(profile)), _srgb(), candidate.mode, "RGB"
                )
                if _sensible(transform, candidate.mode):
                    result = ImageCms.applyTransform(candidate, transform)
                    assert result is not None
                    return result
            except Exception:  # damaged profiles raise anything
                continue
    return image.convert("RGB")


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _sensible(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a profile keeps white light and black dark, which a damaged one may not."""
    white, black = ((0, 0, 0, 0), (0, 0, 0, 255)) if mode == "CMYK" else ((255,) * len(mode), (0,) * len(mode))
    light, dark = (
        ImageCms.applyTransform(Image.new(mode, (1, 1), colour if mode != "L" else colour[0]), transform)
        for colour in (white, black)
    )
    assert light is not None and dark is not None
    return min(light.tobytes()) > 180 and max(dark.tobytes()) < 90
