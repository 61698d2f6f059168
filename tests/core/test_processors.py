import os

import pytest

from inv3d.core import processors


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Sets up a machine of so many processors, of which others keep some busy."""

    def make(count: int, others: int, quota: str | None = None, bound: int | None = None) -> None:
        load, limit = tmp_path / "loadavg", tmp_path / "cpu.max"
        load.write_text(f"0.50 0.40 0.30 {others + 1}/900 4321\n")
        if quota is not None:
            limit.write_text(quota + "\n")
        monkeypatch.setattr(processors, "LOAD", load)
        monkeypatch.setattr(processors, "QUOTA", limit)
        monkeypatch.setattr(os, "cpu_count", lambda: count)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(bound or count)), raising=False)

    return make


@pytest.mark.parametrize(
    ("count", "others", "quota", "bound", "expected"),
    [
        (8, 0, None, None, 8),
        (8, 3, None, None, 5),
        (2, 9, None, None, 1),
        (64, 10, "200000 100000", None, 2),  # a container's share
        (64, 10, "150000 100000", None, 2),
        (64, 0, "50000 100000", None, 1),
        (64, 63, "max 100000", None, 1),
        (8, 0, "1000000000 100000", None, 8),
        (8, 0, "?", None, 8),
        (16, 2, None, 4, 4),
    ],
)
def test_threads_take_what_is_free(machine, count, others, quota, bound, expected):
    machine(count, others, quota, bound)
    assert processors.free() == expected


def test_where_the_system_does_not_tell_all_are_free(machine, tmp_path, monkeypatch):
    machine(4, 3)
    monkeypatch.setattr(processors, "LOAD", tmp_path / "missing")
    assert processors.free() == 4
    (tmp_path / "odd").write_text("unlike anything")
    monkeypatch.setattr(processors, "LOAD", tmp_path / "odd")
    assert processors.free() == 4


def test_what_the_user_wants_counts(machine, monkeypatch):
    machine(8, 3)
    monkeypatch.setenv(processors.THREADS, "7")
    processors.limit_threads()
    assert os.environ[processors.THREADS] == "7"
    monkeypatch.delenv(processors.THREADS)
    processors.limit_threads()
    assert os.environ[processors.THREADS] == "5"
