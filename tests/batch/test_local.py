import time

import pytest

from inv3d.batch import local
from inv3d.batch.job import Attempt, Ending
from inv3d.batch.local import LocalPool, visible
from inv3d.batch.shares import Shares

from .heads import FAKE, job


def collect(pool, count):
    found: list[tuple[Attempt, Ending]] = []
    while len(found) < count:
        found += pool.ended()
    return found


def test_attempts_are_made_and_ended(tmp_path):
    pool = LocalPool(Shares(2, 1), FAKE)
    attempts = [Attempt(job(tmp_path, name)) for name in ("a", "bad")]
    for attempt in attempts:
        pool.start(attempt, tmp_path / f"{attempt.job.name}.log")
    codes = {attempt.job.name: ending.code for attempt, ending in collect(pool, 2)}
    assert codes == {"a": 0, "bad": 3} and attempts[0].job.stamp is not None


def test_each_attempt_gets_the_gpu_that_the_fewest_use(tmp_path):
    (tmp_path / "tell.py").write_text("import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], *sys.argv[-2:]); sys.stdin.read()")
    pool = LocalPool(Shares(4, 1, ("2", "7")), (str(tmp_path / "tell.py"),))
    logs = [tmp_path / f"{number}.log" for number in range(4)]
    for log in logs:
        pool.start(Attempt(job(tmp_path, log.stem)), log)
    deadline = time.monotonic() + 20
    while not all(log.read_text() for log in logs) and time.monotonic() < deadline:
        time.sleep(0.01)
    pool.stop()
    assert [log.read_text().split() for log in logs] == [[gpu, "--device", "cuda"] for gpu in "2727"]


def test_stopping_ends_all_attempts_soon(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKER_SECONDS", "60")
    pool = LocalPool(Shares(2, 1), FAKE)
    for name in "ab":
        pool.start(Attempt(job(tmp_path, name)), tmp_path / f"{name}.log")
    start = time.monotonic()
    pool.stop()
    assert time.monotonic() - start < 20
    assert [ending.code for _, ending in pool.ended()] == [130, 130]


def test_fewer_at_once_after_memory_ran_out_until_all_is_well_again(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_RECOVERY", 1)
    pool = LocalPool(Shares(2, 1), FAKE)
    for slots in (1, 1):
        pool.spare()
        assert pool.slots == slots
    for name, slots in (("bad", 1), ("a", 2), ("b", 2)):
        pool.start(Attempt(job(tmp_path, name)), tmp_path / "log")
        collect(pool, 1)
        assert pool.slots == slots


@pytest.mark.parametrize(("named", "expected"), [(None, ("0", "1")), ("4,6,7", ("4", "6")), ("GPU-ab,GPU-cd", ("GPU-ab", "GPU-cd"))])
def test_gpus_have_the_names_that_the_environment_gives_them(monkeypatch, named, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible(2) == expected
