import subprocess
import sys
from pathlib import Path

import pytest

from inv3d.core import lock
from inv3d.core.errors import UsageError
from inv3d.core.lock import held

_HOLD = """
import sys, time
from pathlib import Path
from inv3d.core.lock import held
with held(Path(sys.argv[1]), Path()):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """A process that holds the lock `tmp_path/lock`."""
    process = subprocess.Popen([sys.executable, "-c", _HOLD, tmp_path / "lock"], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_only_one_process_holds_a_lock_and_a_kill_releases_it(tmp_path, other):
    with pytest.raises(UsageError, match="writing to out"), held(tmp_path / "lock", Path("out")):
        pytest.fail("both hold it")
    assert (tmp_path / "lock").exists()
    other.kill()
    other.wait()
    assert (tmp_path / "lock").exists()
    with held(tmp_path / "lock", tmp_path):
        pass


def test_the_file_is_gone_afterwards(tmp_path):
    with held(tmp_path / "lock", tmp_path):
        assert (tmp_path / "lock").exists()
    assert not list(tmp_path.iterdir())


def test_a_lock_on_a_file_that_was_removed_meanwhile_counts_for_nothing(tmp_path, monkeypatch):
    """The holder before removes its file between the opening and the locking of this one."""
    path, original = tmp_path / "lock", lock._lock
    calls: list[int] = []

    def late(descriptor: int) -> None:
        if not calls:
            path.unlink()
        calls.append(descriptor)
        original(descriptor)

    monkeypatch.setattr(lock, "_lock", late)
    with held(path, path), pytest.raises(UsageError, match="another run"), held(path, path):
        pytest.fail("two hold it")
    assert len(calls) == 3


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError), held(tmp_path / "lock", tmp_path):
        pytest.fail("it was followed")
    assert not (tmp_path / "target").exists()
