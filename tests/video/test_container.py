import os
import struct
import time
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from inv3d.core.errors import InputError
from inv3d.video import container
from inv3d.video.container import MAX_PIXELS, probe
from inv3d.video.decode import FailedFrame, frames
from inv3d.video.write import write_mp4
from tests.video.clips import encode, numbers, remux, rising

FAULTS = Path(__file__).resolve().parents[3] / "shared" / "faults"
needs_faults = pytest.mark.skipif(not FAULTS.is_dir(), reason="the collection of faulty files is not there")


def refused(path: Path, words: str) -> InputError:
    with pytest.raises(InputError, match=words) as caught:
        list(frames(path))
    assert "\n" not in caught.value.message and caught.value.hint
    return caught.value


def tracks(path: Path, sizes: list[tuple[int, int]], default: int | None = None, cover: int | None = None) -> Path:
    """A file of several tracks; frames of the first are dark, of the next lighter and so on."""
    with av.open(str(path), "w") as container:
        streams = []
        for i, (width, height) in enumerate(sizes):
            stream = container.add_stream("mjpeg" if i == cover else "libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p" if i == cover else "yuv420p"
            if default is not None:
                stream.disposition = Disposition.default if i == default else Disposition(0)
            if i == cover:
                stream.disposition = Disposition.attached_pic
            streams.append(stream)
        for i, stream in enumerate(streams):
            for _ in range(1 if i == cover else 3):
                image = np.full((stream.height, stream.width, 3), 50 + 60 * i, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
    return path


def brightness(path: Path) -> int:
    return round((float(next(iter(frames(path))).image.mean()) - 50) / 60)


def test_the_default_track_is_the_clip_whatever_its_place_and_size(tmp_path):
    assert brightness(tracks(tmp_path / "a.mov", [(64, 48), (96, 64)], default=1)) == 1
    assert brightness(tracks(tmp_path / "b.mov", [(96, 64), (64, 48)], default=1)) == 1


def test_without_a_default_the_largest_track_is_the_clip(tmp_path):
    assert brightness(tracks(tmp_path / "a.ts", [(64, 48), (96, 64), (80, 64)])) == 1


def test_a_cover_picture_is_never_the_clip(tmp_path):
    path = tracks(tmp_path / "a.mp4", [(200, 200), (64, 48)], cover=0)
    assert brightness(path) == 1 and probe(path).width == 64
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt, stream.disposition = 64, 64, "yuvj420p", Disposition.attached_pic
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuvj420p")))
        container.mux(stream.encode())
    refused(tmp_path / "song.m4a", "only a cover picture")


def test_a_sequence_of_pictures_is_more_than_its_title_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("SVT_LOG", "1")  # errors only
    path = encode(tmp_path / "clip.avif", rising(6), codec="libsvtav1", options={"crf": "10"})
    assert probe(path).frames == 6
    assert numbers(frame.image for frame in frames(path)) == list(range(6))


def test_a_track_of_unknown_codec_is_named(tmp_path):
    path = encode(tmp_path / "clip.mp4", rising(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))
    refused(path, "unknown codec")


def test_frames_are_counted_where_the_container_does_not_count(tmp_path):
    class Pipe:
        """Cannot seek, so that neither length nor duration is known when the header is written."""

        data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    pipe = Pipe()
    with av.open(pipe, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for image in rising(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    (tmp_path / "live.mkv").write_bytes(pipe.data)
    info = probe(tmp_path / "live.mkv")
    assert info.frames == 20 and info.duration == pytest.approx(2.0, abs=0.01) and info.rate == pytest.approx(10, 0.01)


def test_the_rate_of_a_clip(tmp_path):
    assert probe(encode(tmp_path / "clip.mp4", rising(5), rate=24)).rate == pytest.approx(24)


def test_an_edit_list_shows_what_it_says(tmp_path):
    """Copied from the middle of a group of pictures on: the frames before the cut are stored, but not shown."""
    source = encode(tmp_path / "clip.mp4", rising(20), options={"g": "20", "crf": "4", "bf": "0"})
    path = remux(source, tmp_path / "cut.mp4", shift=-0.8)
    assert probe(path).frames in (12, 13)
    shown = list(frames(path))
    assert numbers(frame.image for frame in shown) == list(range(8, 20))
    assert shown[0].time == 0.0 and shown[-1].time == pytest.approx(1.1)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_clip_copied_from_the_middle_of_a_group_on(tmp_path, ending):
    source = encode(tmp_path / "clip.mp4", rising(20), options={"g": "10", "crf": "4", "bf": "0"})
    path = remux(source, tmp_path / f"late.{ending}", keep=lambda index, time: index >= 6)
    failed: list[FailedFrame] = []
    assert numbers(frame.image for frame in frames(path, failed=failed.append)) == list(range(10, 20))
    assert [frame.index for frame in failed] == [0, 1, 2, 3]


@pytest.mark.parametrize("shift", [-0.5, 100.0])
@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_times_begin_with_the_first_frame(tmp_path, ending, shift):
    source = encode(tmp_path / "clip.mp4", rising(10), codec="mpeg2video", options={"qscale": "2"})
    found = list(frames(remux(source, tmp_path / f"moved.{ending}", shift=shift)))
    assert [frame.time for frame in found] == pytest.approx([0.1 * i for i in range(10)], abs=0.002)


def test_joined_recordings_have_continuous_times(tmp_path):
    # of unequal lengths: a second one that runs before the first would look as long as one that runs after it
    encode(tmp_path / "a.ts", rising(15))
    encode(tmp_path / "b.ts", rising(20)[15:])
    (tmp_path / "joined.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    found = list(frames(tmp_path / "joined.ts"))
    assert numbers(frame.image for frame in found) == list(range(20))
    assert [frame.time for frame in found] == pytest.approx([0.1 * i for i in range(20)], abs=0.001)
    info = probe(tmp_path / "joined.ts")
    assert info.frames == 20 and info.duration == pytest.approx(2.0)


def test_the_rate_comes_from_frames_that_follow_each_other_in_time(tmp_path, monkeypatch):
    path = encode(tmp_path / "clip.mkv", rising(4))
    monkeypatch.setattr(container, "_stamps", lambda clip: iter([0.0, 0.0, 0.0, 0.25]))
    info = probe(path)
    assert (info.frames, info.rate, info.duration) == (4, 4.0, 0.5)


def test_dropped_frames_leave_a_gap_and_nothing_else(tmp_path):
    source = encode(tmp_path / "clip.mp4", rising(20), codec="mpeg4", options={"g": "1", "qscale": "2"})
    path = remux(source, tmp_path / "dropped.avi", keep=lambda index, time: index not in (5, 6, 7, 12))
    failed: list[FailedFrame] = []
    found = list(frames(path, failed=failed.append))
    assert len(found) == 16 and not failed
    assert [round(10 * frame.time) for frame in found] == [0, 1, 2, 3, 4, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19]


@pytest.mark.parametrize("ending", ["avi", "mxf", "wmv"])
def test_frames_that_are_stored_in_another_order_and_without_times(tmp_path, ending):
    # what moves gives the encoder reasons to change the order
    still = np.random.default_rng(0).integers(0, 256, (64, 96, 1)).astype(np.uint8).repeat(3, 2)
    moving = [np.roll(still, 4 * i, 1) for i in range(20)]
    path = encode(tmp_path / f"clip.{ending}", moving, rate=25, options={"bf": "3", "g": "10", "crf": "8"})
    failed: list[FailedFrame] = []
    found = list(frames(path, failed=failed.append))
    assert not failed and [frame.index for frame in found] == list(range(20))
    assert [frame.time for frame in found] == pytest.approx([i / 25 for i in range(20)], abs=0.002)
    assert max(np.abs(frame.image - image.astype(float)).mean() for frame, image in zip(found, moving, strict=True)) < 8


@pytest.mark.parametrize("size", [(4096, 64), (64, 2048)])
def test_thin_frames_are_refused_at_once(tmp_path, size):
    path = encode(tmp_path / "thin.mov", [np.zeros((size[1], size[0], 3), np.uint8)] * 2)
    start = time.perf_counter()
    refused(path, "too thin")
    assert time.perf_counter() - start < 1


def test_small_frames_are_refused(tmp_path):
    refused(encode(tmp_path / "small.mp4", [np.zeros((32, 64, 3), np.uint8)] * 2), "only 64 x 32 pixels")


def test_claims_of_the_container_are_checked_before_decoding(tmp_path):
    path = encode(tmp_path / "claim.mov", rising(2), "rgb24", "qtrle", options={})
    data = bytearray(path.read_bytes())
    struct.pack_into(">2H", data, data.index(b"rle ", data.index(b"stsd")) + 28, 16000, 12000)
    path.write_bytes(data)
    start = time.perf_counter()
    refused(path, "16000 x 12000 pixels|no frame that can be decoded")
    assert time.perf_counter() - start < 1


def test_claims_of_the_stream_itself_are_checked_before_decoding(tmp_path):
    path = encode(tmp_path / "claim.avi", rising(2), "rgb24", "png", options={})
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"IHDR", at + 1)) > 0:
        struct.pack_into(">2I", data, at + 4, 16000, 12000)
        struct.pack_into(">I", data, at + 17, zlib.crc32(data[at : at + 17]))
    path.write_bytes(data)
    refused(path, "16000 x 12000 pixels|no frame that can be decoded")


def test_the_limit_of_pixels_is_beyond_8k(tmp_path, monkeypatch):
    monkeypatch.setattr("inv3d.video.container.MAX_PIXELS", 64 * 48)
    refused(encode(tmp_path / "clip.mp4", rising(2, 96, 128)), "128 x 96 pixels")
    assert MAX_PIXELS > 7680 * 4320


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1\n{}\n", "ffconcat version 1.0\nfile {}\n", "v=0\ns={}\n"])
def test_playlists_are_refused(tmp_path, text):
    clip = encode(tmp_path / "clip.mp4", rising(3))
    for ending in ("m3u8", "mp4", "ffconcat", "sdp"):
        path = tmp_path / f"list.{ending}"
        path.write_text(text.format(clip))
        refused(path, "is a playlist")


def test_pictures_are_refused_as_what_they_are(tmp_path):
    for name in ("a.png", "b.jpg", "c.mp4"):
        Image.new("RGB", (64, 64)).save(tmp_path / name, "PNG" if name != "b.jpg" else "JPEG")
        assert "inv3d image" in refused(tmp_path / name, "is a picture").hint


def test_an_image_sequence_is_not_followed(tmp_path):
    for i in range(3):
        Image.new("RGB", (64, 64)).save(tmp_path / f"im{i}.png")
    refused(tmp_path / "im%d.png", "does not exist")


@pytest.mark.parametrize("name", ["a:b.mp4", "-x.mp4", "file:c.mp4", "100%d.mp4", "?#&.mp4", "ä ö.mp4", b"\xff\xfe.mp4"])
def test_any_name_is_a_name(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(os.fsdecode(name))
    write_mp4(tmp_path / "clip.mp4", rising(3), 10)
    (tmp_path / "clip.mp4").rename(path)
    assert len(list(frames(path))) == 3 and len(list(frames(tmp_path / path))) == 3


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "not a regular file")
    refused(Path("/dev/zero"), "not a regular file")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    refused(tmp_path / "loop.mp4", "cannot be read|does not exist")
    refused(tmp_path / ("x" * 300 + ".mp4"), "cannot be read|does not exist")
    refused(tmp_path / "clip.mp4" / "clip.mp4", "does not exist")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_named(tmp_path):
    path = encode(tmp_path / "clip.mp4", rising(2))
    path.chmod(0)
    refused(path, "cannot be read: Permission denied")


@needs_faults
@pytest.mark.parametrize("name", ["no-codec.3gp", "no-codec.mov"])
def test_faults_without_a_codec(name):
    refused(FAULTS / name, "unknown codec")


@needs_faults
def test_faults_of_tracks_and_times():
    assert len(list(frames(FAULTS / "edit-list.mp4", short_side=48))) == probe(FAULTS / "edit-list.mp4").frames == 35
    assert probe(FAULTS / "two-tracks.mov").width == 1280
    times = [frame.time for frame in frames(FAULTS / "joined.ts", short_side=48)]
    assert times == pytest.approx([0.1 * i for i in range(50)], abs=0.001)


def test_pixel_shapes_that_make_frames_thin_are_refused(tmp_path):
    path = encode(tmp_path / "clip.mkv", rising(2, 64, 64), aspect=Fraction(9, 1))
    refused(path, "too thin")
