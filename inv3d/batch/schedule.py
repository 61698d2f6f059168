"""The loop of a batch: attempts are started where a slot is free, and what follows from their end is decided."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inv3d.batch.job import Attempt, Ending, Job, Pool, Result, verdict
from inv3d.batch.journal import JOURNAL, Journal
from inv3d.batch.page import PAGE
from inv3d.batch.summary import SUMMARY
from inv3d.core.errors import OutOfMemoryError

LOGS, LOCK = "logs", "lock"
RESERVED = (LOGS, LOCK, JOURNAL, SUMMARY, PAGE)
"""Names in the folder of a batch that are no heads."""


@dataclass
class Batch:
    """The state of a batch whose jobs are made in `pool` and whose files are in `folder`. `watch` is called about ten times a
    second, `tell` with every result. `retries` are those of `verdict`."""

    folder: Path
    pool: Pool
    journal: Journal
    retries: int = 2
    watch: Callable[[Batch], None] = lambda batch: None
    tell: Callable[[Result], None] = lambda result: None
    waiting: deque[Attempt] = field(default_factory=deque)
    running: dict[Attempt, float] = field(default_factory=dict)
    """When they were started, as of `time.monotonic`."""
    results: list[Result] = field(default_factory=list)

    def run(self, jobs: Iterable[Job], resume: bool = False, force: bool = False) -> None:
        """Make the heads of all jobs. Whatever stops it, the heads that are finished then are among the results.

        Raises OSError if a log or the journal cannot be written.
        """
        self.waiting.extend(Attempt(job, 1, resume, force, job.stamp if force else None) for job in jobs)
        try:
            while self.waiting or self.running:
                while self.waiting and len(self.running) < self.pool.slots:
                    self._start(self.waiting.popleft())
                for attempt, ending in self.pool.ended():
                    self._settle(attempt, ending)
                self.watch(self)
        finally:
            self.pool.stop()
            for attempt in self.running:
                if attempt.job.stamp not in (None, attempt.before):
                    self._add(Result(attempt.job, attempts=attempt.number))

    def log(self, job: Job) -> Path:
        """The file with the output of the last attempt at a job."""
        return self.folder / LOGS / f"{job.name}.log"

    def _start(self, attempt: Attempt) -> None:
        for folder in (attempt.job.out.parent, self.log(attempt.job).parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.journal.started(attempt)
        self.pool.start(attempt, self.log(attempt.job))
        self.running[attempt] = time.monotonic()

    def _settle(self, attempt: Attempt, ending: Ending) -> None:
        del self.running[attempt]
        if ending.code is None or ending.code in (-9, OutOfMemoryError.exit_code):
            self.pool.spare()
        follows = verdict(attempt, ending, self.retries)
        if isinstance(follows, Attempt):
            self.waiting.append(follows)
        else:
            self._add(follows)

    def _add(self, result: Result) -> None:
        self.journal.ended(result)
        self.results.append(result)
        self.tell(result)
