import errno
import functools
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file, save_file

from inv3d.core.errors import InputError, UsageError
from inv3d.workspace import Workspace
from tests.test_destination import made
from tests.trees import tree


@dataclass(frozen=True)
class Found:
    """What a stage finds, in the tests."""

    yaws: tuple[float, ...]
    count: int


JOB = {"sha256": "1" * 64, "seed": 0, "scale": 0.1}
FOUND = Found((0.1 + 0.2, -1.5), 3)


def space(out: Path, force: bool = False, resume: bool = False, *inputs: Path) -> Workspace:
    return Workspace(out, inputs, force, resume)


def ones() -> dict[str, torch.Tensor]:
    return {"x": torch.ones(3), "y": torch.zeros(2, 2)}


def lost() -> NoReturn:
    pytest.fail("the stage was lost")


def unfinished(out: Path) -> Path:
    """A run of `JOB` that was killed after two stages."""
    with space(out) as run:
        run.begin(JOB)
        run.value("track", Found, lambda: FOUND)
        run.tensors("fit", ones)
    return run.folder


def write(run: Workspace, text: str = "new") -> None:
    """What the end of a run writes."""
    (run.output / "mesh.glb").write_text(text)
    files = ["mesh.glb", "run.json"]
    (run.output / "run.json").write_text(json.dumps({"version": "1", "sha256": "0" * 64, "files": files}))


def test_output_appears_whole_and_alone(tmp_path):
    out = tmp_path / "deep" / "out"
    with space(out) as run:
        run.begin(JOB)
        run.tensors("fit", ones)
        write(run)
        assert not out.exists()
        run.finish()
    assert sorted(path.name for path in out.iterdir()) == ["mesh.glb", "run.json"]
    assert list(out.parent.iterdir()) == [out]


def test_finished_stages_are_loaded_instead_of_made_again(tmp_path):
    unfinished(tmp_path / "out")
    with space(tmp_path / "out", resume=True) as run:
        run.begin(JOB)
        assert run.value("track", Found, lost) == FOUND
        kept = run.tensors("fit", lost)
        assert kept.keys() == ones().keys() and all(torch.equal(kept[name], ones()[name]) for name in kept)


def test_a_run_that_was_continued_leaves_nothing_beside_its_output(tmp_path):
    unfinished(tmp_path / "out")
    with space(tmp_path / "out", resume=True) as run:
        run.begin(JOB)
        write(run)
        run.finish()
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_stage_is_not_taken_from_another_job_or_under_another_name(tmp_path):
    folder = unfinished(tmp_path / "out")
    with space(tmp_path / "other") as run:
        run.begin({**JOB, "seed": 1})
        run.tensors("fit", ones)
    shutil.copy(run.folder / "stages" / "fit.safetensors", folder / "stages" / "fit.safetensors")
    shutil.copy(folder / "stages" / "fit.safetensors", folder / "stages" / "tuned.safetensors")
    told = []

    def made_again(stage):
        told.append(stage)
        return ones()

    with space(tmp_path / "out", resume=True) as again:
        again.begin(JOB)
        for stage in ("fit", "tuned"):
            again.tensors(stage, functools.partial(made_again, stage))
    assert told == ["fit", "tuned"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def foreign_tensors(path: Path) -> None:
    save_file({"x": torch.full((3,), torch.nan), "y": torch.zeros(2, 2)}, path)


def same_tensors_of_other_type(path: Path) -> None:
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path)


@pytest.mark.parametrize("damage", [cut, flip, foreign_tensors, same_tensors_of_other_type, Path.unlink, os.truncate])
def test_a_damaged_stage_of_tensors_is_made_again(tmp_path, damage):
    folder = unfinished(tmp_path / "out")
    path = folder / "stages" / "fit.safetensors"
    damage(path) if damage is not os.truncate else os.truncate(path, 0)
    with space(tmp_path / "out", resume=True) as run:
        run.begin(JOB)
        kept = run.tensors("fit", ones)
        assert all(torch.equal(kept[name], ones()[name]) for name in ones())
    with space(tmp_path / "out", resume=True) as run:
        run.begin(JOB)
        run.tensors("fit", lost)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"[" * 100_000, b"\xff", b'{"seal": 1, "value": 2}', b"null",
        json.dumps({"format": 1, "seal": "0" * 64, "value": {"yaws": [1.0], "count": 3}}).encode(),
        json.dumps({"format": 2, "seal": "0" * 64, "value": {"yaws": [1.0], "count": 3}}).encode(),
    ],
)  # fmt: skip
def test_a_damaged_stage_of_data_is_made_again(tmp_path, text):
    path = unfinished(tmp_path / "out") / "stages" / "track.json"
    path.write_bytes(text)
    with space(tmp_path / "out", resume=True) as run:
        run.begin(JOB)
        assert run.value("track", Found, lambda: FOUND) == FOUND
        assert run.value("track", Found, lost) == FOUND


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "{}", '{"job": 1}', '{"job": {"seed": NaN}}'])
def test_a_run_whose_settings_are_damaged_is_refused_and_can_be_begun_anew(tmp_path, text):
    folder = unfinished(tmp_path / "out")
    (folder / "job.json").write_text(text)
    before = tree(tmp_path)
    with (
        pytest.raises(UsageError, match=r"job\.json is damaged|other settings"),
        space(tmp_path / "out", resume=True) as run,
    ):
        run.begin(JOB)
    assert tree(tmp_path) == before
    with space(tmp_path / "out", force=True) as run:
        run.begin(JOB)
        assert run.tensors("fit", lambda: {"x": torch.zeros(1)})["x"] == 0


