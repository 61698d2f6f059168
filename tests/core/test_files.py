import errno
import os
from pathlib import Path

import pytest

from inv3d.core.errors import UsageError
from inv3d.core.files import disk_errors, partial_of, write_whole, write_whole_folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_appears_whole_under_its_name(tmp_path):
    with write_whole(tmp_path / "a.png") as part:
        part.write_bytes(b"half")
        assert part.suffix == ".png" and not (tmp_path / "a.png").exists()
        part.write_bytes(b"whole")
    assert contents(tmp_path) == {"a.png": b"whole"}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError()])
def test_a_failure_leaves_everything_as_it_was(tmp_path, error):
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(type(error)), write_whole(tmp_path / "a.png", replace=True) as part:
        part.write_bytes(b"cut")
        raise error
    assert contents(tmp_path) == {"a.png": b"old"}


def test_a_disk_that_is_full_only_when_flushed_leaves_everything_as_it_was(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="disk is full"), disk_errors(tmp_path), write_whole(tmp_path / "a") as part:
        part.write_bytes(b"x")
    assert contents(tmp_path) == {}


def test_an_existing_file_is_replaced_only_if_told(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists"), write_whole(path):
        pytest.fail("the work was begun")
    with write_whole(path, replace=True) as part:
        part.write_bytes(b"new")
    assert contents(tmp_path) == {"a": b"new"}


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(UsageError, match="exists"), write_whole(tmp_path / "a") as part:
        part.write_bytes(b"mine")
        (tmp_path / "a").write_bytes(b"theirs")
    assert contents(tmp_path) == {"a": b"theirs"}


@pytest.mark.parametrize("target", ["target", "nowhere"])
def test_a_link_is_replaced_and_never_written_through(tmp_path, target):
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(UsageError, match="exists"), write_whole(tmp_path / "link"):
        pytest.fail("the work was begun")
    with write_whole(tmp_path / "link", replace=True) as part:
        part.write_bytes(b"new")
    assert contents(tmp_path) == {"target": b"kept", "link": b"new"}


def test_what_is_no_file_is_never_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(UsageError, match="not a regular file"), write_whole(tmp_path / name, replace=True):
            pytest.fail("the work was begun")


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("n" * 255, "n" * 251 + ".png", "n." + "s" * 253):
        with write_whole(tmp_path / name) as part:
            part.write_bytes(b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_the_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    with write_whole(tmp_path / "whole"):
        pass
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be written: Permission denied"),
        (OSError("encoder error -2"), "cannot be written: encoder error -2"),
    ],
)
def test_errors_of_the_disk_are_told_in_one_line(error, words):
    with pytest.raises(UsageError, match=words), disk_errors(Path("out")):
        raise error


@pytest.mark.parametrize("old", [True, False])
def test_a_folder_appears_whole_in_the_place_of_an_older_one(tmp_path, old):
    folder = tmp_path / "home" / "model"
    if old:
        folder.mkdir(parents=True)
        (folder / "old").touch()
    with write_whole_folder(folder) as part:
        (part / "new").touch()
        assert folder.exists() == old
    assert [path.name for path in folder.iterdir()] == ["new"] and list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("step", ["writing", "first rename", "second rename"])
def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch, step):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    rename, calls = Path.rename, []

    def failing(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == ("first rename", "second rename").index(step) + 1:
            raise OSError(errno.ENOSPC, "full")
        return rename(path, target)

    with pytest.raises(OSError, match="full"), write_whole_folder(folder) as part:
        (part / "new").touch()
        if step == "writing":
            raise OSError(errno.ENOSPC, "full")
        monkeypatch.setattr(Path, "rename", failing)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["model", "model/old"]


def test_unfinished_output_lies_beside_what_it_will_be():
    assert partial_of(Path("heads/anna.v2")) == Path("heads/anna.v2.partial")
    for nameless in (Path(), Path("/")):
        assert partial_of(nameless).name == ".partial"
