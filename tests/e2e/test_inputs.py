"""`inv3d video` on other inputs: photographs, and what cannot be used."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inv3d.video.decode import frames
from inv3d.video.write import write_mp4

from .commands import QUICK, fails, fails_apart, inv3d


def test_json_is_one_document_and_a_draft_takes_one_code_for_all_views(clip, tmp_path):
    done = inv3d("video", clip, *QUICK, "--latents", "--out", tmp_path / "head", "--json")
    assert done.returncode == 0, done.stderr
    assert "3 views, one code, " in done.stderr
    document = json.loads(done.stdout)
    assert document["estimated_seconds"] > 0 and document["out"] == str(tmp_path / "head")
    assert document["metrics"]["held_out"]["psnr"] > 10 and document["metrics"]["model"] is None
    assert all(f"] {stage} " in done.stderr for stage in ("track", "W+", "tuning"))


def test_photographs_of_one_person_are_as_good_as_a_clip(clip, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, frame in enumerate(frames(clip, {24, 3, 14}.__contains__)):
        Image.fromarray(frame.image).save(photos / f"{'bca'[number]}.png")
    Image.fromarray(grey(1)[0]).save(photos / "grey.png")
    done = inv3d("video", photos, *QUICK, "--views", "2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    out = tmp_path / "photos-inv3d"
    assert document["out"] == str(out) and len(document["inputs"]) == 4
    assert "left out: grey.png: no head was found" in done.stderr
    run = json.loads((out / "run.json").read_text())
    assert [Path(photo).name for photo in run["photos"]] == ["a.png", "b.png", "c.png", "grey.png"]
    cameras = json.loads((out / "views" / "cameras.json").read_text())["views"]
    assert [view["frame"] for view in cameras] == [1, 0]  # by yaw
    metrics = json.loads((out / "metrics.json").read_text())
    assert [row["frame"] for row in metrics["frames"]["held_out"]] == [2]
    assert (out / "views" / "unseen-00-frame00002.png").exists() and (out / "preview.png").exists()
    assert "grey.png: no head was found" in (out / "report.html").read_text()


def grey(count: int) -> list[np.ndarray]:
    return [np.full((90, 160, 3), 120, np.uint8)] * count


def test_bad_clips_end_with_one_line_and_leave_nothing(clip, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    write_mp4(tmp_path / "grey.mp4", grey(8), 10)
    still = [next(iter(frames(clip))).image]
    write_mp4(tmp_path / "one.mp4", still, 10)
    write_mp4(tmp_path / "still.mp4", still * 12, 10)
    (tmp_path / "half.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    before = sorted(tmp_path.iterdir())
    fails(3, "does not exist", "video", tmp_path / "nothing.mp4")
    fails(3, "is not a video", "video", tmp_path / "text.mp4")
    fails(3, "is empty", "video", tmp_path / "empty.mp4")
    fails(2, "is one of 2 inputs", "video", tmp_path / "grey.mp4", tmp_path / "one.mp4")
    fails(3, "no photos in the folder", "video", tmp_path)
    fails(3, "no head", "video", tmp_path / "grey.mp4")
    fails(3, "9 views were requested, but only 1 of 1 frame can be used", "video", tmp_path / "one.mp4")
    fails(3, "turns only", "video", tmp_path / "still.mp4")
    fails(3, "half.mp4", "video", tmp_path / "half.mp4")
    fails(3, "40 views were requested", "video", clip, "--views", "40", "--out", tmp_path / "many")
    fails(2, "--turn 30 is too far", "video", clip, "--turn", "30", "--out", tmp_path / "turned")
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_usage(clip, tmp_path):
    fails(2, "no preset", "video", clip, "--preset", "best")
    fails(2, "is not a device", "video", clip, "--device", "gpu")
    fails(2, "--views 0", "video", clip, "--views", "0", "--out", tmp_path / "x")
    fails(2, "--effort", "video", clip, "--effort", "0")
    fails(4, "no model named", "video", clip, "--model", "ffhq", "--out", tmp_path / "x")


@pytest.mark.skipif(os.name != "posix", reason="needs a file size limit")
def test_a_full_disk_is_named(clip, tmp_path):
    """A limit on the file size stands in for the disk: the writes fail in the middle of a file."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    fails_apart(2, "cannot be written", "video", clip, *QUICK, "--out", tmp_path / "head", preexec_fn=limit)
    assert not (tmp_path / "head").exists()


def test_an_output_place_that_cannot_be_written(clip, tmp_path):
    (tmp_path / "file").touch()
    fails(2, "cannot be written", "video", clip, *QUICK, "--out", tmp_path / "file" / "head")