def test_an_unfinished_run_is_not_thrown_away(tmp_path):
    unfinished(tmp_path / "out")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="unfinished run"), space(tmp_path / "out"):
        pytest.fail("it was entered")
    with pytest.raises(UsageError, match="other settings: scale, seed"), space(tmp_path / "out", resume=True) as run:
        run.begin({**JOB, "seed": 1, "scale": 0.2})
    with pytest.raises(UsageError, match="other settings: the input"), space(tmp_path / "out", resume=True) as run:
        run.begin({**JOB, "sha256": "2" * 64})
    with pytest.raises(UsageError, match=r"other settings: preset or what changes it$"), space(tmp_path / "out", resume=True) as run:
        run.begin({**JOB, "settings": {"name": "draft"}})
    assert tree(tmp_path) == before


def test_what_replaces_an_output_appears_at_the_end(tmp_path):
    out = made(tmp_path / "out")
    before = tree(out)
    with space(out, force=True) as run:
        run.begin(JOB)
        write(run)
        assert tree(out) == before
        run.finish()
    assert (out / "mesh.glb").read_text() == "new" and not (out / "views").exists()
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), InputError("a", "b")])
def test_a_run_that_fails_or_is_stopped_leaves_what_it_would_have_replaced(tmp_path, error):
    out = made(tmp_path / "out")
    before = tree(out)
    with pytest.raises(type(error)), space(out, force=True) as run:
        run.begin(JOB)
        run.tensors("fit", ones)
        raise error
    assert tree(out) == before
    assert sorted(path.name for path in run.folder.iterdir()) == ["job.json", "output", "stages"]


