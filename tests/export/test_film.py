import av
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from inv3d.core.errors import UsageError
from inv3d.export.background import Background
from inv3d.export.cameras import read_cameras
from inv3d.export.film import along, outside, write_film, write_folder, write_row
from inv3d.video.decode import probe
from inv3d.video.write import write_mp4

SIZE = 17


def test_paths_use_the_yaws_that_are_shown(head):
    yaws = along(head, "swing", 8).yaw
    assert float(yaws.min()) == pytest.approx(-0.8, abs=1e-3) and float(yaws.max()) == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_videos_of_any_kind(head, tmp_path, suffix):
    path = tmp_path / f"turn{suffix}"
    told: list[tuple[int, int]] = []
    write_film(
        head, along(head, "swing", 4), "color", SIZE, path, 10, "h264", False, counted=lambda *counts: told.append(counts)
    )
    assert sorted(told) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    if suffix == ".gif":
        with Image.open(path) as file:
            assert isinstance(file, GifImageFile)
            assert (file.n_frames, file.size, file.info["duration"], file.info["loop"]) == (4, (16, 16), 100, 0)
        return
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (16, 16)
        assert len(list(container.decode(stream))) == 4


def test_a_webm_is_transparent_around_the_head(head, tmp_path):
    path = tmp_path / "turn.webm"
    write_film(head, along(head, "swing", 2), "color", 32, path, 10, "h264", False)
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata.get("alpha_mode") == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoder.extradata = container.streams.video[0].codec_context.extradata
        frames = [frame for packet in container.demux(video=0) for frame in decoder.decode(packet)]
    alpha = frames[0].to_ndarray(format="rgba")[..., 3]
    assert alpha[0, 0] < 20 and alpha[16, 16] > 235


def test_h265_is_tagged_for_every_player(tmp_path):
    write_mp4(tmp_path / "a.mp4", [np.zeros((64, 64, 3), np.uint8)] * 2, 10, codec="h265")
    assert probe(tmp_path / "a.mp4").codec == "hevc" and b"hvc1" in (tmp_path / "a.mp4").read_bytes()


def test_a_folder_has_pictures_and_their_cameras(head, tmp_path):
    cameras = along(head, "circle", 3)
    write_folder(head, cameras, "normals", 16, tmp_path / "frames")
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [
        "0000.png", "0001.png", "0002.png", "sparse", "transforms.json"
    ]  # fmt: skip
    for name in ("transforms.json", "sparse/0/images.txt"):
        assert torch.allclose(read_cameras(tmp_path / "frames" / name).cam2world, cameras.cam2world, atol=1e-5)
    with pytest.raises(UsageError, match="exists already"):
        write_folder(head, cameras, "color", 16, tmp_path / "frames")


def test_one_depth_is_metric_and_several_are_pictures(head, tmp_path):
    cameras = along(head, "swing", 2)
    write_row(head, cameras[0], "depth", 24, tmp_path / "one.png", False)
    write_row(head, cameras, "depth", 24, tmp_path / "two.png", False)
    with Image.open(tmp_path / "one.png") as file:
        assert 20_000 < np.asarray(file).max() < 33_000 and file.size == (24, 24)
    with Image.open(tmp_path / "two.png") as file:
        assert file.mode == "RGB" and file.size == (48, 24)


def test_only_one_depth_fits_into_an_exr_file(head, tmp_path):
    cameras = along(head, "swing", 2)
    for chosen, show in ((cameras, "depth"), (cameras[0], "color")):
        with pytest.raises(UsageError, match="only a single picture of the depth"):
            write_row(head, chosen, show, 24, tmp_path / "x.exr", False)
    exr = pytest.importorskip("OpenEXR")
    write_row(head, cameras[0], "depth", 24, tmp_path / "x.EXR", False)
    (tmp_path / "x.EXR").rename(tmp_path / "x.exr")
    with exr.File(str(tmp_path / "x.exr")) as file:
        values = file.channels()["Z"].pixels
    assert values.shape == (24, 24) and values[0, 0] == 0 and 2 < values[12, 12] < 3.3


def test_yaws_that_the_input_does_not_show_are_named(head):
    assert outside(head, (-40.0, 0.0, 50.0)) == ""
    assert outside(head, (-60.0, 0.0, 90.0)).endswith("from -46 to 52 degrees only; outside: -60, 90")


def test_pictures_before_nothing_and_before_a_colour(head, tmp_path):
    camera = along(head, "swing", 2)[0]
    write_row(head, camera, "color", 24, tmp_path / "x.png", False, Background.parse("transparent"))
    with Image.open(tmp_path / "x.png") as file:
        pixels = np.asarray(file)
    assert pixels.shape == (24, 24, 4) and pixels[0, 0, 3] == 0 and pixels[12, 12, 3] == 255
    write_row(head, camera, "color", 24, tmp_path / "y.png", False, Background.parse("#00ff00"))
    with Image.open(tmp_path / "y.png") as file:
        assert file.getpixel((0, 0)) == (0, 255, 0)
