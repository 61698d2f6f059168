"""Commands that train: those of things, whose name says which."""

import pytest
from typer.testing import CliRunner

from inv3d.cli import train
from inv3d.core.training import recipe


@pytest.mark.parametrize("name", ["cats", "chairs"])
def test_the_name_of_the_command_is_what_is_drawn_and_trained(name, tmp_path, monkeypatch):
    drawn, trained = [], []
    monkeypatch.setattr(recipe, "make_data", lambda folder, scale, compiled, report, source, drawing: drawn.append(source.name))

    def train_all(folder, scale, *_):
        trained.append((folder, scale))
        return folder / name

    monkeypatch.setattr(recipe, "train_all", train_all)
    done = CliRunner().invoke(train.app, [name, str(tmp_path / "run"), "--scale", "0.5", "--device", "cpu", "--no-compiled"])
    assert done.exit_code == 0, done.output
    assert drawn == [name] and trained == [(tmp_path / "run", 0.5)]
