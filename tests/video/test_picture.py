"""Picture files of every kind: each comes in right, or ends with one clear line."""

import os
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, TiffImagePlugin

from inv3d.core.errors import InputError, Inv3dError, OutOfMemoryError
from inv3d.video import picture as pictures
from inv3d.video.picture import read_picture as read

FAULTS = Path(__file__).parents[3] / "shared" / "faults"


@pytest.fixture(scope="module")
def portrait():
    """A soft colourful picture of 180 x 140 pixels, as an array."""
    y, x = np.mgrid[:140, :180] / 140.0
    waves = [np.sin(3 * x + 2 * y), np.cos(4 * y - x), np.sin(5 * x * y)]
    return (127.5 + 110 * np.stack(waves, -1)).astype(np.uint8)


@pytest.fixture(scope="module")
def plain(portrait):
    return tensor(portrait)


def tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1


def differ(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean difference in grey levels."""
    assert a.shape == b.shape
    return float((a - b).abs().mean() * 127.5)


def read_picture(path: Path) -> torch.Tensor:
    return read(path).image


def refused(words: str, path: Path, error: type[Inv3dError] = InputError) -> None:
    with pytest.raises(error, match=words) as caught:
        read_picture(path)
    assert "\n" not in caught.value.message and path.name in caught.value.message


def test_a_plain_photo_keeps_every_pixel(portrait, plain, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "x.png")
    assert torch.equal(read_picture(tmp_path / "x.png"), plain)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_every_orientation_of_the_metadata_comes_upright(portrait, plain, tmp_path, orientation, ending):
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}
    stored = np.rot90(portrait, turns[orientation])
    if orientation in (2, 4, 5, 7):
        stored = np.fliplr(stored)
    image, path = Image.fromarray(np.ascontiguousarray(stored)), tmp_path / f"x.{ending}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    assert torch.equal(read_picture(path), plain)


def exif(tags: list[tuple[int, int, int, bytes]], order: str = "<") -> bytes:
    """An EXIF block of raw tags: number, type, count, four bytes or more of value."""
    out, beyond = b"", b""
    start = 8 + 2 + 12 * len(tags) + 4
    for number, kind, count, value in tags:
        if len(value) > 4:
            value, beyond = struct.pack(order + "I", start + len(beyond)), beyond + value
        out += struct.pack(order + "HHI", number, kind, count) + value.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    header = mark + struct.pack(order + "HIH", 42, 8, len(tags))
    return b"Exif\0\0" + header + out + struct.pack(order + "I", 0) + beyond


SIDEWAYS = (0x0112, 3, 1, struct.pack("<H", 6))
BAD_TAGS = {
    "negative rational": (0x011A, 5, 1, struct.pack("<ii", -1, 0)),
    "text where a number belongs": (0x011A, 2, 6, b"hello\0"),
    "number where a text belongs": (0x010E, 5, 1, struct.pack("<II", 1, 3)),
    "unknown type": (0x010E, 99, 3, b"abc"),
    "beyond the end": (0x010E, 2, 1 << 30, struct.pack("<I", 1 << 29)),
    "text that is not UTF-8": (0x010E, 2, 4, b"\xff\xfe\x80\0"),
    "GPS that is not there": (0x8825, 4, 1, struct.pack("<I", 1 << 30)),
    "EXIF that points to itself": (0x8769, 4, 1, struct.pack("<I", 8)),
    "float that is not a number": (0x011A, 11, 1, struct.pack("<f", float("nan"))),
}


@pytest.mark.parametrize("bad", BAD_TAGS)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_bad_tag_is_no_reason_and_the_orientation_counts(portrait, plain, tmp_path, bad, ending):
    block = exif(sorted([SIDEWAYS, BAD_TAGS[bad]]))
    path = tmp_path / f"x.{ending}"
    Image.fromarray(np.rot90(portrait).copy()).save(path, exif=block, quality=95)
    assert differ(read_picture(path), plain) < 6


@pytest.mark.parametrize("block", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0" + bytes(40), bytes(range(200))])
def test_metadata_that_is_none_is_ignored(portrait, plain, tmp_path, block):
    Image.fromarray(portrait).save(tmp_path / "x.jpg", exif=block, quality=95)
    assert differ(read_picture(tmp_path / "x.jpg"), plain) < 3


@pytest.mark.parametrize(("mode", "signs", "words"), [("I", 1, "unsigned 32-bit numbers"), ("L", 2, "signed 8-bit numbers")])
def test_a_tiff_whose_numbers_pillow_misreads_is_refused(tmp_path, mode, signs, words):
    Image.new(mode, (64, 64), 200).save(tmp_path / "x.tif", tiffinfo={TiffImagePlugin.SAMPLEFORMAT: 3 - signs})
    read_picture(tmp_path / "x.tif")
    data = (tmp_path / "x.tif").read_bytes()
    tag = struct.pack("<HHI", TiffImagePlugin.SAMPLEFORMAT, 3, 1)
    (tmp_path / "x.tif").write_bytes(data.replace(tag + bytes([3 - signs]), tag + bytes([signs])))
    refused(words, tmp_path / "x.tif")


def test_a_tiff_of_a_kind_that_is_not_read_is_called_so(tmp_path):
    (tmp_path / "x.tif").write_bytes(b"II*\0" + bytes(60))
    refused("TIFF of a kind that is not read", tmp_path / "x.tif")


def test_a_tiff_with_a_bad_tag_comes_upright(portrait, plain, tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112], tags[0x011A] = 6, 72.0
    path = tmp_path / "x.tif"
    Image.fromarray(np.rot90(portrait).copy()).save(path, tiffinfo=tags)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHI", 0x011A, 5, 1)) + 8
    offset = struct.unpack("<I", data[at : at + 4])[0]
    data[offset : offset + 8] = struct.pack("<ii", -1, 0)
    path.write_bytes(data)
    assert torch.equal(read_picture(path), plain)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_three_planes_of_16_bits(portrait, plain, tmp_path, order):
    height, width = portrait.shape[:2]
    planes = (portrait.transpose(2, 0, 1).astype(order + "u2") * 257).astype(order + "u2").tobytes()
    size = len(planes) // 3
    tags = [(256, [width]), (257, [height]), (258, [16] * 3), (259, [1]), (262, [2]), (273, [0, size, 2 * size]),
            (277, [3]), (278, [height]), (279, [size] * 3), (284, [2])]  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    begin = start + sum(4 * len(values) for _, values in tags if len(values) > 1)
    entries, beyond = b"", b""
    for number, values in tags:
        values = [begin + value for value in values] if number == 273 else values
        packed = b"".join(struct.pack(order + "I", value) for value in values)
        if len(values) > 1:
            packed, beyond = struct.pack(order + "I", start + len(beyond)), beyond + packed
        entries += struct.pack(order + "HHI", number, 4, len(values)) + packed
    mark = b"II" if order == "<" else b"MM"
    header = mark + struct.pack(order + "HIH", 42, 8, len(tags))
    (tmp_path / "x.tif").write_bytes(header + entries + bytes(4) + beyond + planes)
    assert torch.equal(read_picture(tmp_path / "x.tif"), plain)


def test_transparent_places_are_grey(portrait, plain, tmp_path):
    alpha = np.full(portrait.shape[:2], 255, np.uint8)
    alpha[:40] = 0
    Image.fromarray(np.dstack([portrait, alpha])).save(tmp_path / "x.png")
    found = read_picture(tmp_path / "x.png")
    assert float(found[:, :40].abs().max()) < 0.01
    assert torch.equal(found[:, 40:], plain[:, 40:])


def test_an_animation_gives_its_first_picture(portrait, plain, tmp_path):
    first, second = Image.fromarray(portrait), Image.fromarray(255 - portrait)
    first.save(tmp_path / "x.webp", save_all=True, append_images=[second], lossless=True)
    assert differ(read_picture(tmp_path / "x.webp"), plain) < 2


@pytest.mark.parametrize("name", ["large.jpg", "large.png"])
def test_huge_photos_are_shrunk(portrait, tmp_path, monkeypatch, name):
    monkeypatch.setattr(pictures, "LARGEST_SIDE", 500)
    Image.fromarray(portrait).resize((2560, 1440)).save(tmp_path / name)
    picture = read(tmp_path / name)
    assert 250 < max(picture.image.shape) <= 500
    assert picture.scale == pytest.approx(2560 / max(picture.image.shape))


def test_two_hundred_megapixels_are_read(tmp_path):
    # a picture of one bit is the quickest to make
    half = Image.new("1", (16_000, 12_500), 1)
    half.paste(0, (0, 0, 8_000, 12_500))
    half.save(tmp_path / "x.tif", compression="group4")
    padded = (tmp_path / "x.tif").read_bytes() + bytes(30_000)
    (tmp_path / "x.tif").write_bytes(padded)
    picture = read(tmp_path / "x.tif")
    found = picture.image
    assert max(found.shape) <= 4096 and picture.scale == pytest.approx(16_000 / found.shape[2])
    assert float(found[..., :1900].max()) == -1.0 and float(found[..., 2100:].min()) == 1.0


def png(width: int, height: int, *chunks: tuple[bytes, bytes], pixels: bytes = bytes(100), depth: int = 8) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


LONG = zlib.compress(bytes(3 << 20))
CHUNKS = {
    "long zTXt": [(b"zTXt", b"Comment\0\0" + LONG)],
    "long iTXt": [(b"iTXt", b"Comment\0\1\0\0\0" + LONG)],
    "long iCCP": [(b"iCCP", b"icc\0\0" + LONG)],
    "many texts": [(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20)))] * 80,
    "damaged zTXt": [(b"zTXt", b"Comment\0\0nothing")],
    "zTXt of another method": [(b"zTXt", b"Comment\0\7" + LONG)],
    "empty iTXt": [(b"iTXt", b"")],
    "short pHYs": [(b"pHYs", b"\0")],
    "short gAMA": [(b"gAMA", b"")],
    "short cHRM": [(b"cHRM", b"\0\0\0")],
    "short sRGB": [(b"sRGB", b"")],
    "short tRNS": [(b"tRNS", b"\0")],
    "damaged eXIf": [(b"eXIf", b"II*\0\xff\xff\xff\xff")],
    "short acTL": [(b"acTL", b"\0")],
    "private chunk": [(b"prVt", bytes(1000))],
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_what_a_png_says_beside_its_pixels_is_no_reason(portrait, plain, tmp_path, kind):
    rows = b"".join(b"\0" + row.tobytes() for row in portrait)
    (tmp_path / "x.png").write_bytes(png(180, 140, *CHUNKS[kind], pixels=rows))
    assert torch.equal(read_picture(tmp_path / "x.png"), plain)


def test_a_wrong_checksum_of_a_text_is_no_reason(portrait, plain, tmp_path):
    rows = b"".join(b"\0" + row.tobytes() for row in portrait)
    data = png(180, 140, (b"tEXt", b"Comment\0hello"), pixels=rows).replace(b"hello", b"jello")
    (tmp_path / "x.png").write_bytes(data)
    assert torch.equal(read_picture(tmp_path / "x.png"), plain)


ENDINGS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 95}, "progressive.jpg": {"quality": 95, "progressive": True}, "png": {}, "bmp": {},
    "tif": {}, "ppm": {}, "tga": {}, "webp": {"lossless": True}, "avif": {"quality": 95}, "qoi": {}, "dds": {},
}  # fmt: skip


@pytest.mark.parametrize("missing", [1, 2, 20])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_last_bytes_may_be_missing(portrait, plain, tmp_path, ending, missing):
    path = tmp_path / f"x.{ending}"
    image = Image.fromarray(portrait)
    image.save(path, **ENDINGS[ending])
    whole = read_picture(path)
    path.write_bytes(path.read_bytes()[: -min(missing, 2 if ending in ("webp", "avif") else missing)])
    assert differ(read_picture(path), whole) < 8


@pytest.mark.parametrize("ending", [*ENDINGS, "gif", "jp2"])
def test_half_a_file_is_refused(portrait, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    Image.fromarray(portrait).save(path, **ENDINGS.get(ending, {}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused("damaged", path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.7, 0.8])
def test_a_progressive_file_without_its_later_scans_is_refused(portrait, tmp_path, share):
    path = tmp_path / "x.jpg"
    Image.fromarray(portrait).save(path, progressive=True, quality=90)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused("damaged", path)


def test_an_interlaced_picture_cut_in_half_is_refused(portrait, tmp_path):
    Image.fromarray(portrait).quantize(64).save(tmp_path / "x.gif", interlace=1)
    (tmp_path / "x.gif").write_bytes((tmp_path / "x.gif").read_bytes()[:-800])
    refused("damaged", tmp_path / "x.gif")


def test_what_is_no_usable_picture_is_told_in_one_line(portrait, tmp_path):
    def written(words: str, name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        refused(words, tmp_path / name)

    refused("does not exist", tmp_path / "nothing.png")
    written("is empty", "empty.png", b"")
    written("not a picture", "text.png", b"no picture at all")
    written("million pixels", "bomb.png", png(60_000, 60_000))
    written("million pixels", "bomb2.png", png(20_000, 17_000))
    written("damaged", "short.png", png(300, 300))
    written("not a picture", "program.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n")
    written(r"cannot be read \(\.CR2\)", "raw.CR2", b"II*\0 and so on")
    Image.fromarray(portrait[:20, :20]).save(tmp_path / "tiny.png")
    refused("only 20 x 20", tmp_path / "tiny.png")
    (tmp_path / "folder.png").mkdir()
    refused("is a folder", tmp_path / "folder.png")
    refused("does not exist", tmp_path / "tiny.png" / "x.png")
    refused("cannot be opened", tmp_path / ("x" * 300 + ".png"))


def test_a_huge_file_of_nothing_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("read whole"))
    for name, start, words in (("x.jpg", b"", "not a picture"), ("x.png", b"\x89PNG\r\n\x1a\n", "damaged")):
        with (tmp_path / name).open("wb") as file:
            file.write(start)
            file.truncate(1 << 30)
        refused(words, tmp_path / name)


def test_a_damaged_tiff_prints_nothing(portrait, tmp_path, capfd):
    path = tmp_path / "x.tif"
    Image.fromarray(portrait).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[2000:2400] = b"\xa5" * 400
    path.write_bytes(data)
    refused("damaged", path)
    print("heard", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "heard\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refused("not a regular file", tmp_path / "pipe.png")
    refused("not a regular file", Path("/dev/zero"))


def test_what_may_not_be_read_is_named(portrait, tmp_path, monkeypatch):
    Image.fromarray(portrait).save(tmp_path / "x.png")

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    refused("cannot be opened: permission denied", tmp_path / "x.png")


@pytest.mark.parametrize(
    "error", [RuntimeError, NotImplementedError, TypeError, RecursionError, OverflowError, KeyError]
)
def test_whatever_a_decoder_raises_is_told_in_one_line(portrait, tmp_path, monkeypatch, error):
    def broken(*args, **kwargs):
        raise error("broken\ndecoder")

    Image.fromarray(portrait).save(tmp_path / "x.png")
    for method in ("load", "draft", "convert"):
        with monkeypatch.context() as patch:
            patch.setattr(Image.Image, method, broken)
            patch.setattr("PIL.ImageFile.ImageFile.load", broken)
            refused("damaged", tmp_path / "x.png")


def test_too_little_memory_is_told(portrait, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise MemoryError

    Image.fromarray(portrait).save(tmp_path / "x.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", broken)
    refused("memory", tmp_path / "x.png", OutOfMemoryError)


def test_a_picture_that_does_not_fit_into_the_memory_is_not_decoded(portrait, plain, tmp_path, monkeypatch):
    Image.fromarray(portrait).save(tmp_path / "x.png")
    monkeypatch.setattr("inv3d.memory.free_memory", lambda: 20 * 180 * 140)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    refused(r"180 x 140 pixels\) needs about 0.1 GB", tmp_path / "x.png", OutOfMemoryError)
    monkeypatch.undo()
    monkeypatch.setattr("inv3d.memory.free_memory", lambda: 40 * 180 * 140)
    assert torch.equal(read_picture(tmp_path / "x.png"), plain)


def gif(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    image = b",\0\0\0\0" + size + b"\0\x02\x02\x44\x01\0"
    return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + image + b";"


def lossless_webp(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 14) + b"\x2f" + struct.pack("<I", bits) + bytes(9)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


CLAIMS = {
    "x.png": png(16_000, 16_000),
    "x.webp": lossless_webp(16_000, 16_000),
    "x.gif": gif(16_000, 16_000),
    "x.bmp": b"BM" + struct.pack("<IIIIiiHHIIiiII", 100, 0, 54, 40, 16_000, 16_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "x.tga": struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 16_000, 16_000, 24, 0) + bytes(50),
    "x.ppm": b"P6 16000 16000 255\n" + bytes(50),
    "x.qoi": b"qoif" + struct.pack(">IIBB", 16_000, 16_000, 3, 0) + bytes(50),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_tiny_files_that_claim_large_pictures_are_not_decoded(tmp_path, monkeypatch, name):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    (tmp_path / name).write_bytes(CLAIMS[name])
    refused("claims 16000 x 16000 pixels but is only", tmp_path / name)


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [(4000, 48, "too flat"), (1_000_000, 48, "too flat"), (48, 4000, "too narrow"), (3000, 1, "too flat")],
)
def test_thin_pictures_are_refused_before_decoding(tmp_path, monkeypatch, width, height, words):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    (tmp_path / "x.png").write_bytes(png(width, height))
    refused(words, tmp_path / "x.png")


def test_heic_is_read_with_the_extra_or_named(portrait, plain, tmp_path, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    path = tmp_path / "x.heic"
    Image.fromarray(portrait).save(path, quality=95)
    assert differ(read_picture(path), plain) < 4
    assert "HEIF" in pictures._formats()
    monkeypatch.setattr(pictures, "_formats", lambda: ("JPEG", "PNG"))
    refused("HEIC photo, which cannot be read without pillow-heif", path)


def test_names_may_hold_anything(portrait, plain, tmp_path):
    for name in ("[/x].png", "a:b.png", "-x.png", "two\nlines.png", os.fsdecode(b"caf\xe9.png"), "n" * 250 + ".png"):
        Image.fromarray(portrait).save(tmp_path / "plain.png")
        try:
            (tmp_path / "plain.png").rename(tmp_path / name)
        except OSError:
            continue  # not a name on this system
        assert torch.equal(read_picture(tmp_path / name), plain)


def wide_gamut() -> bytes:
    """A profile whose red is the blue of sRGB and the other way round."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    for i in range(count):
        at = 132 + 12 * i
        swap = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(bytes(data[at : at + 4]))
        if swap:
            data[at : at + 4] = swap
    return bytes(data)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "avif"])
