"""The model `cats` as a person uses it: a photo and a clip of a cat become 3D heads, and nothing about faces is in between."""

import json
from pathlib import Path

import pytest
import torch
import trimesh
from PIL import Image

from inv3d.core.bundle import load_bundle
from inv3d.core.inversion.settings import DRAFT
from inv3d.core.library import model_folder
from inv3d.core.training.source import CATS
from inv3d.video.decode import frames, probe
from tests.people import FOLDER

from .commands import here, inv3d

CLIP = FOLDER.parent / "cats" / "turn.mp4"
"""A cat that turns, 28 frames of 320 x 180; `benchmarks/make_test_pictures.py` draws it."""


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "cat.png"
    still = [frame.image for frame in frames(CLIP)][15]
    Image.fromarray(still).save(path)
    return path


def facts_of(out: Path) -> tuple[dict, dict, str]:
    """What run.json, metrics.json and the report say."""
    run, metrics = (json.loads((out / name).read_text()) for name in ("run.json", "metrics.json"))
    return run, metrics, (out / "report.html").read_text()


def test_the_model_is_small_and_has_a_card():
    files = list(model_folder("cats").iterdir())
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    told = here("models", "info", "cats")
    assert told.returncode == 0 and told.stdout.startswith("# cats") and "Apache-2.0" in told.stdout
    assert "no pictures of real cats" in here("models", "list").stdout


def test_the_model_shows_the_cats_that_it_learned():
    """Its pictures from z are nearer to the cats of the same latents than those are to each other."""
    bundle, count = load_bundle("cats"), 6
    z = torch.randn(count, bundle.generator.z_dim, generator=torch.Generator().manual_seed(5))
    parameters = CATS.parameters(*z.tensor_split([CATS.identity_dim], 1))
    camera = bundle.info.camera(torch.full((count,), 0.3), torch.zeros(count))
    drawn, _ = CATS.artist(False).pictures(parameters, camera, 48, 1, torch.Generator())
    with torch.no_grad():
        shown = torch.cat([bundle.generator(bundle.generator.mapping(z[[i]]), camera[i], 48).image for i in range(count)])
    error = (shown[:, None] - drawn[None]).square().mean((2, 3, 4))
    assert (error.argmin(1) == torch.arange(count)).float().mean() > 0.8
    assert error.diagonal().mean() < 0.3 * error[~torch.eye(count, dtype=torch.bool)].mean()


def test_a_photo_of_a_cat_becomes_a_head_by_one_pass(photo, tmp_path):
    done = inv3d("image", photo, "--model", "cats", "--encoder", "preim3d", "--preset", "draft", "--out", tmp_path / "cat")
    assert done.returncode == 0, done.stderr
    run, metrics, report = facts_of(tmp_path / "cat")
    assert run["encoder"] == "preim3d" and abs(run["yaw_degrees"] - 8) < 20
    assert metrics["fit"]["psnr"] > 14
    assert metrics["fit"]["identity"] is None and metrics["fit"]["face_distance"] is None
    assert not metrics["outside"] and "dlib" not in report and "inv3d[photos]" not in report
    assert len(trimesh.load(tmp_path / "cat" / "mesh.glb", force="mesh").faces) > 1000


def test_pose_and_code_are_found_together(photo, tmp_path):
    short = ("--preset", "draft", "--refine", "12", "--tune", "4")
    done = inv3d("image", photo, "--model", "cats", "--method", "3dinv", *short, "--out", tmp_path / "cat")
    assert done.returncode == 0, done.stderr
    run, metrics, _ = facts_of(tmp_path / "cat")
    assert run["method"] == "3dinv" and run["encoder"] == "preim3d" and metrics["fit"]["psnr"] > 14


def test_a_clip_of_a_cat_becomes_a_head(tmp_path):
    out = tmp_path / "cat"
    done = inv3d("video", CLIP, "--model", "cats", "--preset", "draft", "--views", "3", "--effort", "0.2", "--out", out)
    assert done.returncode == 0, done.stderr
    run, metrics, _ = facts_of(out)
    assert run["model"] == "cats" and metrics["fit"]["psnr"] > 15
    assert metrics["held_out"]["identity"] is None and metrics["held_out"]["perceptual"] > 0
    assert probe(out / "orbit.mp4").frames == DRAFT.output.orbit_frames
    picture = tmp_path / "turned.png"
    assert here("render", out, "--yaw", "-40,0,40", "--resolution", "64", "--out", picture).returncode == 0
    assert Image.open(picture).size == (192, 64)
