"""Fuzzes what reads files that people bring: damaged inputs must be refused in one line, soon, and in little memory.

    python benchmarks/fuzz.py [KIND ...] [--count 10000] [--seed 0]
    python benchmarks/fuzz.py KIND --seed 0 --case 1234        # one case again, with its traceback

A kind is a module of `benchmarks/fuzzing` with a class `Kind` as in `FuzzedKind` below. Each kind runs in two processes,
each with sound inputs of its own. A case escapes if it raises anything but an Inv3dError of one line, takes more than 20
seconds, grows the process by more than 2 GB, or ends the process. Exit code 1 if anything escaped.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np

KINDS = ("photos", "videos", "heads", "workspaces", "checkpoints", "models")
PROCESSES = 2
SLOWEST = 20.0  # seconds
MOST_MEMORY = 2 << 30  # bytes
_START = 600.0  # seconds in which the sound inputs must be there


class FuzzedKind(Protocol):
    def __init__(self, folder: Path) -> None:
        """Makes sound inputs in `folder`, once."""

    def make(self, random: np.random.Generator) -> Path:
        """Writes one damaged input into the folder and returns its path, which is deleted after the case."""

    def read(self, path: Path) -> None:
        """Does with it what inv3d does; raises Inv3dError to refuse it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case. `escape` says what went wrong, if anything; `memory` is the growth of the peak in bytes."""

    case: int
    seconds: float
    memory: int
    refusal: str | None = None
    escape: str | None = None


@dataclass
class Tally:
    """Outcomes of a kind: escapes by what went wrong, with the cases that show it; refusals by their class."""

    inputs: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    escapes: dict[str, list[int]] = field(default_factory=dict)
    slowest: Outcome | None = None
    largest: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        self.inputs += 1
        if outcome.escape is not None:
            self.escapes.setdefault(outcome.escape, []).append(outcome.case)
        elif outcome.refusal is not None:
            self.refused[outcome.refusal] = self.refused.get(outcome.refusal, 0) + 1
        else:
            self.accepted += 1
        if self.slowest is None or outcome.seconds > self.slowest.seconds:
            self.slowest = outcome
        if self.largest is None or outcome.memory > self.largest.memory:
            self.largest = outcome

    def print(self, kind: str, seed: int) -> None:
        assert self.slowest is not None and self.largest is not None
        refused = ", ".join(f"{count} {name}" for name, count in sorted(self.refused.items()))
        escapes = sum(len(cases) for cases in self.escapes.values())
        print(
            f"{kind}: {self.inputs} inputs, {sum(self.refused.values())} refused ({refused}), {self.accepted} accepted, "
            f"{escapes} escapes; slowest {self.slowest.seconds:.2f} s (case {self.slowest.case}), "
            f"largest growth {self.largest.memory / 1e6:.0f} MB (case {self.largest.case})"
        )
        for escape, cases in sorted(self.escapes.items(), key=lambda item: -len(item[1])):
            print(f"  {len(cases)} x {escape}\n      --seed {seed} --case {cases[0]}")
        sys.stdout.flush()


def load(kind: str) -> type[FuzzedKind]:
    made: type[FuzzedKind] = importlib.import_module(f"fuzzing.{kind}").Kind
    return made


def run(kind: str, count: int, seed: int) -> Tally:
    """Spread the cases over the processes; one that hangs or dies is replaced and goes on after the case."""
    tally = Tally()
    crews = [_Crew(kind, seed, range(first, count, PROCESSES)) for first in range(PROCESSES)]
    try:
        while working := [crew for crew in crews if not crew.finished]:
            soonest = min(crew.deadline for crew in working)
            ready = wait([crew.pipe for crew in working], max(0.0, soonest - time.monotonic()))
            for crew in working:
                if crew.pipe in ready:
                    outcome = crew.receive()
                elif time.monotonic() >= crew.deadline:
                    outcome = crew.replace(f"took more than {SLOWEST:.0f} s")
                else:
                    continue
                if outcome is not None:
                    tally.add(outcome)
    finally:
        for crew in crews:
            crew.end()
    return tally


class _Crew:
    """One of the processes at work on its share of the cases, and those that replace it."""

    def __init__(self, kind: str, seed: int, cases: range) -> None:
        self.kind, self.seed, self.cases = kind, seed, cases
        self.done = 0
        self._start()

    @property
    def finished(self) -> bool:
        return self.done == len(self.cases)

    def _start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="inv3d-fuzz-"))
        self.pipe, far = multiprocessing.get_context("spawn").Pipe(duplex=False)
        arguments = (far, self.kind, self.seed, self.cases[self.done :], self.folder)
        self.process = multiprocessing.get_context("spawn").Process(target=_work, args=arguments)
        self.process.start()
        far.close()
        self.deadline = time.monotonic() + _START
        self.at_work = False

    def receive(self) -> Outcome | None:
        """What the process says: an outcome, or that it begins a case."""
        try:
            message = self.pipe.recv()
        except EOFError:
            self.process.join()
            if not self.at_work:
                raise SystemExit(f"the kind {self.kind} cannot make its sound inputs") from None
            return self.replace(f"ended the process (exit code {self.process.exitcode})")
        self.at_work = True
        self.deadline = time.monotonic() + SLOWEST
        if message is None:
            return None
        assert isinstance(message, Outcome)
        self.done += 1
        return message

    def replace(self, why: str) -> Outcome:
        self.end()
        lost = Outcome(self.cases[self.done], SLOWEST, 0, escape=why)
        self.done += 1
        if not self.finished:
            self._start()
        return lost

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _work(pipe: Connection, kind: str, seed: int, cases: range, folder: Path) -> None:
    """In a process of its own: None once the inputs are there, then the outcome of each case."""
    warnings.simplefilter("ignore")
    subject = load(kind)(folder)
    with _silence():
        pipe.send(None)
        for case in cases:
            pipe.send(_outcome(subject, seed, case))


def _outcome(subject: FuzzedKind, seed: int, case: int) -> Outcome:
    from inv3d.core.errors import Inv3dError

    try:
        path = subject.make(np.random.default_rng([seed, case]))
    except Exception as error:
        return Outcome(case, 0.0, 0, escape=f"could not be made: {_described(error)}")
    refusal = escape = None
    before = _resident()
    _bound_memory()
    _forget_peak()
    start = time.perf_counter()
    try:
        subject.read(path)
    except Inv3dError as error:
        refusal = type(error).__name__
        if not all(text and "\n" not in text for text in (error.message, error.hint)):
            escape = f"{refusal} that is not of one line: {error.message!r}, {error.hint!r}"
    except BaseException as error:
        escape = _described(error)
    seconds = time.perf_counter() - start
    memory = max(0, _peak() - before)
    _remove(path)
    return Outcome(case, seconds, memory, refusal, escape)


def _described(error: BaseException) -> str:
    """Class, first line and place of an error."""
    frames = traceback.extract_tb(error.__traceback__)
    place = ([frame for frame in frames if "/inv3d/" in frame.filename] or frames)[-1]
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {lines[0][:120]}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for place in path.rglob("*"):
            if place.is_dir() and not place.is_symlink():
                place.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _status(name: str) -> int:
    """A memory figure of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {name} in /proc/self/status")


def _resident() -> int:
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _bound_memory() -> None:
    """A case that wants much more fails instead of taking the machine with it."""
    soft = _status("VmSize") + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """What readers and their libraries print goes nowhere."""
    sys.stdout.flush()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        yield


def again(kind: str, seed: int, case: int) -> None:
    """One case in this process, with its traceback; the input is kept."""
    folder = Path(tempfile.mkdtemp(prefix="inv3d-fuzz-"))
    subject = load(kind)(folder)
    path = subject.make(np.random.default_rng([seed, case]))
    print(f"input: {path}")
    start = time.perf_counter()
    try:
        subject.read(path)
    finally:
        print(f"{time.perf_counter() - start:.2f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the readers of inv3d.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; default: all")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this one case again")
    options: Any = parser.parse_args()
    kinds = options.kinds or KINDS
    if options.case is not None:
        again(kinds[0], options.seed, options.case)
        return 0
    escaped = False
    for kind in kinds:
        tally = run(kind, options.count, options.seed)
        tally.print(kind, options.seed)
        escaped |= bool(tally.escapes)
    return int(escaped)


if __name__ == "__main__":
    sys.exit(main())
