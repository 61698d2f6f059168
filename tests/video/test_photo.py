"""Photos of every kind: each comes in right, or ends with one clear line."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from inv3d.core.errors import InputError
from inv3d.video import photo as photos
from inv3d.video.photo import align_photo, read_photo


@pytest.fixture(scope="module")
def portrait(turn):
    """A head at 320 x 180, as an array."""
    from inv3d.core.procedural.renderer import HeadRenderer

    image = turn.render(HeadRenderer(), 12).image[0].permute(1, 2, 0)
    return image.add(1).mul(127.5).round().clamp(0, 255).byte().numpy()


@pytest.fixture(scope="module")
def plain(portrait, tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "plain.png"
    Image.fromarray(portrait).save(path)
    return read_photo(path)


def differ(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean difference in grey levels."""
    assert a.shape == b.shape
    return float((a - b).abs().mean() * 127.5)


def test_a_plain_photo_keeps_every_pixel(plain, portrait):
    assert torch.equal(plain, torch.from_numpy(portrait).permute(2, 0, 1).float() / 127.5 - 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_the_metadata_comes_upright(plain, portrait, tmp_path, orientation):
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}
    stored = np.rot90(portrait, turns[orientation])
    if orientation in (2, 4, 5, 7):
        stored = np.fliplr(stored)
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "x.png", exif=exif)
    assert torch.equal(read_photo(tmp_path / "x.png"), plain)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "RGBA", "YCbCr", "1", "I;16", "I", "F"])
def test_all_modes_become_rgb(portrait, tmp_path, mode):
    grey = Image.fromarray(portrait).convert("L")
    if mode in ("I;16", "I"):
        image = Image.fromarray(
            (np.asarray(grey).astype(np.int32) * 257).astype(np.uint16 if mode == "I;16" else np.int32)
        )
    elif mode == "F":
        image = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    else:
        image = Image.fromarray(portrait).convert(mode)
    path = tmp_path / ("x.tif" if mode in ("CMYK", "YCbCr", "I", "F") else "x.png")
    image.save(path)
    colour = mode in ("P", "CMYK", "RGBA", "YCbCr")
    expected = portrait if colour else np.repeat(np.asarray(grey)[..., None], 3, 2)
    tolerance = {"1": 130.0, "P": 16.0}.get(mode, 1.5)
    target = torch.from_numpy(expected.copy()).permute(2, 0, 1).float() / 127.5 - 1
    assert differ(read_photo(path), target) < tolerance


def test_transparent_places_are_grey(portrait, tmp_path):
    alpha = np.full(portrait.shape[:2], 255, np.uint8)
    alpha[:40] = 0
    Image.fromarray(np.dstack([portrait, alpha])).save(tmp_path / "x.png")
    found = read_photo(tmp_path / "x.png")
    assert float(found[:, :40].abs().max()) < 0.01
    Image.fromarray(portrait).save(tmp_path / "plain.png")
    assert torch.equal(found[:, 40:], read_photo(tmp_path / "plain.png")[:, 40:])


def test_an_animation_gives_its_first_picture(portrait, plain, tmp_path):
    first, second = Image.fromarray(portrait), Image.fromarray(255 - portrait)
    first.save(tmp_path / "x.webp", save_all=True, append_images=[second], lossless=True)
    assert differ(read_photo(tmp_path / "x.webp"), plain) < 2


@pytest.mark.parametrize("name", ["large.jpg", "large.png"])
def test_huge_photos_are_shrunk(portrait, tmp_path, monkeypatch, name):
    monkeypatch.setattr(photos, "LARGEST_SIDE", 500)
    Image.fromarray(portrait).resize((2560, 1440)).save(tmp_path / name)
    assert 250 < max(read_photo(tmp_path / name).shape) <= 500


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def test_what_is_no_usable_picture_is_told_in_one_line(portrait, tmp_path):
    def refused(words: str, name: str, content: bytes | None = None) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            read_photo(tmp_path / name)
        assert "\n" not in caught.value.message and name in caught.value.message

    refused("does not exist", "nothing.png")
    refused("is empty", "empty.png", b"")
    refused("not a picture", "text.png", b"no picture at all")
    refused("million pixels", "bomb.png", png_that_claims(60_000, 60_000))
    refused("million pixels", "bomb2.png", png_that_claims(20_000, 17_000))
    refused("damaged", "short.png", png_that_claims(300, 300))
    Image.fromarray(portrait).save(tmp_path / "whole.jpg")
    refused("damaged", "half.jpg", (tmp_path / "whole.jpg").read_bytes()[:2000])
    Image.fromarray(portrait[:20, :20]).save(tmp_path / "tiny.png")
    refused("only 20 x 20", "tiny.png")
    (tmp_path / "folder.png").mkdir()
    refused("cannot be read|damaged|not a picture", "folder.png")


def test_the_head_is_cut_out_as_the_model_sees_heads(demo, portrait, turn, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "x.png")
    small = align_photo(tmp_path / "x.png", demo)
    assert small.image.shape == (1, 3, 256, 256) and small.confidence > 0.5
    # a larger copy of the photo shows the same
    Image.fromarray(portrait).resize((1600, 900), Image.Resampling.LANCZOS).save(tmp_path / "large.png")
    large = align_photo(tmp_path / "large.png", demo)
    assert differ(small.image, large.image) < 8
    assert torch.allclose(small.camera.cam2world, large.camera.cam2world, atol=0.15)


def test_photos_without_one_head_are_named(demo, portrait, tmp_path):
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"no head is found in .*grey\.png"):
        align_photo(tmp_path / "grey.png", demo)
    Image.fromarray(np.hstack([portrait, portrait])).save(tmp_path / "two.png")
    with pytest.raises(InputError, match=r"there are 2 heads in .*two\.png, at \(\d+, \d+\) and"):
        align_photo(tmp_path / "two.png", demo)
