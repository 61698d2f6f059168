"""Options that would do nothing are refused before any work; all commands."""

import pytest
from typer.testing import CliRunner

from inv3d.cli.app import app
from inv3d.core.errors import UsageError

HEAD = "head"


@pytest.mark.parametrize(
    ("arguments", "idle", "hint"),
    [
        (("export", HEAD, "--out", "x.stl", "--texture", "512"), "--texture", "with .glb, .obj or .usdz"),
        (("export", HEAD, "--out", "x.ply", "--splats", "--texture", "512"), "--texture", "with .glb, .obj or .usdz"),
        (("export", HEAD, "--out", "x.spz", "--triangles", "900"), "--triangles", "with a mesh"),
        (("export", HEAD, "--out", "x.ply", "--splats", "--triangles", "900"), "--triangles", "with a mesh"),
        (("export", HEAD, "--out", "x.mp4", "--triangles", "900"), "--triangles", "with a mesh"),
        (("export", HEAD, "--out", "x.mp4", "--head-width", "15cm"), "--head-width", "with a mesh or splats"),
        (("export", HEAD, "--out", "x.mp4", "--ipd", "63mm"), "--ipd", "with a mesh or splats"),
        (("render", HEAD, "--path", "swing", "--yaw", "30", "--out", "x.gif"), "--yaw", "without --path"),
        (("render", HEAD, "--path", "swing", "--pitch", "5", "--out", "x.gif"), "--pitch", "without --path"),
        (("render", HEAD, "--frames", "9", "--out", "x.gif"), "--frames", "with --path"),
        (("render", HEAD, "--fps", "9", "--out", "x.png"), "--fps", "with a video"),
        (("render", HEAD, "--codec", "h265", "--out", "x.webm"), "--codec", "with an .mp4 file"),
        (("render", HEAD, "--show", "depth", "--background", "white"), "--background", "with --show color"),
        (("edit", HEAD, "--undo", "1", "--layers", "2-3"), "--layers", "with what moves codes"),
        (("edit", HEAD, "--component", "3=1", "--space", "inversion"), "--space", "with edits by name"),
        (("edit", HEAD, "--sheet", "3=0..1", "--space", "inversion"), "--space", "with edits by name"),
        (("models", "sample", "demo", "--mix", "--columns", "3"), "--columns", "without --mix"),
        (("models", "sample", "demo", "--mix", "--yaw", "0,30"), "--yaw", "with one angle"),
        (("models", "fetch", "--offline"), "--offline", "with a NAME"),
        (("models", "fetch", "--force"), "--force", "with a NAME"),
        (("train", "directions", "--encoder", "e3dge"), "--encoder", "with --pictures"),
        (("train", "data", "run", "--no-compiled"), "--compiled", "with another --source"),
        (("train", "demo", "run", "--no-compiled"), "--compiled", "with another --source"),
        (("train", "encoder", "--recipe", "e3dge", "--without", "local", "--data", HEAD), "--data", "with the local branch"),
        (("video", HEAD, "--encoder", "e3dge"), "--encoder", "with --replay"),
        (("video", HEAD, "--replay", "--views", "5"), "--views", "without --replay"),
        (("video", HEAD, "--replay", "--latents"), "--latents", "without --replay"),
        (("video", HEAD, "--replay", "--preset", "draft"), "--preset", "without --replay"),
        (("video", HEAD, "--replay", "--resume"), "--resume", "without --replay"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_would_do_nothing_are_refused(arguments, idle, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / HEAD).mkdir()
    error = CliRunner().invoke(app, [*arguments]).exception
    assert isinstance(error, UsageError) and error.message == f"{idle} has no effect here"
    assert error.hint.startswith(f"use it {hint}")
    assert [path.name for path in tmp_path.iterdir()] == [HEAD]
