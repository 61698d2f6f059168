"""The small commands."""

import json
import subprocess
import sys

import torch

import inv3d
from inv3d.core.generator import GeneratorConfig, TriplaneGenerator

from .commands import fails, here
from .commands import inv3d as run


def test_version_and_help():
    assert run("--version").stdout.strip() == f"inv3d {inv3d.__version__}"
    page = run("--help").stdout
    assert all(name in page for name in ("video", "image", "render", "export", "edit", "models", "doctor", "train"))
    assert "inv3d video clip.mp4 --views 9 --latents" in run("video", "--help").stdout


def test_help_imports_nothing_heavy():
    code = "import sys\nfrom inv3d.cli.app import app\nprint([m for m in ('torch', 'numpy', 'av', 'skimage', 'pydantic') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_models_list_and_info():
    assert "demo" in here("models", "list").stdout
    assert json.loads(here("models", "list", "--json").stdout)[0]["license"] == "Apache-2.0"
    assert "trained" in here("models", "info", "demo").stdout
    fails(4, "no model named", "models", "info", "nobody")


def test_doctor_finds_everything():
    done = run("doctor")
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout and "64 px render in" in done.stdout


def test_contact_sheets_of_generator_and_source(tmp_path):
    from skimage.io import imread

    sheets = {"sample": tmp_path / "sheet.png", "source": tmp_path / "source.png"}
    for command, out in sheets.items():
        name = ["demo"] if command == "sample" else ["--kind", "toons"]
        options = ("--seeds", "0-2", "--yaw", "-60,60", "--resolution", "32", "--columns", "2", "--out", out)
        done = here("models", command, *name, *options)
        assert done.returncode == 0, done.stderr
        assert imread(out).shape == (64, 128, 3)
    fails(2, "exists", "models", "sample", "demo", "--out", sheets["sample"])
    fails(2, "not a list of seeds", "models", "sample", "demo", "--seeds", "all", "--out", tmp_path / "new.png")
    fails(2, "not a PNG", "models", "source", "--out", tmp_path / "new.jpg")


def test_every_part_of_the_recipe_runs_on_its_own(tmp_path):
    fails(3, "shards", "train", "generator", tmp_path / "empty", "--scale", "0.0001")
    fails(3, "generator.pt", "train", "assemble", tmp_path / "empty")
    assert "--from" in here("train", "generator", "--help").stdout


def test_a_public_checkpoint_from_import_to_removal(clip, tmp_path, monkeypatch):
    small = TriplaneGenerator(GeneratorConfig(z_dim=64, channel_base=2048, channel_max=32))
    torch.save(small.state_dict(), tmp_path / "net.pt")
    monkeypatch.setenv("INV3D_HOME", str(tmp_path / "home"))
    options = ("--name", "small", "--like", "ffhq", "--license", "mine")
    done = here("models", "import", tmp_path / "net.pt", *options)
    assert done.returncode == 0, done.stderr
    assert "licence: mine" in done.stdout and "inv3d models prepare small" in done.stdout
    assert (tmp_path / "home" / "models" / "small" / "mean.png").is_file()
    assert "licence mine" in here("models", "list").stdout
    fails(4, "cannot find heads", "video", clip, "--model", "small", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()
    assert here("models", "verify", "small").returncode == 0
    assert here("models", "remove", "small").returncode == 0
    assert "small" not in here("models", "list").stdout


def test_the_catalogue_is_shown_and_kept_off_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("INV3D_HOME", str(tmp_path / "home"))
    assert "not commercial" in here("models", "fetch").stdout
    fails(4, "downloads are disabled", "models", "fetch", "ffhq", "--offline")
