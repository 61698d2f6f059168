"""The journal of a batch: a line for whatever happened, by which a batch that was stopped knows what is finished."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from pydantic import ValidationError

from inv3d.batch.job import Attempt, Job, Result
from inv3d.core.records import Number, Record, Text

JOURNAL = "journal.jsonl"


class Entry(Record):
    """A line: an attempt at a `job` was started, or the job's result is known. `inputs` are the sizes and times of its files,
    `request` is what was asked for."""

    event: Literal["started", "finished", "failed"]
    job: Text
    attempt: int
    time: Number
    request: tuple[Text, ...]
    inputs: tuple[tuple[int, int], ...] = ()
    worker: Text = ""
    seconds: Number = 0.0
    code: int = 0
    message: Text = ""
    advice: Text = ""


class Journal:
    """The file in the folder of a batch. `finished` are the last entries of jobs whose heads were finished, by name."""

    def __init__(self, file: IO[str], finished: dict[str, Entry]) -> None:
        self._file, self.finished = file, finished

    @staticmethod
    @contextmanager
    def opened(folder: Path) -> Iterator[Journal]:
        """The journal of a folder, to be continued. Lines that a kill has cut off are passed over: whatever they said, the
        folders of heads say it too. Raises OSError."""
        path = folder / JOURNAL
        finished = _finished(path)
        with path.open("a", encoding="utf-8") as file:
            if file.tell():
                file.write("\n")  # the last line may lack its end
            yield Journal(file, finished)

    def started(self, attempt: Attempt) -> None:
        """Raises OSError."""
        job = attempt.job
        self._write(Entry(event="started", job=job.name, attempt=attempt.number, time=time.time(), request=job.request))

    def ended(self, result: Result) -> None:
        """Raises OSError."""
        job = result.job
        self._write(
            Entry(
                event="failed" if result.code else "finished", job=job.name, attempt=result.attempts, time=time.time(),
                request=job.request, inputs=stamps(job), worker=result.worker, seconds=result.seconds, code=result.code,
                message=result.message, advice=result.hint,
            )
        )  # fmt: skip

    def knows(self, job: Job) -> bool:
        """Whether the head of this job was finished for the same request, from files that have not changed since."""
        asked = _asked(job)
        entry = self.finished.get(asked.job)
        return entry is not None and entry.request == asked.request and entry.inputs == stamps(job) != ()

    def contradicts(self, job: Job) -> bool:
        """Whether the head of this name was finished for another request."""
        asked = _asked(job)
        entry = self.finished.get(asked.job)
        return entry is not None and entry.request != asked.request

    def _write(self, entry: Entry) -> None:
        self._file.write(entry.model_dump_json(exclude_defaults=True) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _finished(path: Path) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    if not path.exists():
        return found
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = Entry.model_validate_json(line)
            except ValidationError:
                continue
            if entry.event == "finished":
                found[entry.job] = entry
    return found


def _asked(job: Job) -> Entry:
    """A job's name and request as entries have them: in UTF-8."""
    return Entry(event="started", job=job.name, attempt=1, time=0.0, request=job.request)


def stamps(job: Job) -> tuple[tuple[int, int], ...]:
    """Sizes and times of the input's files; none if one of them cannot be seen, or is a folder."""
    try:
        told = [path.stat() for path in job.inputs]
    except OSError:
        return ()
    return () if any(stat.S_ISDIR(each.st_mode) for each in told) else tuple((each.st_size, each.st_mtime_ns) for each in told)
