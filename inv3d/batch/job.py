"""What a batch is made of: jobs, attempts at them, and how these end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inv3d.core.errors import OutOfMemoryError, StoppedError, UsageError
from inv3d.core.files import partial_of
from inv3d.destination import RUN

Stamp = tuple[int, int]
"""What changes whenever a head is written anew."""


@dataclass(frozen=True)
class Job:
    """One head to make: a command of inv3d, its `inputs` and `options`, and its output folder `out`, all of them absolute
    paths. `name` is the path of `out` in the batch's folder, by which the job is known."""

    name: str
    command: str
    inputs: tuple[Path, ...]
    options: tuple[str, ...]
    out: Path

    @property
    def request(self) -> tuple[str, ...]:
        """What was asked for, as arguments of a command line: the same request gives the same head."""
        return (self.command, *map(str, self.inputs), *self.options)

    @property
    def partial(self) -> Path:
        """Where an unfinished head is kept."""
        return partial_of(self.out)

    @property
    def stamp(self) -> Stamp | None:
        """That of the head in `out`; None if there is none. Raises OSError."""
        try:
            told = (self.out / RUN).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return told.st_ino, told.st_mtime_ns


@dataclass(frozen=True)
class Attempt:
    """The attempt of this `number`, from 1, at a job. It continues the unfinished head that is there if it is to `resume`, and
    may replace what is there with `force`. `before` is the stamp of the head that was there."""

    job: Job
    number: int = 1
    resume: bool = False
    force: bool = False
    before: Stamp | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """Those of its command line."""
        flags = (("--resume", self.resume), ("--force", self.force))
        return (*self.job.request, "--out", str(self.job.out), *(flag for flag, given in flags if given))


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: the exit code of its process, negative for a signal, None if the whole worker was lost; on which
    `worker`, after how many seconds and seconds of processors (0 if unknown); what it complained about."""

    code: int | None
    worker: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    message: str = ""
    hint: str = ""

    @property
    def lost(self) -> bool:
        """Whether the process was ended from outside, so that the input is not to blame."""
        return self.code is None or self.code < 0 or self.code == StoppedError.exit_code

    @property
    def reason(self) -> str:
        """Why a lost process was lost."""
        if self.code is None:
            return self.message or "its worker was lost"
        return f"signal {-self.code} ended it" if self.code < 0 else "it was stopped from outside"


@dataclass(frozen=True)
class Result:
    """The outcome of a job: its head is there (code 0), made now or `passed` over because it had been finished before; or
    there is none, and `code`, `message` and `hint` are those of the command."""

    job: Job
    code: int = 0
    message: str = ""
    hint: str = ""
    attempts: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    worker: str = ""
    passed: bool = False

    @property
    def state(self) -> str:
        """The outcome in a word."""
        return "failed" if self.code else "passed over" if self.passed else "finished"


class Pool(Protocol):
    """Processes, here or elsewhere, that make attempts."""

    @property
    def slots(self) -> int:
        """Attempts that can be made at once."""
        ...

    def start(self, attempt: Attempt, log: Path) -> None:
        """Begin an attempt, whose output goes to the file `log`."""
        ...

    def ended(self) -> list[tuple[Attempt, Ending]]:
        """The attempts that have ended since the last call, after a short wait if there are none."""
        ...

    def spare(self) -> None:
        """Make fewer attempts at once, because memory has run out."""
        ...

    def stop(self) -> None:
        """End all attempts, so that they can be resumed."""
        ...


def verdict(attempt: Attempt, ending: Ending, retries: int) -> Result | Attempt:
    """What follows from the end of an attempt: the result of its job, or the next attempt, at most `retries` of them after
    workers were lost or out of memory.

    A head that is there counts, whatever became of the process that wrote it: nothing is made twice. An unfinished head that
    cannot be continued, because it is damaged or of other settings, is started anew.
    """
    job, number = attempt.job, attempt.number
    told = (number, ending.seconds, ending.cpu_seconds, ending.worker)
    if job.stamp not in (None, attempt.before):
        return Result(job, 0, "", "", *told)
    lost = ending.lost or ending.code == OutOfMemoryError.exit_code
    if lost and number <= retries:
        return Attempt(job, number + 1, True, attempt.force, attempt.before)
    if attempt.resume and not attempt.force and ending.code == UsageError.exit_code:
        return Attempt(job, number + 1, False, True, attempt.before)
    if ending.lost:
        tries = "in its only attempt" if number == 1 else f"in each of {number} attempts"
        hint = "memory may have run out: make fewer heads at once with --jobs, then go on with --resume"
        return Result(job, OutOfMemoryError.exit_code, f"no head was finished {tries}: {ending.reason}", hint, *told)
    if ending.code == 0:
        hint = "name a folder with --out that all machines of the cluster share"
        return Result(job, UsageError.exit_code, f"{job.out} was written, but cannot be seen here", hint, *told)
    assert ending.code is not None
    return Result(job, ending.code, ending.message, ending.hint, *told)
