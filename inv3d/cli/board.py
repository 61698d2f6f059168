"""What `inv3d batch` shows while it works: a live table in a terminal, a line for each result elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from inv3d.cli import signals, terminal
from inv3d.cli.progress import is_live, minutes
from inv3d.core.printable import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from inv3d.batch.job import Result
    from inv3d.batch.schedule import Batch

_REDRAWN = 0.5
"""Seconds between two states of the table."""
_MOST_SHOWN = 20
"""Running jobs that it lists."""


def told(result: Result) -> str:
    """A result in a line."""
    if result.code:
        return f"{result.job.name}: failed: {result.message}"
    if result.passed:
        return f"{result.job.name}: exists already, skipped"
    again = f", in {result.attempts} attempts" if result.attempts > 1 else ""
    return f"{result.job.name}: finished in {minutes(result.seconds)}{again}"


class Board:
    """Shows a batch of `total` jobs, `passed` of which were done before. Used as a context; `watch` and `tell` are those of
    `Batch`. Lines go to standard error with `as_json`."""

    def __init__(self, total: int, passed: int, as_json: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._total, self._passed = total, passed
        self._say = terminal.teller(as_json)
        self._start = self._drawn = time.monotonic()
        self._done = 0
        self._live = Live(console=Console(file=sys.stdout), auto_refresh=False) if is_live(as_json) else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def tell(self, result: Result) -> None:
        self._done += 1
        line = f"[{time.monotonic() - self._start:6.1f} s] {self._passed + self._done}/{self._total} {told(result)}"
        if self._live:
            self._live.console.print(printable(line), markup=False, emoji=False, highlight=False)
        else:
            self._say(line)

    def watch(self, batch: Batch) -> None:
        signals.check()
        now = time.monotonic()
        if self._live and now - self._drawn >= _REDRAWN:
            self._drawn = now
            self._live.update(self._table(batch, now), refresh=True)

    def _table(self, batch: Batch, now: float) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from inv3d.batch.process import stage

        table = Table()
        for column in ("head", "attempt", "stage", "seconds"):
            table.add_column(column, justify="right" if column in ("attempt", "seconds") else "left", overflow="fold")
        for attempt, start in list(batch.running.items())[:_MOST_SHOWN]:
            shown = stage(batch.log(attempt.job)) or "starting"
            cells = (attempt.job.name, str(attempt.number), shown, f"{now - start:.0f}")
            table.add_row(*(Text(printable(cell)) for cell in cells))
        if len(batch.running) > _MOST_SHOWN:
            table.add_row(f"{len(batch.running) - _MOST_SHOWN} more", "", "", "")
        return Group(Text(self._title(batch, now)), table)

    def _title(self, batch: Batch, now: float) -> str:
        failed = sum(result.code != 0 for result in batch.results)
        parts = [
            f"{self._passed + self._done} of {self._total} done", f"{failed} failed",
            f"{len(batch.running)} running", f"{len(batch.waiting)} waiting",
        ]  # fmt: skip
        if self._done:
            left = (now - self._start) / self._done * (self._total - self._passed - self._done)
            parts.append(f"about {minutes(left)} left")
        return ", ".join(parts)
