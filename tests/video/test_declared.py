"""Colours that picture files declare by numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inv3d.video.declared import declared_colours
from inv3d.video.picture import read_picture
from tests.video.clips import encode
from tests.video.test_colour import as_pq, light
from tests.video.test_picture import png

P3, BT2020, SRGB, PQ, HLG = 12, 9, 13, 16, 18
ROWS, COLUMNS = np.mgrid[:96, :128]
RAMP = np.stack([30 + COLUMNS, 50 + ROWS, np.full_like(ROWS, 80)], -1).astype(np.uint8)


def as_8_bits(value: np.ndarray) -> np.ndarray:
    return (value * 255 + 0.5).astype(np.uint8)


def shown(path: Path) -> np.ndarray:
    pixels: np.ndarray = ((read_picture(path).image.permute(1, 2, 0) + 1) * 127.5).round().numpy()
    return pixels


def written(path: Path, pixels: np.ndarray, primaries: int, transfer: int) -> Path:
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunk = (b"cICP", bytes([primaries, transfer, 0, 1]))
    path.write_bytes(png(pixels.shape[1], pixels.shape[0], chunk, pixels=rows))
    return path


def test_a_png_in_hdr_has_the_colours_of_sdr(tmp_path):
    path = written(tmp_path / "x.png", as_8_bits(as_pq(light(RAMP))), BT2020, PQ)
    # highlights are compressed to leave room for what is brighter than white
    assert np.abs(shown(path) - RAMP).mean() < 4


def test_a_damaged_text_beside_it_changes_nothing(tmp_path):
    path = written(tmp_path / "x.png", as_8_bits(as_pq(light(RAMP))), BT2020, PQ)
    whole, data = shown(path), path.read_bytes()
    at = data.index(b"IDAT") - 4
    path.write_bytes(data[:at] + b"\0\0\0\4iTXtnone\0\0\0\0" + data[at:])
    assert np.array_equal(shown(path), whole)


def test_wide_primaries_become_srgb(tmp_path):
    red = np.full((60, 60, 3), (200, 60, 60), np.uint8)
    wide = shown(written(tmp_path / "p3.png", red, P3, SRGB))[30, 30]
    assert wide[0] > 208 and wide[1] < 52 and wide[2] < 56
    assert np.array_equal(shown(written(tmp_path / "srgb.png", red, 1, SRGB)), red)


@pytest.mark.parametrize("colours", [(PQ, BT2020), (HLG, BT2020), (SRGB, 1)])
def test_an_avif_says_so_in_its_header(tmp_path, monkeypatch, colours):
    monkeypatch.setenv("SVT_LOG", "1")  # errors only
    transfer, matrix = colours
    path = encode(
        tmp_path / "x.avif", [RAMP], "yuv420p10le", "libsvtav1", matrix=matrix, transfer=transfer, options={"crf": "10"}
    )
    header = path.read_bytes()
    assert declared_colours(header) == (transfer, 2)
    assert declared_colours(header[: header.index(b"nclx") + 5]) is None


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_most_files_declare_nothing(tmp_path, ending):
    Image.fromarray(RAMP).save(tmp_path / f"x.{ending}")
    header = (tmp_path / f"x.{ending}").read_bytes()
    assert declared_colours(header) is None and declared_colours(b"") is None
