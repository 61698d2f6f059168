import pytest
from typer.testing import CliRunner

from inv3d.cli.app import app
from inv3d.core.errors import InputError


@pytest.mark.parametrize(
    "arguments",
    [("--yaw", "30", "--pitch", "5"), ("--path", "swing", "--frames", "9", "--fps", "9", "--codec", "h265", "--out", "x.mp4")],
)
def test_options_that_do_something_are_taken(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(app, ["render", str(tmp_path), *arguments]).exception
    assert isinstance(error, InputError) and "contains no head" in error.message
