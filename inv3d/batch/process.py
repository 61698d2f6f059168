"""One command of inv3d as a process that ends with the process that started it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import inv3d
from inv3d.batch.job import Ending

PROGRAM = ("-m", "inv3d.cli.tethered")
"""What Python runs for an attempt: the command line, stopped when its standard input ends."""
USED = "processor time: "
"""The beginning of the last line of a log."""
_PATIENCE = 30.0
"""Seconds that a process is given to clean up."""
_TAIL = 1 << 13
"""Bytes at the end of a log that are looked at."""
_LONGEST = 2000
"""Characters of a message that are kept."""


class Process:
    """A running command; its output goes to the file `log`. It uses so many `threads`, and of several GPUs only `gpu`.

    Raises OSError if it cannot be started.
    """

    def __init__(
        self, arguments: tuple[str, ...], log: Path, threads: int, gpu: str | None = None,
        program: tuple[str, ...] = PROGRAM,
    ) -> None:  # fmt: skip
        self.log, self._start = log, time.monotonic()
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(threads, gpu),
                start_new_session=True,  # Ctrl-C in the terminal is for the batch, which then stops it
            )

    @property
    def worker(self) -> str:
        """Its machine and number."""
        return f"{platform.node()}:{self._process.pid}"

    def ended(self) -> Ending | None:
        """How it ended; None while it is running."""
        code = self._process.poll()
        if code is None:
            return None
        self._let_go()
        return Ending(code, self.worker, round(time.monotonic() - self._start, 2), used(self.log), *complaint(self.log))

    def stop(self) -> None:
        """Ask it to stop: it keeps what can be resumed. Returns at once."""
        self._let_go()

    def wait(self) -> None:
        """Wait until it has ended; a process that takes too long is killed."""
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _let_go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


def _environment(threads: int, gpu: str | None) -> dict[str, str]:
    changed = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    # it is this package that runs, wherever Python would look for it
    places = (str(Path(inv3d.__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
    changed["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    if gpu is not None:
        changed["CUDA_VISIBLE_DEVICES"] = gpu
    return {**os.environ, **changed}


def tail(log: Path) -> list[str]:
    """The last lines of a log; none if it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def complaint(log: Path) -> tuple[str, str]:
    """The message and the hint of the error with which a command ended; empty if it names none."""
    lines = tail(log)
    for i in range(len(lines) - 1, -1, -1):
        if lines[i].startswith("error: "):
            hint = lines[i + 1] if i + 1 < len(lines) else ""
            return lines[i].removeprefix("error: ")[:_LONGEST], hint.removeprefix("hint: ")[:_LONGEST]
    return "", ""


def used(log: Path) -> float:
    """Seconds of processors that a command took; 0 if it was killed before it could tell."""
    for line in reversed(tail(log)):
        if line.startswith(USED):
            with suppress(ValueError):
                return float(line.removeprefix(USED).removesuffix(" s"))
    return 0.0


def stage(log: Path) -> str:
    """The last line of progress of a running command, such as "W+ 20/100"; empty before there is one."""
    for line in reversed(tail(log)):
        if line.startswith("[") and " s] " in line:
            return " ".join(line.partition(" s] ")[2].split()[:2])
    return ""
