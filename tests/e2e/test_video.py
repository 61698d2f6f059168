"""Whole commands, as a person types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from safetensors.torch import load_file

from inv3d.video.decode import frames, probe
from inv3d.video.write import write_mp4

QUICK = ("--views", "3", "--effort", "0.05")


def inv3d(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inv3d", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, **options)


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command, running; for tests that stop it."""
    command = [sys.executable, "-m", "inv3d", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fails(code: int, words: str, *arguments: object, **options) -> None:
    """The command ends with `code`, one line that says what is wrong, one that says what to do, and no traceback."""
    done = inv3d(*arguments, **options)
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ") and lines[1].startswith("hint: ")
    assert words in lines[0]


@pytest.fixture(scope="module")
def output(clip, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "head"
    done = inv3d("video", clip, *QUICK, "--latents", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "open " in done.stdout and "about" in done.stdout
    # before the fit: what was found, where to look, and what is wrong
    before = done.stdout.split("] W+")[0]
    assert "turned from" in before and "preview.png" in before
    assert done.stdout.index("unseen frames") < done.stdout.index("fitted views")
    return out


def test_the_output_folder_is_as_described(output):
    names = {path.name for path in output.iterdir()}
    assert names == {"head", "views", "orbit.mp4", "mesh.glb", "view.html", "metrics.json", "report.html", "run.json", "preview.png"}
    assert {path.name for path in (output / "head").iterdir()} == {
        "head.json",
        "codes.safetensors",
        "weights.safetensors",
    }
    assert load_file(output / "head" / "codes.safetensors")["codes"].shape[0] == 3
    assert probe(output / "orbit.mp4").frames == 96
    assert len(trimesh.load(output / "mesh.glb", force="mesh").faces) > 1000
    assert len(json.loads((output / "views" / "cameras.json").read_text())["views"]) == 3
    assert not output.with_name("head.partial").exists()


def test_metrics_keep_fit_and_held_out_frames_apart(output):
    metrics = json.loads((output / "metrics.json").read_text())
    fit, held = ({row["frame"] for row in metrics["frames"][name]} for name in ("fit", "held_out"))
    assert len(fit) == 3 and len(held) > 10 and not fit & held
    assert metrics["fit"]["identity"] > 0 and metrics["fit"]["face_distance"] is None and not metrics["photographs"]
    assert len(list((output / "views").glob("unseen-*.png"))) == 6
    assert metrics["latent_distance"] > 0 and metrics["depth_consistency"] > 0
    assert metrics["fit"]["psnr"] > 15


def test_run_and_report_say_how_it_was_made(output):
    run = json.loads((output / "run.json").read_text())
    assert run["settings"]["name"] == "fast" and run["seed"] == 0 and run["device"] == "cpu"
    assert {"track", "fit", "orbit", "mesh", "metrics"} <= set(run["seconds"]) and run["peak_memory_mb"] > 100
    page = (output / "report.html").read_text()
    assert "<video" in page and "<svg" in page and "data:image/png" in page
    assert 'src="http' not in page and 'href="http' not in page


def test_render_and_export_work_on_the_output(output, tmp_path):
    assert (
        inv3d("render", output, "--yaw", "-30,30", "--resolution", "32", "--out", tmp_path / "turn.png").returncode == 0
    )
    assert (tmp_path / "turn.png").stat().st_size > 500
    assert inv3d("export", output, "--out", tmp_path / "head.ply", "--resolution", "48").returncode == 0
    assert len(trimesh.load(tmp_path / "head.ply").faces) > 1000
    options = ("--resolution", "64", "--triangles", "8000", "--texture", "256", "--head-width", "15cm")
    done = inv3d("export", output, "--out", tmp_path / "head.obj", *options, "--json")
    facts = json.loads(done.stdout)
    assert facts["psnr_face"] > 26 and facts["units"] == "metres" and facts["triangles"] <= 8000
    assert {path.name for path in tmp_path.glob("head*")} > {"head.obj", "head.mtl", "head-texture.jpg"}
    (tmp_path / "head.obj").unlink()
    fails(2, "head.mtl exists", "export", output, "--out", tmp_path / "head.obj")
    fails(2, "exists", "render", output, "--out", tmp_path / "turn.png")
    fails(2, "not an export format", "export", output, "--out", tmp_path / "head.stl2")
    transparent = ("render", output, "--yaw", "0", "--resolution", "16", "--background", "transparent")
    assert inv3d(*transparent, "--out", tmp_path / "cut.png").returncode == 0
    with Image.open(tmp_path / "cut.png") as file:
        assert file.mode == "RGBA"
    fails(2, "is not keep, white", "render", output, "--background", "pink", "--out", tmp_path / "pink.png")
    fails(2, "not a list of angles", "render", output, "--yaw", "left")
    fails(3, "contains no head", "render", tmp_path, "--out", tmp_path / "x.png")


def test_an_existing_output_is_kept(clip, output):
    before = (output / "run.json").read_text()
    fails(2, "exists", "video", clip, *QUICK, "--out", output)
    assert (output / "run.json").read_text() == before


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_head(clip, output, tmp_path):
    out = tmp_path / "head"
    process = start("video", clip, *QUICK, "--latents", "--out", out)
    stage = tmp_path / "head.partial" / "stages" / "wplus.safetensors"
    while not stage.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert stage.exists() and not out.exists()
    fails(2, "unfinished run", "video", clip, *QUICK, "--latents", "--out", out)
    fails(2, "other settings", "video", clip, *QUICK, "--latents", "--seed", "5", "--out", out, "--resume")
    done = inv3d("video", clip, *QUICK, "--latents", "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    for path in (output / "head").iterdir():
        assert path.read_bytes() == (out / "head" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("stage", ["track", "W+", "latents", "tuning", "export"])
def test_ctrl_c_says_how_to_go_on(clip, tmp_path, stage):
    out = tmp_path / "head"
    process = start("video", clip, "--views", "3", "--latents", "--effort", "0.1", "--out", out)
    assert process.stdout is not None
    for line in process.stdout:
        if f"] {stage} " in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    # tracking comes first, so nothing is there to go on with
    assert ("nothing was kept" if stage == "track" else "--resume") in errors and "Traceback" not in errors
    assert not out.exists()


def test_json_is_one_document(clip, tmp_path):
    done = inv3d("video", clip, "--views", "2", "--effort", "0.02", "--out", tmp_path / "head", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["estimated_seconds"] > 0 and document["out"] == str(tmp_path / "head")
    assert document["metrics"]["held_out"]["psnr"] > 10
    assert all(f"] {stage} " in done.stderr for stage in ("track", "W+", "tuning"))


def test_photographs_of_one_person_are_as_good_as_a_clip(clip, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, frame in enumerate(frames(clip, {24, 3, 14}.__contains__)):
        Image.fromarray(frame.image).save(photos / f"{'bca'[number]}.png")
    Image.fromarray(grey(1)[0]).save(photos / "grey.png")
    done = inv3d("video", photos, "--views", "2", "--effort", "0.05", "--json")
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
    fails(3, "only 1 frames are usable", "video", tmp_path / "one.mp4")
    fails(3, "turns only", "video", tmp_path / "still.mp4")
    fails(3, "half.mp4", "video", tmp_path / "half.mp4")
    fails(3, "40 views were requested", "video", clip, "--views", "40", "--out", tmp_path / "many")
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

    fails(2, "cannot be written", "video", clip, *QUICK, "--out", tmp_path / "head", preexec_fn=limit)
    assert not (tmp_path / "head").exists()


def test_an_output_place_that_cannot_be_written(clip, tmp_path):
    (tmp_path / "file").touch()
    fails(2, "cannot be written", "video", clip, *QUICK, "--out", tmp_path / "file" / "head")
