import shutil
from pathlib import Path

import pytest
import torch

from inv3d.core.errors import UsageError
from inv3d.workspace import Workspace


def test_output_appears_whole(tmp_path):
    out = tmp_path / "out"
    space = Workspace(out, {"a": 1}, force=False, resume=False)
    (space.folder / "mesh.glb").write_text("x")
    assert not out.exists()
    space.finish()
    assert [path.name for path in out.iterdir()] == ["mesh.glb"]
    assert list(tmp_path.iterdir()) == [out]


def test_finished_stages_are_loaded_instead_of_made_again(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"x": torch.arange(3.0)}

    for resume in (False, True):
        space = Workspace(tmp_path / "out", {}, force=False, resume=resume)
        assert torch.equal(space.tensors("fit", make)["x"], torch.arange(3.0))
        assert space.json("track", lambda: {"t": 0.1 + 0.2}) == {"t": 0.1 + 0.2}
    assert made == [1]


def test_a_stage_that_was_cut_off_is_made_again(tmp_path):
    space = Workspace(tmp_path / "out", {}, force=False, resume=False)
    (space.stages / "fit.safetensors").write_bytes(b"half")
    assert space.tensors("fit", lambda: {"x": torch.ones(1)})["x"] == 1


def test_an_existing_output_is_kept_without_force(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(UsageError, match="exists"):
        Workspace(out, {}, force=False, resume=False)
    space = Workspace(out, {}, force=True, resume=False)
    assert (out / "mine").exists()  # until the new one is whole
    space.finish()
    assert not (out / "mine").exists()


def test_an_unfinished_run_is_not_thrown_away(tmp_path):
    Workspace(tmp_path / "out", {"seed": 0}, force=False, resume=False)
    with pytest.raises(UsageError, match="unfinished run"):
        Workspace(tmp_path / "out", {"seed": 0}, force=False, resume=False)
    with pytest.raises(UsageError, match="other settings"):
        Workspace(tmp_path / "out", {"seed": 1}, force=False, resume=True)


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_a_kill_while_finishing_loses_nothing(tmp_path, monkeypatch, calls):
    """Whatever the last call that reached the disk, a repeated command ends with the new output."""

    class KilledError(Exception):
        pass

    def killing(function):
        def call(*arguments, **options):
            if done.append(function) or len(done) > calls:
                raise KilledError
            return function(*arguments, **options)

        return call

    out, done = tmp_path / "out", []
    out.mkdir()
    (out / "old.glb").write_text("old")
    (tmp_path / "out.old").mkdir()  # a folder of the user's own
    space = Workspace(out, {}, force=True, resume=False)
    space.tensors("fit", lambda: {"x": torch.ones(1)})
    (space.folder / "mesh.glb").write_text("new")
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Path, "replace", killing(Path.replace))
        patch.setattr(shutil, "rmtree", killing(shutil.rmtree))
        patch.setattr(Path, "unlink", killing(Path.unlink))
        space.finish()
    if not (out / "mesh.glb").exists():
        again = Workspace(out, {}, force=True, resume=True)
        assert again.tensors("fit", lambda: pytest.fail("the stage was lost")) == {"x": torch.ones(1)}
        again.finish()
    assert (out / "mesh.glb").read_text() == "new"
    assert (tmp_path / "out.old").is_dir() and not (tmp_path / "out.partial").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        Workspace(tmp_path / "file" / "out", {}, force=False, resume=False)
