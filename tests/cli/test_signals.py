"""Ctrl-C and SIGTERM at any moment: an exit code, one line that says what was kept, one that says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inv3d.cli import signals
from inv3d.core.errors import StoppedError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX does")

WORK = """
import sys, time
from inv3d.cli import signals, terminal
signals.install()
terminal.prepare()
def kept(): return "stopped at work", "go on"
def swallow():
    try: time.sleep(30)
    except BaseException: print("swallowed", flush=True)
def spoil():
    try: time.sleep(30)
    except KeyboardInterrupt: raise RecursionError("what an interrupted import made of it") from None
from inv3d.core.errors import Inv3dError
try:
    BODY
except Inv3dError as error:
    print(error.message, "|", error.hint, "|", error.exit_code, flush=True)
"""


def start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def work(body: str, *numbers: signal.Signals) -> tuple[int, str, str]:
    """Run `body`, send a signal whenever it prints "now"; returns the exit code and what it printed."""
    process = start(sys.executable, "-c", WORK.replace("BODY", body))
    assert process.stdout is not None
    lines = []
    waiting = list(numbers)
    for line in process.stdout:
        lines.append(line)
        if line == "now\n":
            time.sleep(0.05)
            process.send_signal(waiting.pop(0))
    errors = process.communicate(timeout=60)[1]
    return process.returncode, "".join(lines), errors


BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
IN_WORK = "with signals.interruptible(kept): print('now', flush=True); "


@BOTH
def test_before_any_work_the_command_ends_at_once(number):
    code, _, errors = work("print('now', flush=True); swallow(); swallow()", number)
    assert code == 130
    assert errors == "error: stopped before anything was written\nhint: run the same command again\n"


@BOTH
def test_work_is_cleaned_up_and_says_what_was_kept(number):
    code, shown, errors = work(IN_WORK + "time.sleep(30)", number)
    assert (code, errors) == (0, "") and "stopped at work | go on | 130" in shown


@pytest.mark.parametrize("body", ["swallow(); signals.check()", "spoil()"])
def test_it_does_not_matter_what_interrupted_code_makes_of_it(body):
    _, shown, errors = work(IN_WORK + body, signal.SIGINT)
    assert "stopped at work | go on | 130" in shown and errors == ""


def test_a_second_signal_ends_the_process_at_once():
    body = IN_WORK + "swallow(); print('now', flush=True); time.sleep(30)"
    code, _, errors = work(body, signal.SIGINT, signal.SIGINT)
    assert code == 130 and errors.startswith("error: ended at once\nhint: ")


def test_other_errors_of_the_work_pass():
    with pytest.raises(ValueError, match="own"), signals.interruptible(lambda: ("", "")):
        raise ValueError("own")
    with pytest.raises(StoppedError, match="what"), signals.interruptible(lambda: ("what", "how")):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        *((signal.SIGINT, seconds) for seconds in (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)),
        (signal.SIGTERM, 0.2),
        (signal.SIGTERM, 2.0),
    ],
)
def test_a_command_may_be_stopped_at_any_moment(tmp_path, number, seconds):
    out = tmp_path / "sheet.png"
    command = ("models", "sample", "demo", "--seeds", "0-99", "--yaw", "0", "--resolution", "64", "--out", str(out))
    process = start(sys.executable, "-m", "inv3d", *command)
    _wait_for_python(process.pid)
    time.sleep(seconds)
    process.send_signal(number)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert all(" heads " in line for line in shown.splitlines()) and len(errors.splitlines()) == 2, errors  # steps at most
    assert errors.startswith("error: stopped before ") and "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def _wait_for_python(pid: int) -> None:
    """Until the handler is installed: what comes earlier is Python's own start."""
    status = Path(f"/proc/{pid}/status")
    while status.exists():
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)
