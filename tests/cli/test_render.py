from pathlib import Path

import pytest
from typer.testing import CliRunner

from inv3d.cli.app import app
from inv3d.core.errors import InputError, UsageError


def failure(folder: Path, *arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, ["render", str(folder), *arguments]).exception


@pytest.mark.parametrize(
    ("arguments", "idle", "hint"),
    [
        (("--path", "swing", "--yaw", "30", "--out", "x.gif"), "--yaw", "without --path"),
        (("--path", "swing", "--pitch", "5", "--out", "x.gif"), "--pitch", "without --path"),
        (("--frames", "9", "--out", "x.gif"), "--frames", "with --path"),
        (("--fps", "9", "--out", "x.png"), "--fps", "with a video"),
        (("--codec", "h265", "--out", "x.webm"), "--codec", "with an .mp4 file"),
    ],
)
def test_options_that_would_do_nothing_are_refused_before_a_head_is_read(tmp_path, arguments, idle, hint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = failure(tmp_path, *arguments)
    assert isinstance(error, UsageError) and error.message == f"{idle} has no effect here" and hint in error.hint


def test_options_that_do_something_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("--yaw", "30", "--pitch", "5"), ("--path", "swing", "--frames", "9", "--fps", "9", "--codec", "h265", "--out", "x.mp4")):
        error = failure(tmp_path, *arguments)
        assert isinstance(error, InputError) and "contains no head" in error.message
