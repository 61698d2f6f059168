import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from inv3d.core.errors import InputError
from inv3d.video.decode import frames, probe
from inv3d.video.write import write_mp4


def corner_image(i: int = 0, height: int = 48, width: int = 64) -> np.ndarray:
    """White in the top left corner, grey elsewhere, brightness rising with i."""
    image = np.full((height, width, 3), 60 + 10 * i, np.uint8)
    image[:16, :16] = 255
    return image


def encode(path: Path, images, pix_fmt="yuv420p", codec="libx264", times=None, color_range=None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"crf": "4"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if times is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if color_range is not None:
            stream.codec_context.color_range = color_range
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if color_range is not None:
                frame = frame.reformat(format=pix_fmt, src_color_range=2, dst_color_range=color_range)
                frame.color_range = color_range
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * 1000), Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_frames_come_back_in_order_with_their_times(tmp_path):
    path = tmp_path / "clip.mp4"
    write_mp4(path, [corner_image(i) for i in range(5)], fps=10)
    decoded = list(frames(path))
    assert [frame.index for frame in decoded] == list(range(5))
    assert [frame.time for frame in decoded] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert [int(frame.image[40, 40, 0]) for frame in decoded] == pytest.approx([60, 70, 80, 90, 100], abs=4)
    info = probe(path)
    assert (info.width, info.height, info.frames, info.codec) == (64, 48, 5, "h264")
    assert info.duration == pytest.approx(0.5)


def test_only_wanted_frames_are_yielded(tmp_path):
    path = tmp_path / "clip.mp4"
    write_mp4(path, [corner_image(i) for i in range(5)], fps=10)
    assert [frame.index for frame in frames(path, {1, 4}.__contains__)] == [1, 4]


def test_variable_frame_rates_keep_their_time_stamps(tmp_path):
    times = [0.0, 0.04, 0.5, 0.52, 2.0]
    path = encode(tmp_path / "clip.mkv", [corner_image(i) for i in range(5)], times=times)
    assert [frame.time for frame in frames(path)] == pytest.approx(times, abs=0.002)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv444p"])
def test_bit_depths_and_samplings_give_the_same_picture(tmp_path, pix_fmt):
    path = encode(tmp_path / "clip.mp4", [corner_image()], pix_fmt)
    image = next(iter(frames(path))).image
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - corner_image()).mean() < 3


@pytest.mark.parametrize("color_range", [1, 2])
def test_limited_and_full_range_give_the_same_picture(tmp_path, color_range):
    path = encode(tmp_path / "clip.mp4", [corner_image()], color_range=color_range)
    image = next(iter(frames(path))).image
    assert np.abs(image.astype(int) - corner_image()).mean() < 3


def rotate(path: Path) -> None:
    """Set the display matrix of a video track to a quarter turn clockwise, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def test_rotation_metadata_is_honoured(tmp_path):
    path = encode(tmp_path / "clip.mp4", [corner_image()])
    rotate(path)
    image = next(iter(frames(path))).image
    assert image.shape == (64, 48, 3)
    assert image[:12, -12:].mean() > 240  # a clockwise turn takes the top left corner to the top right


def broken(kind: str, tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    if kind == "missing":
        return path
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no video\n" * 50)
    elif kind == "audio":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate = 8000
            for packet in [*stream.encode(frame), *stream.encode()]:
                container.mux(packet)
    else:
        images = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(30)]
        write_mp4(path, images, fps=10)
        data = path.read_bytes()
        if kind == "half":
            path.write_bytes(data[: len(data) // 2])
        elif kind == "header":
            path.write_bytes(data[:60])
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"), ("folder", "is a folder"), ("empty", "is empty"), ("text", "not a video"),
        ("audio", "only audio"), ("half", "truncated|damaged"), ("header", "not a video|damaged"),
    ],
)  # fmt: skip
def test_bad_files_are_named(tmp_path, kind, words):
    path = broken(kind, tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        list(frames(path))
    assert "\n" not in caught.value.message and caught.value.hint


def test_large_frames_are_shrunk_and_know_by_how_much(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, 160).astype(np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    write_mp4(tmp_path / "ramp.mp4", [ramp] * 2, fps=10)
    small = next(iter(frames(tmp_path / "ramp.mp4", short_side=48)))
    assert small.image.shape == (48, 80, 3) and small.scale == (2.0, 2.0)
    assert np.abs(small.image[24, :, 0].astype(float) - ramp[48].reshape(80, 2, 3).mean(1)[:, 0]).max() < 8
    full = next(iter(frames(tmp_path / "ramp.mp4", short_side=500)))
    assert full.image.shape == (96, 160, 3) and full.scale == (1.0, 1.0)
