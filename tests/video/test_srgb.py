"""Pictures of every depth and colour space in sRGB with 8 bits."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from inv3d.video.srgb import shrunk, to_srgb


@pytest.fixture(scope="module")
def ramp():
    """Grey levels from 0 to 255 over 64 x 256 pixels."""
    return np.tile(np.arange(256, dtype=np.uint8), (64, 1))


@pytest.fixture(scope="module")
def colours(ramp):
    return np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 90)], -1)


def rgb(image: Image.Image, profile: bytes | None = None) -> np.ndarray:
    return np.asarray(to_srgb(shrunk(image, 4096), profile)).astype(int)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, 2)
    return float(np.abs(found - expected.astype(int)).mean())


@pytest.mark.parametrize("mode", ["P", "CMYK", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV", "LAB"])
def test_colours_survive_in_every_mode(colours, mode):
    image = Image.fromarray(colours)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        changed = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
        assert changed is not None
        image = changed
    elif mode == "RGBa":
        image = image.convert("RGBA").convert("RGBa")
    else:
        image = image.quantize(256) if mode == "P" else image.convert(mode)
    assert error(rgb(image)[..., :3], colours) < {"P": 4, "HSV": 3, "LAB": 3}.get(mode, 1.5)


@pytest.mark.parametrize("mode", ["L", "LA", "La", "1"])
def test_greys_survive_in_every_mode(ramp, mode):
    image = Image.fromarray(ramp)
    image = image.convert("LA").convert("La") if mode == "La" else image.convert(mode)
    assert error(rgb(image)[..., :3], ramp) < (130 if mode == "1" else 0.5)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "white"), [("u2", 65535), ("u2", 4095), ("u2", 255), ("i4", 65535), ("i4", 1 << 30)])
def test_integers_of_more_bits(ramp, order, kind, white):
    values = (ramp.astype(np.float64) / 255 * white).round().astype(order + kind)
    assert error(rgb(Image.fromarray(values)), ramp) < 1


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 3e9])
def test_floats(ramp, white):
    values = ramp.astype(np.float32) / 255 * white
    values[0, :4] = (np.nan, np.inf, -np.inf, 0)
    assert error(rgb(Image.fromarray(values))[1:], ramp[1:]) < 1


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_floats_may_exceed_white_and_black_a_little_or_in_a_few_places(ramp, white):
    """Sharpened edges, and lamps."""
    values = ramp.astype(np.float32) / 255 * white
    values[values == white] *= 1.03
    values[0, :10] = 40 * white
    values[1, :10] = -white
    assert error(rgb(Image.fromarray(values))[2:], ramp[2:]) < 1


def test_negative_numbers_begin_at_black(ramp):
    assert error(rgb(Image.fromarray(ramp.astype(np.int32) * 200 - 20_000)), ramp) < 1
    found = rgb(Image.fromarray(ramp.astype(np.float32) - 100))
    assert found.min() == 0 and (np.diff(found[0, :, 0]) >= 0).all()


@pytest.mark.parametrize("value", [0, 255])
def test_one_level_everywhere_is_no_reason(value):
    for kind in (np.uint16, np.int32, np.float32):
        assert np.isfinite(rgb(Image.fromarray(np.full((50, 50), value, kind)))).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_tiffs_whose_smallest_value_is_white(ramp, kind):
    values = (255 - ramp).astype(kind) * (257 if kind == np.uint16 else 1)
    data = io.BytesIO()
    Image.fromarray(ramp.astype(kind) * kind(257 if kind == np.uint16 else 1)).save(data, "TIFF")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    stored = io.BytesIO()
    # Pillow inverts what it writes with 8 bits, and not with 16
    Image.fromarray(values if kind == np.uint16 else ramp).save(stored, "TIFF", tiffinfo=tags)
    file = Image.open(stored)
    assert isinstance(file, TiffImagePlugin.TiffImageFile) and file.tag_v2[262] == 0
    assert error(rgb(file), ramp) < 1


def test_a_transparent_colour_that_the_picture_cannot_have_is_ignored(colours):
    image = Image.fromarray(colours)
    image.info["transparency"] = (70_000, -1)
    assert error(rgb(image), colours) == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_large_pictures_are_converted_in_bands(mode):
    y, x = np.mgrid[:700, :900]
    grey = ((x + y) / 1600 * 255).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = Image.fromarray(grey).convert(mode)
    whole = to_srgb(shrunk(image, 2000), None).convert("RGB").resize((129, 100), Image.Resampling.BOX)
    small = to_srgb(shrunk(image, 150), None).convert("RGB")
    assert max(small.size) <= 150
    again = np.asarray(small.resize((129, 100), Image.Resampling.BOX)).astype(int)
    assert np.abs(again - np.asarray(whole).astype(int)).mean() < (8 if mode == "1" else 2)


def test_a_grey_profile_and_grey_pictures_with_a_profile_of_colours(ramp):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert error(rgb(Image.fromarray(ramp), srgb), ramp) < 2


def test_a_profile_that_makes_white_dark_is_ignored(colours):
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = data.index(b"XYZ \0\0\0\0", 300)  # the values of the first colour
    for _ in range(5):
        data[at + 8 : at + 20] = bytes(12)
        nxt = data.find(b"XYZ \0\0\0\0", at + 8)
        if nxt < 0:
            break
        at = nxt
    assert error(rgb(Image.fromarray(colours), bytes(data)), colours) == 0
