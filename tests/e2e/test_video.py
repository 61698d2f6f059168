"""`inv3d video` on a clip, and what works on its output."""

import json
import signal
import time
from pathlib import Path

import pytest
import trimesh
from PIL import Image
from safetensors.torch import load_file

from inv3d.core.inversion.settings import FAST
from inv3d.video.decode import probe

from .commands import MAIN, fails, here, inv3d, start


@pytest.fixture(scope="module")
def output(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "head"
    done = inv3d("video", clip, *MAIN, "--out", out)
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
        "frames.safetensors",
        "weights.safetensors",
    }
    assert load_file(output / "head" / "codes.safetensors")["codes"].shape[0] == 3
    assert probe(output / "orbit.mp4").frames == FAST.output.orbit_frames
    assert len(trimesh.load_mesh(output / "mesh.glb").faces) > 1000
    assert len(json.loads((output / "views" / "cameras.json").read_text())["views"]) == 3
    assert not output.with_name("head.partial").exists()


def test_metrics_keep_fit_and_held_out_frames_apart(output):
    metrics = json.loads((output / "metrics.json").read_text())
    fit, held = ({row["frame"] for row in metrics["frames"][name]} for name in ("fit", "held_out"))
    assert len(fit) == 3 and 10 < len(held) <= FAST.output.held_out and not fit & held
    assert metrics["fit"]["identity"] > 0 and not metrics["outside"]
    assert len(list((output / "views").glob("unseen-*.png"))) == min(len(held), 6)
    assert metrics["latent_distance"] > 0 and metrics["depth_consistency"] > 0
    assert metrics["fit"]["psnr"] > 15
    assert metrics["held_out"]["perceptual"] < metrics["model"]["perceptual"]  # the frames help where they were not seen


def test_run_and_report_say_how_it_was_made(output):
    run = json.loads((output / "run.json").read_text())
    assert run["settings"]["name"] == "fast" and run["seed"] == 0 and run["device"] == "cpu"
    assert {"track", "fit", "orbit", "mesh", "metrics"} <= set(run["seconds"]) and run["peak_memory_mb"] > 100
    page = (output / "report.html").read_text()
    assert "<video" in page and "<svg" in page and "data:image/png" in page
    assert 'src="http' not in page and 'href="http' not in page


def test_render_and_export_work_on_the_output(output, tmp_path):
    done = here("render", output, "--yaw", "-30,30", "--resolution", "32", "--out", tmp_path / "turn.png")
    assert done.returncode == 0 and "render 1/2\n" in done.stdout and "render 2/2\n" in done.stdout
    assert (tmp_path / "turn.png").stat().st_size > 500
    assert here("export", output, "--out", tmp_path / "head.ply", "--resolution", "48").returncode == 0
    assert len(trimesh.load_mesh(tmp_path / "head.ply").faces) > 1000
    options = ("--resolution", "64", "--triangles", "8000", "--texture", "256", "--head-width", "15cm")
    done = here("export", output, "--out", tmp_path / "head.obj", *options, "--json")
    facts = json.loads(done.stdout)
    assert all(f"{line}\n" in done.stderr for line in ("mesh 1/1", "texture 1/2", "texture 2/2", "comparison 1/1"))
    assert facts["psnr_face"] > 25 and facts["units"] == "metres" and facts["triangles"] <= 8000
    assert {path.name for path in tmp_path.glob("head*")} > {"head.obj", "head.mtl", "head-texture.jpg"}
    (tmp_path / "head.obj").unlink()
    fails(2, "head.mtl exists", "export", output, "--out", tmp_path / "head.obj")
    fails(2, "exists", "render", output, "--out", tmp_path / "turn.png")
    fails(2, "not an export format", "export", output, "--out", tmp_path / "head.stl2")
    transparent = ("render", output, "--yaw", "0", "--resolution", "16", "--background", "transparent")
    assert here(*transparent, "--out", tmp_path / "cut.png").returncode == 0
    with Image.open(tmp_path / "cut.png") as file:
        assert file.mode == "RGBA"
    fails(2, "is not keep, white", "render", output, "--background", "pink", "--out", tmp_path / "pink.png")
    fails(2, "not a list of angles", "render", output, "--yaw", "left")
    fails(3, "contains no head", "render", tmp_path, "--out", tmp_path / "x.png")


def test_an_existing_output_is_kept(clip, output):
    before = (output / "run.json").read_text()
    fails(2, "exists", "video", clip, *MAIN, "--out", output)
    assert (output / "run.json").read_text() == before


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_head(clip, output, tmp_path):
    out = tmp_path / "head"
    process = start("video", clip, *MAIN, "--out", out)
    stage = tmp_path / "head.partial" / "stages" / "wplus.safetensors"
    while not stage.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert stage.exists() and not out.exists()
    fails(2, "unfinished run", "video", clip, *MAIN, "--out", out)
    fails(2, "other settings", "video", clip, *MAIN, "--seed", "5", "--out", out, "--resume")
    done = inv3d("video", clip, *MAIN, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    for path in (output / "head").iterdir():
        assert path.read_bytes() == (out / "head" / path.name).read_bytes(), path.name