def test_profiles_are_applied_and_damaged_ones_ignored(portrait, plain, tmp_path, ending):
    def saved(profile: bytes) -> torch.Tensor:
        path = tmp_path / f"x.{ending}"
        Image.fromarray(portrait).save(path, icc_profile=profile, quality=95)
        return read_picture(path)

    assert differ(saved(wide_gamut()), plain.flip(0)) < 6
    for damaged in (b"no profile", bytes(200), wide_gamut()[:300], wide_gamut()[:-400]):
        assert differ(saved(damaged), plain) < 6


@pytest.mark.skipif(not FAULTS.exists(), reason="the examples are not here")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken.avif", "damaged"), ("odd.dds", "damaged"), ("thin.png", "too flat for a head"),
        ("large-claim.webp", "bytes long"), ("exif-rational.jpg", None), ("long-text.png", None),
        ("no-end-marker.jpg", None), ("display-p3.jpg", None), ("phone.heic", None), ("bad-exif.webp", None),
    ],
)  # fmt: skip
def test_examples_that_were_handled_wrongly(name, words):
    if name == "phone.heic":
        pytest.importorskip("pillow_heif")
    if words:
        refused(words, FAULTS / name)
    else:
        found = read_picture(FAULTS / name)
        assert found.shape == ((3, 96, 96) if name == "bad-exif.webp" else (3, 800, 640))


@pytest.mark.skipif(not FAULTS.exists(), reason="the examples are not here")
def test_the_example_in_display_p3_has_the_colours_of_its_twin():
    assert differ(read_picture(FAULTS / "display-p3.jpg"), read_picture(FAULTS / "no-end-marker.jpg")) < 2
