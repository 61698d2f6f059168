import json
import os
import sys
import time

import pytest

from inv3d.batch.process import Process, complaint, stage

from .heads import FAKE, job


def run(arguments, log, **options):
    process = Process(arguments, log, 3, program=FAKE, **options)
    while (ending := process.ended()) is None:
        time.sleep(0.01)
    return ending


def test_a_command_runs_with_its_threads_and_tells_how_it_ended(tmp_path):
    one = job(tmp_path, "a")
    ending = run(("video", str(one.inputs[0]), "--out", str(one.out)), tmp_path / "log")
    assert ending.code == 0 and ending.worker.count(":") == 1 and ending.seconds > 0 and ending.cpu_seconds == 1.5 and not ending.lost
    assert json.loads((one.out / "run.json").read_text())["threads"] == "3"
    assert stage(tmp_path / "log") == "W+ 1/2"


def test_its_complaint_is_the_error_it_ended_with(tmp_path):
    bad = job(tmp_path, "bad")
    ending = run(("video", str(bad.inputs[0]), "--out", str(bad.out)), tmp_path / "log")
    assert (ending.code, ending.message, ending.hint) == (3, f"{bad.inputs[0]} shows no head", "film one")


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX does")
def test_a_process_can_be_stopped_and_a_killed_one_is_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKER_SECONDS", "60")
    one = job(tmp_path, "a")
    arguments = ("video", str(one.inputs[0]), "--out", str(one.out))
    stopped, killed = (Process(arguments, tmp_path / name, 1, program=FAKE) for name in "xy")
    assert stopped.ended() is None
    while not (stage(tmp_path / "x") and stage(tmp_path / "y")):
        time.sleep(0.01)
    stopped.stop()
    stopped.wait()
    os.kill(int(killed.worker.split(":")[1]), 9)
    killed.wait()
    endings = [ending for process in (stopped, killed) if (ending := process.ended()) is not None]
    assert [ending.code for ending in endings] == [130, -9] and endings[1].cpu_seconds == 0 and all(ending.lost for ending in endings)


def test_a_process_uses_its_gpu_alone(tmp_path):
    (tmp_path / "tell.py").write_text("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    process = Process((), tmp_path / "log", 1, "5", (str(tmp_path / "tell.py"),))
    process.wait()
    assert (tmp_path / "log").read_text() == "5\n"


def test_this_package_runs_wherever_python_would_look_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inv3d.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = Process((), tmp_path / "log", 1, program=("-P", "-c", "import inv3d; print(inv3d.__file__)"))
    process.wait()
    assert (tmp_path / "log").read_text().strip() == sys.modules["inv3d"].__file__


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", ("", "")),
        ("[ 1.0 s] W+ 1/2\nerror: a\nhint: b\n", ("a", "b")),
        ("error: first\nhint: x\nerror: last\n", ("last", "")),
        ("x" * 20_000 + "\nerror: a\nhint: b\n", ("a", "b")),
        ("\xff\nerror: a\nhint: b", ("a", "b")),
    ],
)
def test_the_end_of_a_log_is_looked_at(tmp_path, log, told):
    (tmp_path / "log").write_bytes(log.encode("latin-1"))
    assert complaint(tmp_path / "log") == told
    assert complaint(tmp_path / "none") == ("", "") and stage(tmp_path / "none") == ""
