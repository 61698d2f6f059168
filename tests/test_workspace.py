import errno
from pathlib import Path

import pytest
import torch

from inv3d.core.errors import UsageError
from inv3d.workspace import Workspace, disk_errors


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


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        Workspace(tmp_path / "file" / "out", {}, force=False, resume=False)


def test_a_full_disk_is_told_apart():
    with pytest.raises(UsageError, match="disk is full"), disk_errors(Path("out")):
        raise OSError(errno.ENOSPC, "No space left on device")
