"""Models that are damaged in every way that files are: one line, exit code 4, and the others are still listed."""

import json
import os
import shutil

import pytest

from inv3d.cli.app import app
from inv3d.core import library
from inv3d.core.errors import ModelError

DEMO = json.loads((library.EMBEDDED / "demo" / "model.json").read_text())


def changed(**fields):
    return json.dumps(DEMO | fields).encode()


def generator(**fields):
    return changed(generator=DEMO["generator"] | fields)


DESCRIPTIONS = {
    "list": b"[1, 2]",
    "number": b"3",
    "text": b'"demo"',
    "null": b"null",
    "empty": b"",
    "deep": b"[" * 100_000,
    "deep-object": b'{"a":' * 50_000,
    "not-text": bytes(range(256)),
    "large": b" " * (1 << 22),
    "page": b"<!doctype html>",
    "fields": b"{}",
    "name": changed(name=["x"]),
    "license": changed(license="x" * 100_000),
    "radius": changed(radius="2.7"),
    "nan": changed(radius=float("nan")),
    "infinite": changed(focal=float("inf")),
    "newer": changed(format=99),
    "unknown": changed(**{"\x1b[2J\nerror: forged": 1}),
    "generator": changed(generator=[]),
    "wide": generator(w_dim=10**12),
    "channels": generator(channel_max=10**9, channel_base=10**12),
    "layers": generator(mapping=DEMO["generator"]["mapping"] | {"layers": 10**9}),
    "planes": generator(plane_resolution=1 << 30),
    "negative": generator(z_dim=-1),
    "fraction": generator(raw_resolution=256.5),
    "whole": generator(noise=1),
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INV3D_HOME", str(tmp_path))
    return tmp_path / "models"


def put(home, name, description):
    (home / name).mkdir(parents=True)
    (home / name / "model.json").write_bytes(description)
    (home / name / "generator.safetensors").write_bytes(b"nonsense")


def run(*arguments):
    app(["models", *arguments], standalone_mode=False)


def test_bad_models_do_not_hide_the_others(home, capsys):
    for name, description in DESCRIPTIONS.items():
        put(home, name, description)
    put(home, "sound", json.dumps(DEMO).encode())
    (home / "pipe").mkdir()
    os.mkfifo(home / "pipe" / "model.json")
    (home / "folder" / "model.json").mkdir(parents=True)
    run("list")
    lines = capsys.readouterr().out.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert len(lines) == len(shown) == len(DESCRIPTIONS) + 6
    good = {"cats", "chairs", "demo", "sound"}
    assert all("256 px" in shown[name] for name in good)
    assert all(f"{name}/model.json" in line for name, line in shown.items() if name not in good)
    assert all(line.isprintable() and len(line) < 400 for line in lines)
    run("list", "--json")
    listed = json.loads(capsys.readouterr().out)
    assert {entry["name"] for entry in listed if "error" in entry} == shown.keys() - good


@pytest.mark.parametrize("command", ["info", "verify", "sample"])
def test_a_bad_description_ends_every_command(command, home, tmp_path):
    out = ["--out", str(tmp_path / "x.png")] if command == "sample" else []
    for name in ("list", "deep", "large", "wide", "layers"):
        put(home, name, DESCRIPTIONS[name])
        with pytest.raises(ModelError) as caught:
            run(command, name, *out)
        assert f"{name}/model.json" in caught.value.message and caught.value.message.isprintable()
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("damage", ["missing", "cut", "pipe", "folder", "link to itself", "link to nothing"])
@pytest.mark.parametrize("command", ["verify", "sample"])
def test_bad_weights_end_in_one_line(command, damage, home, tmp_path):
    shutil.copytree(library.EMBEDDED / "demo", home / "copy")
    weights = home / "copy" / "generator.safetensors"
    data = weights.read_bytes()
    weights.unlink()
    match damage:
        case "cut":
            weights.write_bytes(data[:-100])
        case "pipe":
            os.mkfifo(weights)
        case "folder":
            weights.mkdir()
        case "link to itself":
            weights.symlink_to(weights)
        case "link to nothing":
            weights.symlink_to(tmp_path / "nothing")
    out = ["--out", str(tmp_path / "x.png")] if command == "sample" else []
    with pytest.raises(ModelError, match=r"generator\.safetensors"):
        run(command, "copy", *out)


@pytest.mark.parametrize("name", ["../demo", "", "a/b", "x" * 5000, "a\nb", "\x1b[31m", ".", "DEMO"])
@pytest.mark.parametrize("command", ["info", "verify", "remove", "sample", "prepare"])
def test_names_that_no_model_has(command, name, home, tmp_path):
    out = ["--out", str(tmp_path / "x.png")] if command == "sample" else []
    with pytest.raises(ModelError) as caught:
        run(command, name, *out)
    assert caught.value.exit_code == 4 and caught.value.message.isprintable() and len(caught.value.message) < 200


def test_a_damaged_catalogue_ends_fetch(home):
    home.parent.joinpath("catalogue.json").write_bytes(b"[" * 100_000)
    for arguments in ((), ("ffhq", "--offline")):
        with pytest.raises(ModelError, match=r"catalogue\.json is damaged"):
            run("fetch", *arguments)
