import errno
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from inv3d.core.errors import InputError
from inv3d.video.container import Clip
from inv3d.video.decode import FailedFrame, frames, probe
from inv3d.video.write import write_mp4
from tests.video.clips import corner_image, encode, set_matrix

FAULTS = Path(__file__).resolve().parents[3] / "shared" / "faults"


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


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_decoder_out_of_memory_does_not_pass_for_a_damaged_frame(tmp_path, monkeypatch, at_the_end):
    path = tmp_path / "clip.mp4"
    write_mp4(path, [corner_image(i) for i in range(5)], fps=10)

    class Full:
        def decode(self, packet):
            if (packet is None) == at_the_end:
                raise av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")
            return []

    monkeypatch.setattr(Clip, "decoder", lambda self: Full())
    with pytest.raises(MemoryError):
        list(frames(path))


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


# (a, b, c, d) of a display matrix, and where it shows the top left corner: (row, column) of the picture's corners
TURNS = {
    "as it is": ((1, 0, 0, 1), (0, 0)),
    "clockwise": ((0, 1, -1, 0), (0, -1)),
    "by half": ((-1, 0, 0, -1), (-1, -1)),
    "anticlockwise": ((0, -1, 1, 0), (-1, 0)),
    "mirrored": ((-1, 0, 0, 1), (0, -1)),
    "upside down": ((1, 0, 0, -1), (-1, 0)),
    "transposed": ((0, 1, 1, 0), (0, 0)),
    "anti-transposed": ((0, -1, -1, 0), (-1, -1)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_display_matrices_turn_and_mirror(tmp_path, turn):
    (a, b, c, d), corner = TURNS[turn]
    path = encode(tmp_path / "clip.mp4", [corner_image()])
    set_matrix(path, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    frame = next(iter(frames(path)))
    assert frame.image.shape == ((64, 48, 3) if a == 0 else (48, 64, 3))
    for row in (0, -1):
        for column in (0, -1):
            assert (frame.image[row, column].mean() > 200) == ((row, column) == corner)


def test_a_display_matrix_of_zeros_is_none(tmp_path):
    path = encode(tmp_path / "clip.mp4", [corner_image()])
    set_matrix(path, *[0] * 9)
    assert next(iter(frames(path))).image[:12, :12].mean() > 200


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_motion_jpeg_with_camera_metadata(tmp_path, orientation, corner):
    """The decoder hands on the metadata of each picture, which PyAV may not know."""
    exif = Image.Exif()
    exif[274], exif[271] = orientation, "a camera"
    jpeg = io.BytesIO()
    Image.fromarray(corner_image()).save(jpeg, "JPEG", exif=exif)
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i in range(3):
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, i, i, Fraction(1, 10)
            packet.is_keyframe = True
            container.mux(packet)
    image = next(iter(frames(path))).image
    assert image[corner].mean() > 200 and image[10 - 20 * (corner[0] < 0), 30].mean() < 100


@pytest.mark.parametrize(("aspect", "shape"), [((4, 3), (48, 85)), ((3, 4), (64, 64)), ((1, 1), (48, 64))])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_pixels_become_square(tmp_path, ending, aspect, shape):
    path = encode(tmp_path / f"clip.{ending}", [corner_image()] * 2, aspect=Fraction(*aspect))
    frame = next(iter(frames(path)))
    assert frame.image.shape[:2] == shape and frame.scale == pytest.approx((1.0, 1.0), abs=0.01)
    small = next(iter(frames(path, short_side=24)))
    assert min(small.image.shape[:2]) == 24 and small.scale == pytest.approx((shape[0] / 24,) * 2, rel=0.02)


def test_a_turned_clip_of_oblong_pixels_is_stretched_before_it_is_turned(tmp_path):
    path = encode(tmp_path / "clip.mp4", [corner_image()] * 2, aspect=Fraction(3, 2))
    set_matrix(path, 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    assert next(iter(frames(path))).image.shape == (96, 48, 3)


def bars(step: int) -> np.ndarray:
    row = np.where((np.arange(128) - step) % 64 < 24, 220, 40).astype(np.uint8)
    return np.repeat(row[None, :, None], 96, 0).repeat(3, 2)


def combing(image: np.ndarray) -> float:
    rows = image[..., 0].astype(int)
    return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())


@pytest.mark.parametrize(
    ("ending", "codec", "options"),
    [("mp4", "libx264", {"x264-params": "tff=1", "crf": "4"}), ("mpg", "mpeg2video", {"flags": "+ildct+ilme", "qscale": "2"})],
)  # fmt: skip
def test_interlaced_clips_are_not_combed(tmp_path, ending, codec, options):
    woven = [bars(8 * i) for i in range(8)]
    for i, image in enumerate(woven):
        image[1::2] = bars(8 * i + 4)[1::2]
    found = list(frames(encode(tmp_path / f"clip.{ending}", woven, codec=codec, options=options)))
    assert combing(woven[4]) > 30 and all(combing(frame.image) < 3 for frame in found)
    assert [frame.index for frame in found] == list(range(8))
    assert [frame.time for frame in found] == pytest.approx([0.1 * i for i in range(8)], abs=0.001)
    # one field's moment, not a mix of two
    assert min(np.abs(found[4].image.astype(int) - bars(place)).mean() for place in (32, 36)) < 8


def scratched(path: Path, number: int) -> Path:
    """Noise over the second half of a packet."""
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[number]
        assert packet.pos is not None
        start, size = packet.pos + packet.size // 2, packet.size // 2
    data = bytearray(path.read_bytes())
    data[start : start + size] = np.random.default_rng(0).bytes(size)
    path.write_bytes(data)
    return path


def moving(count: int) -> list[np.ndarray]:
    base = np.random.default_rng(1).integers(60, 190, (24, 32, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    return [np.roll(base, 5 * i, 1) for i in range(count)]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_damaged_frames_in_the_middle_are_listed_and_the_others_come(tmp_path, codec):
    path = encode(tmp_path / "clip.mp4", moving(30), codec=codec, options={"g": "10", "bf": "0"})
    sound = [frame.image.astype(int) for frame in frames(path)]
    failed: list[FailedFrame] = []
    found = list(frames(scratched(path, 13), failed=failed.append))
    assert failed and all("damaged" in frame.reason or "cannot be decoded" in frame.reason for frame in failed)
    assert failed[0].index in (12, 13, 14) and len(found) + len(failed) == 30
    assert sorted([frame.index for frame in found] + [frame.index for frame in failed]) == list(range(30))
    assert [frame.time for frame in found] == pytest.approx([0.1 * frame.index for frame in found], abs=0.001)
    assert all(np.abs(frame.image - sound[frame.index]).max() == 0 for frame in found if frame.index < failed[0].index)
    assert np.abs(found[-1].image - sound[-1]).max() == 0  # from the next key frame on all is well


def test_frames_found_again_are_the_same_frames_also_in_a_damaged_clip(tmp_path):
    path = scratched(encode(tmp_path / "clip.mp4", moving(30), options={"g": "10"}), 13)
    first = {frame.index: frame for frame in frames(path)}
    again = {frame.index: frame for frame in frames(path, {0, 9, 20, 25, 29}.__contains__)}
    assert len(again) >= 4
    for index, frame in again.items():
        assert frame.time == first[index].time and np.array_equal(frame.image, first[index].image)


@pytest.mark.skipif(not FAULTS.is_dir(), reason="the collection of faulty files is not there")
def test_faulty_files_are_shown_as_a_player_does():
    def first(name: str) -> np.ndarray:
        return next(iter(frames(FAULTS / name, short_side=90))).image.astype(int)

    assert first("pixels-4-3.mp4").shape == (90, 160, 3)
    mirrored, straight = first("mirrored-by-matrix.mp4"), first("two-tracks.mov")
    assert np.abs(mirrored - straight[:, ::-1]).mean() < 3 < np.abs(mirrored - straight).mean()


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


def test_after_a_change_of_resolution_places_are_those_of_the_first_frames(tmp_path):
    for name, height, width in (("a", 48, 64), ("b", 96, 128), ("c", 128, 96)):
        encode(tmp_path / f"{name}.ts", [corner_image(0, height, width)] * 3)
    (tmp_path / "clip.ts").write_bytes(b"".join((tmp_path / f"{name}.ts").read_bytes() for name in "abc"))
    found = list(frames(tmp_path / "clip.ts"))
    assert [(frame.image.shape[:2], frame.scale) for frame in found] == [
        *[((48, 64), (1.0, 1.0))] * 3, *[((96, 128), (0.5, 0.5))] * 3, *[((128, 96), (1.0, 1.0))] * 3
    ]  # fmt: skip
