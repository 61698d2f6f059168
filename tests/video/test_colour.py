from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inv3d.core.errors import InputError
from inv3d.video.colour import BEHIND, to_srgb
from inv3d.video.decode import frames
from tests.video.clips import encode

PQ, HLG, BT2020 = 16, 18, 9
WHITE = 203.0  # cd/m²
ROWS, COLUMNS = np.mgrid[:96, :128]
RAMP = np.stack([60 + COLUMNS, 90 + ROWS, np.full_like(ROWS, 120)], -1).astype(np.uint8)
SRGB_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def shown(path: Path) -> NDArray[np.int64]:
    return next(iter(frames(path))).image.astype(int)


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
def test_matrices_and_ranges_are_those_of_the_clip(tmp_path, matrix, color_range):
    path = encode(tmp_path / "clip.mp4", [RAMP] * 2, matrix=matrix, color_range=color_range)
    assert np.abs(shown(path) - RAMP).mean() < 2


@pytest.mark.parametrize(("matrix", "name"), [("YCgCo", "YCgCo"), ("ICtCp", "ICtCp"), ("bt2020c", "BT.2020 of constant luminance")])
def test_matrices_that_cannot_be_converted_are_named(tmp_path, matrix, name):
    path = encode(tmp_path / "clip.mp4", [RAMP] * 2, options={"x264-params": f"colormatrix={matrix}"})
    with pytest.raises(InputError) as refused:
        shown(path)
    assert refused.value.message == f"{path} has its colours as {name}, which cannot be converted"


@pytest.mark.parametrize(("height", "matrix"), [(480, 5), (720, 1)])
def test_a_clip_that_does_not_tell_is_of_the_matrix_of_its_size(tmp_path, height, matrix):
    image = np.empty((height, 640, 3), np.uint8)
    image[:] = (200, 60, 40)
    told = encode(tmp_path / "told.avi", [image], "yuv444p", "ffv1", options={}, matrix=matrix)
    path = encode(tmp_path / "clip.avi", [image], "yuv444p", "ffv1", options={}, matrix=matrix, told=False)
    assert np.abs(shown(path) - shown(told)).max() <= 1
    assert np.abs(shown(path) - image).max() <= 3


@pytest.mark.parametrize(
    ("ending", "codec", "pix_fmt"),
    [
        ("mp4", "libx264", "yuv420p10le"), ("mp4", "libx264", "yuv444p"), ("mov", "prores_ks", "yuv422p10le"),
        ("mkv", "ffv1", "yuv422p16le"), ("mkv", "ffv1", "bgr0"), ("mov", "qtrle", "rgb24"), ("mp4", "libx264rgb", "bgr24"),
        ("mkv", "ffv1", "gbrp12le"), ("avi", "rawvideo", "yuyv422"),
    ],
)  # fmt: skip
def test_bit_depths_samplings_and_rgb_give_the_same_picture(tmp_path, ending, codec, pix_fmt):
    path = encode(tmp_path / f"clip.{ending}", [RAMP] * 2, pix_fmt, codec, options={})
    assert np.abs(shown(path) - RAMP).mean() < 3


@pytest.mark.parametrize(
    ("ending", "codec", "pix_fmt"),
    [
        ("mov", "prores_ks", "yuva444p10le"), ("mov", "qtrle", "argb"), ("mov", "png", "rgba"), ("mkv", "ffv1", "yuva420p"),
        ("webm", "libvpx-vp9", "yuva420p"), ("webm", "libvpx", "yuva420p"), ("apng", "apng", "rgba"),
    ],
)  # fmt: skip
def test_what_is_transparent_does_not_show_its_colour(tmp_path, ending, codec, pix_fmt):
    image = np.full((64, 96, 4), 200, np.uint8)
    image[..., 3] = np.where(np.arange(96) < 32, 255, np.where(np.arange(96) < 64, 128, 0))
    image[:, 64:, :3] = (255, 0, 0)
    options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
    path = encode(tmp_path / f"clip.{ending}", [image] * 3, pix_fmt, codec, source="rgba", options=options)
    for x, value in ((16, 200), (48, (200 + BEHIND) / 2), (80, BEHIND)):
        assert shown(path)[32, x] == pytest.approx([value] * 3, abs=6)


def light(image: np.ndarray) -> np.ndarray:
    """Light of an sRGB picture in BT.2020, cd/m²."""
    value = image / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear @ SRGB_TO_2020.T * WHITE


def as_pq(nits: np.ndarray) -> np.ndarray:
    power = (nits / 10_000.0) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def as_hlg(nits: np.ndarray) -> np.ndarray:
    """For a display of 1000 cd/m² (ITU-R BT.2100)."""
    display = nits / 1000.0
    luminance = display @ np.array([0.2627, 0.6780, 0.0593])
    scene = display * np.maximum(luminance, 1e-9)[..., None] ** (1 / 1.2 - 1)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


@pytest.mark.parametrize(("transfer", "encoded"), [(PQ, as_pq), (HLG, as_hlg)])
def test_hdr_clips_have_the_colours_of_sdr(tmp_path, transfer, encoded):
    """Up to the knee of the tone curve, where faces lie, an HDR clip looks like the SDR clip of the same scene."""
    image = (encoded(light(RAMP)) * 65535 + 0.5).astype(np.uint16)
    path = encode(
        tmp_path / "clip.mkv", [image] * 2, "yuv420p10le", "ffv1", matrix=BT2020, transfer=transfer, source="rgb48le", options={}
    )  # fmt: skip
    below = RAMP.max(-1) < 170
    error = np.abs(shown(path) - RAMP)
    assert error[below].mean() < 1 and error[below].max() <= 8


@pytest.mark.parametrize(("transfer", "encoded"), [(PQ, as_pq), (HLG, as_hlg)])
def test_highlights_are_compressed_in_order_and_end_at_white(transfer, encoded):
    nits = np.repeat(np.array([50.0, 100, 203, 400, 1000])[None, :, None], 3, 2)
    grey = to_srgb((encoded(nits) * 65535 + 0.5).astype(np.uint16), transfer, BT2020)[0].astype(int)
    assert (np.abs(grey - grey[:, :1]) <= 1).all()  # grey stays grey
    assert (np.diff(grey[:, 0]) > 0).all()
    assert grey[2, 0] > 220 and grey[-1, 0] >= 254


def test_black_stays_black_and_wide_primaries_become_srgb():
    black = np.zeros((1, 1, 3), np.uint16)
    for transfer in (PQ, HLG, 1):
        assert to_srgb(black, transfer, BT2020).max() == 0
    p3_red_of_srgb = np.array([[[0.9175, 0.2003, 0.1386]]])
    assert to_srgb((p3_red_of_srgb * 65535).astype(np.uint16), 13, 12)[0, 0] == pytest.approx([255, 0, 0], abs=3)