def test_a_run_that_made_nothing_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), space(tmp_path / "deep" / "out") as run:
        run.begin(JOB)
        (run.output / "half").touch()
        raise KeyboardInterrupt
    with pytest.raises(InputError), space(tmp_path / "out") as run:
        run.begin(JOB)
        run.tensors("fit", ones)
        with run.discarded_on(InputError):
            raise InputError("no head", "")
    with space(tmp_path / "other"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["first", "second"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_was_replaced_comes_back_if_the_last_step_fails(tmp_path, monkeypatch, failing, error):
    out = made(tmp_path / "out")
    before = tree(out)
    with pytest.raises((UsageError, KeyboardInterrupt)), space(out, force=True) as run:
        run.begin(JOB)
        run.tensors("fit", ones)
        write(run)
        original = Path.rename

        def rename(path: Path, target: Path) -> Path:
            if path == (out if failing == "first" else run.output):
                raise error
            return original(path, target)

        monkeypatch.setattr(Path, "rename", rename)
        run.finish()
    assert tree(out) == before


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("calls", range(8))
def test_a_kill_while_finishing_loses_nothing(tmp_path, monkeypatch, calls):
    """Whatever the last call that reached the disk, either the old output is there or the new one is, or the next run puts
    the old one back; a repeated command ends with the new output."""
    out = made(tmp_path / "out")
    old = tree(out)
    done: list[Any] = []

    def killing(function):
        def call(*arguments, **options):
            if len(done) == calls:
                raise KilledError
            done.append(function)
            return function(*arguments, **options)

        return call

    run = space(out, force=True).__enter__()
    run.begin(JOB)
    run.tensors("fit", ones)
    write(run)
    with monkeypatch.context() as patch, suppress(KilledError):
        for function in ("rename", "unlink", "rmdir"):
            patch.setattr(Path, function, killing(getattr(Path, function)))
        patch.setattr(shutil, "rmtree", killing(shutil.rmtree))
        run.finish()
        run.__exit__(None, None, None)
    run._held.pop_all()  # a kill does not clean up
    new = out.exists() and (out / "mesh.glb").read_text() == "new"
    if not new:
        with pytest.raises(UsageError, match=r"exists|unfinished run"), space(out):
            pytest.fail("it was entered")
        assert tree(out) == old
        with pytest.raises(UsageError, match="exists"), space(out, resume=True):
            pytest.fail("it would be refused at the end")
        with space(out, force=True, resume=True) as again:
            again.begin(JOB)
            again.tensors("fit", lost)
            write(again)
            again.finish()
    assert (out / "mesh.glb").read_text() == "new"


def test_a_file_that_a_person_puts_into_the_old_output_meanwhile_is_kept(tmp_path):
    out = made(tmp_path / "out")
    with pytest.raises(UsageError, match=r"notes\.txt"), space(out, force=True) as run:
        run.begin(JOB)
        run.tensors("fit", ones)
        (out / "notes.txt").write_text("mine")
        run.finish()
    assert (out / "notes.txt").read_text() == "mine"
    assert (run.stages / "fit.safetensors").exists()  # nothing that took minutes is lost


def test_an_output_that_came_meanwhile_is_kept(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="exists"), space(out) as run:
        run.begin(JOB)
        run.tensors("fit", ones)
        made(out)
        run.finish()
    assert (out / "mesh.glb").read_text() == "mesh"


_HOLD = """
import sys, time
from pathlib import Path
from inv3d.core.lock import held
with held(Path(sys.argv[1]), Path()):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_beside_a_running_one_is_refused_until_that_is_killed(tmp_path):
    out = made(tmp_path / "out")
    with space(out, force=True) as run:
        run.begin(JOB)
        run.tensors("fit", ones)
    process = subprocess.Popen([sys.executable, "-c", _HOLD, run.folder / "lock"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline()
        before = tree(tmp_path)
        for force, resume in ((True, False), (True, True)):
            with pytest.raises(UsageError, match="another run"), space(out, force, resume):
                pytest.fail("both write")
        assert tree(tmp_path) == before
    finally:
        process.kill()
        process.communicate()
    with space(out, force=True, resume=True) as run:
        run.begin(JOB)
        run.tensors("fit", lost)


def test_a_run_holds_its_output(tmp_path):
    with space(tmp_path / "out") as run:
        with pytest.raises(UsageError, match="another run"), space(tmp_path / "out", force=True):
            pytest.fail("both write")
        run.begin(JOB)
    with space(tmp_path / "out"):
        pass


@pytest.mark.parametrize("name", ["mine.txt", "stages/notes.txt", "stages/folder.json/x", "new/x"])
@pytest.mark.parametrize("force", [True, False])
def test_a_folder_of_the_same_name_that_is_not_inv3ds_is_never_touched(tmp_path, name, force):
    unfinished(tmp_path / "out")
    path = tmp_path / "out.partial" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="in the way"), space(tmp_path / "out", force, True):
        pytest.fail("it was entered")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", ["file", "link", "without record"])
def test_what_lies_in_the_place_of_the_unfinished_run_is_never_touched(tmp_path, kind):
    partial = tmp_path / "out.partial"
    (tmp_path / "elsewhere" / "stages").mkdir(parents=True)
    if kind == "file":
        partial.touch()
    elif kind == "link":
        partial.symlink_to("elsewhere", target_is_directory=True)
    else:
        (partial / "stages").mkdir(parents=True)
        (partial / "stages" / "fit.json").touch()
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="in the way"), space(tmp_path / "out", True, True):
        pytest.fail("it was entered")
    assert tree(tmp_path) == before


def test_an_input_in_the_place_of_the_unfinished_run_is_never_touched(tmp_path):
    folder = unfinished(tmp_path / "out")
    photo = folder / "stages" / "photo.json"
    photo.write_text("photo")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="contains the input"), space(tmp_path / "out", True, False, photo):
        pytest.fail("it was entered")
    assert tree(tmp_path) == before


def test_a_link_to_an_output_is_followed(tmp_path):
    made(tmp_path / "disk" / "out")
    (tmp_path / "link").symlink_to("disk/out", target_is_directory=True)
    with space(tmp_path / "link", force=True) as run:
        run.begin(JOB)
        write(run)
        run.finish()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "out" / "mesh.glb").read_text() == "new"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["out"]


def test_a_tilde_is_a_name_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with space(Path("~/out")) as run:
        run.begin(JOB)
        write(run)
        run.finish()
    assert (tmp_path / "~" / "out" / "mesh.glb").exists() and not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["file/out", "file/deep/out", "n" * 250, "n" * 300, "deep/" + "n" * 250])
def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path, name):
    (tmp_path / "file").touch()
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"), space(tmp_path / name):
        pytest.fail("it was entered")
    assert tree(tmp_path) == before


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind"
)
def test_a_folder_without_rights_is_refused_at_once(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="Permission denied"), space(tmp_path / "locked" / "out"):
        pytest.fail("it was entered")


def test_a_disk_without_room_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, 50_000_000))
    with space(tmp_path / "out") as run:
        run.begin(JOB)
    with pytest.raises(UsageError, match="50 MB are free, about 1034 MB are needed"), space(tmp_path / "out") as run:
        run.begin(JOB, 1_000_000_000)
    assert not list(tmp_path.iterdir())
