"""Commands on disks that are full, folders that cannot be written, and names with a meaning for shells."""

import os
import signal
from pathlib import Path

import pytest

import inv3d as package
from tests.trees import tree

from .commands import fails, fails_apart, here

resource = pytest.importorskip("resource")
SHEET = ("models", "source", "--kind", "toons", "--seeds", "0", "--yaw", "0", "--resolution", "48", "--out")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder beside the home folder, which holds a picture."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / "x.png").write_text("mine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(Path(package.__file__).parents[1]))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_a_tilde_that_the_shell_left_is_a_name_like_any_other(place):
    before = tree(place)
    fails(2, "cannot be written", *SHEET, "~/x.png")
    assert tree(place) == before
    (place / "work" / "~").mkdir()
    done = here(*SHEET, "~/x.png")
    assert done.returncode == 0, done.stderr
    after = tree(place)
    assert after.pop("work/~/x.png") and after.pop("work/~") == "" and after == before


@pytest.mark.parametrize("forced", [True, False])
def test_a_full_disk_leaves_what_was_there(place, forced):
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    if forced:
        (place / "work" / "x.png").write_text("old")
    before = tree(place)
    options = ("--force",) if forced else ()
    fails_apart(2, "cannot be written", *SHEET, "x.png", *options, preexec_fn=limit)
    assert tree(place) == before


def test_what_is_no_file_is_not_replaced(place):
    (place / "work" / "folder.png").mkdir()
    os.mkfifo(place / "work" / "pipe.png")
    before = sorted(place.rglob("*"))
    for name in ("folder.png", "pipe.png"):
        fails(2, name, *SHEET, name, "--force")
    assert sorted(place.rglob("*")) == before
