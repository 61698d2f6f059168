"""The models `cats` and `chairs` as a person uses them: photos and clips become 3D things, and nothing about faces is in between."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import trimesh
from PIL import Image

from inv3d.core.bundle import load_bundle
from inv3d.core.inversion.settings import DRAFT
from inv3d.core.library import model_folder
from inv3d.core.training.source import CATS, CHAIRS, Source
from inv3d.video.decode import frames, probe
from tests.people import FOLDER

from .commands import here, inv3d


@dataclass(frozen=True)
class Thing:
    """A model of things, and from how many dB on photos and clips count as met: one pass, 3dinv, and a clip."""

    source: Source
    passed: float
    found: float
    filmed: float

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def clip(self) -> Path:
        """A thing that turns, 28 frames of 320 x 180; `benchmarks/make_test_pictures.py` draws it."""
        return FOLDER.parent / self.name / "turn.mp4"


@pytest.fixture(scope="module", params=[Thing(CATS, 14, 14, 15), Thing(CHAIRS, 11, 11, 13)], ids=lambda thing: thing.name)
def thing(request: pytest.FixtureRequest) -> Thing:
    found: Thing = request.param
    return found


@pytest.fixture(scope="module")
def photo(thing: Thing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    still = [frame.image for frame in frames(thing.clip)][15]
    Image.fromarray(still).save(path)
    return path


def facts_of(out: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What run.json, metrics.json and the report say."""
    run, metrics = (json.loads((out / name).read_text()) for name in ("run.json", "metrics.json"))
    return run, metrics, (out / "report.html").read_text()


def test_the_model_is_small_and_has_a_card(thing):
    files = list(model_folder(thing.name).iterdir())
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    told = here("models", "info", thing.name)
    assert told.returncode == 0 and told.stdout.startswith(f"# {thing.name}") and "Apache-2.0" in told.stdout
    assert f"no pictures of real {thing.name}" in here("models", "list").stdout


def test_the_model_shows_the_things_that_it_learned(thing):
    """Its pictures from z are nearer to the things of the same latents than those are to each other, from in front and behind."""
    bundle, count = load_bundle(thing.name), 6
    z = torch.randn(count, bundle.generator.z_dim, generator=torch.Generator().manual_seed(5))
    parameters = thing.source.parameters(*z.tensor_split([thing.source.identity_dim], 1))
    for yaw in (0.3, 2.6):
        camera = bundle.info.camera(torch.full((count,), yaw), torch.zeros(count))
        drawn, _ = thing.source.artist(False).pictures(parameters, camera, 48, 1, torch.Generator())
        with torch.no_grad():
            shown = torch.cat([bundle.generator(bundle.generator.mapping(z[[i]]), camera[i], 48).image for i in range(count)])
        error = (shown[:, None] - drawn[None]).square().mean((2, 3, 4))
        assert (error.argmin(1) == torch.arange(count)).float().mean() > 0.8
        assert error.diagonal().mean() < 0.3 * error[~torch.eye(count, dtype=torch.bool)].mean()


def test_a_photo_becomes_a_head_by_one_pass(thing, photo, tmp_path):
    out = tmp_path / "out"
    done = inv3d("image", photo, "--model", thing.name, "--encoder", "preim3d", "--preset", "draft", "--out", out)
    assert done.returncode == 0, done.stderr
    run, metrics, report = facts_of(out)
    assert run["encoder"] == "preim3d" and abs(run["yaw_degrees"] - 8) < 20
    assert metrics["fit"]["psnr"] > thing.passed
    assert metrics["fit"]["identity"] is None and metrics["fit"]["face_distance"] is None
    assert not metrics["outside"] and "dlib" not in report and "inv3d[photos]" not in report
    assert len(trimesh.load_mesh(out / "mesh.glb").faces) > 1000


def test_pose_and_code_are_found_together(thing, photo, tmp_path):
    short, out = ("--preset", "draft", "--refine", "12", "--tune", "4"), tmp_path / "out"
    done = inv3d("image", photo, "--model", thing.name, "--method", "3dinv", *short, "--out", out)
    assert done.returncode == 0, done.stderr
    run, metrics, _ = facts_of(out)
    assert run["method"] == "3dinv" and run["encoder"] == "preim3d" and metrics["fit"]["psnr"] > thing.found


def test_a_clip_becomes_a_head(thing, tmp_path):
    out = tmp_path / "out"
    done = inv3d("video", thing.clip, "--model", thing.name, "--preset", "draft", "--views", "3", "--effort", "0.2", "--out", out)
    assert done.returncode == 0, done.stderr
    run, metrics, _ = facts_of(out)
    assert run["model"] == thing.name and metrics["fit"]["psnr"] > thing.filmed
    assert metrics["held_out"]["identity"] is None and metrics["held_out"]["perceptual"] > 0
    assert probe(out / "orbit.mp4").frames == DRAFT.output.orbit_frames
    picture = tmp_path / "turned.png"
    assert here("render", out, "--yaw", "-40,0,40", "--resolution", "64", "--out", picture).returncode == 0
    assert Image.open(picture).size == (192, 64)
