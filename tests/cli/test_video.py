from typing import get_args, get_type_hints

from typer.testing import CliRunner

from inv3d.cli.app import app
from inv3d.cli.video import video
from inv3d.core.cutout import MATTES
from inv3d.core.errors import UsageError


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert isinstance(done.exception, UsageError)
    return done.exception.message


def test_encoders_that_do_not_exist_are_refused(clip, tmp_path):
    said = refused("video", str(clip), "--replay", "--encoder", "e4dge", "--out", str(tmp_path / "out"))
    assert said == "there is no encoder 'e4dge'"


def test_mattes_are_those_that_there_are():
    assert get_args(get_args(get_type_hints(video, include_extras=True)["matte"])[0]) == MATTES


def test_ingredients_that_do_not_exist_are_refused():
    said = refused("train", "encoder", "--recipe", "e3dge", "--without", "salt")
    assert said == "the recipe e3dge has no ingredient 'salt'"
