"""A command that ends with the process that holds the other end of its standard input."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-m", "inv3d.cli.tethered")
LONG = ("models", "sample", "demo", "--seeds", "0-99", "--yaw", "0", "--resolution", "64", "--out")


def test_it_is_the_command_line():
    process = subprocess.Popen([*COMMAND, "doctor", "--no-such-option"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = process.stderr.read().splitlines()
    assert process.wait() == 2 and lines[0].startswith("error: ") and lines[1].startswith("hint: ")
    assert lines[2].startswith("processor time: ")


def test_it_stops_when_its_standard_input_ends(tmp_path):
    done = subprocess.run([*COMMAND, *LONG, str(tmp_path / "x.png")], input="", capture_output=True, text=True, timeout=200)
    assert done.returncode == 130 and "stopped before" in done.stderr and not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for the process in /proc")
def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); print(p.pid, flush=True); p.wait()",
         *COMMAND, *LONG, str(tmp_path / "x.png")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 200
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
