"""Progress reports: live bars in a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from inv3d.cli import signals, terminal
from inv3d.core.printable import printable
from inv3d.memory import peak_memory_mb

if TYPE_CHECKING:
    from rich.progress import TaskID

_PARTS = 4
"""Lines per stage in a log, ..."""
_AT_LEAST = 60.0
"""... and the seconds after which another one is printed anyway."""
_OFTEN = 0.5
"""Seconds between two readings of a loss: a GPU goes on working while nobody asks."""


class PlainLines:
    """About four lines per stage, for logs; `tell` prints a line."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.start = self.told = time.monotonic()
        self.reached = ("", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        signals.check()
        now = time.monotonic()
        # where the length of a stream is unknown, every step counts as the last one so far
        reached = (stage, _PARTS * step // max(1, steps))
        if reached == self.reached and now - self.told < _AT_LEAST:
            return
        self.reached, self.told = reached, now
        values = " ".join(f"{name} {value:.4g}" for name, value in losses.items())
        self.tell(f"[{now - self.start:6.1f} s] {stage} {step}/{steps} {values}".rstrip())


class LiveLines:
    """A bar per stage with step, time left, memory and losses."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("{task.description:<8}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:>3.0f}/{task.total:.0f}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[memory]}", markup=False),
            TextColumn("{task.fields[detail]}", markup=False),
            console=Console(file=sys.stdout),
        )
        self.tasks: dict[str, TaskID] = {}
        self.shown = ("", "", -math.inf)
        """The stage, its latest detail, and when that was read."""

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def tell(self, line: str) -> None:
        """Print a line above the bars."""
        self.bar.console.print(printable(line), markup=False, emoji=False, highlight=False)

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        signals.check()
        name = stage.split(maxsplit=1)[0]
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=steps, memory="", detail="")
        self.bar.update(
            self.tasks[name],
            completed=step,
            total=steps,
            memory=f"{peak_memory_mb() / 1024:.1f} GB",
            detail=self._detail(stage, step == steps, losses) if losses else stage.removeprefix(name).strip(),
        )

    def _detail(self, stage: str, last: bool, losses: Mapping[str, float]) -> str:
        """The loss as of a moment ago: the line has room for one figure; logs get all of them."""
        named, detail, read = self.shown
        now = time.monotonic()
        if last or named != stage or now - read > _OFTEN:
            detail = f"loss {sum(losses.values()):.4f}"
            self.shown = (stage, detail, now)
        return detail


def reporter(as_json: bool) -> PlainLines | LiveLines:
    """The reporter that suits standard output."""
    return LiveLines() if is_live(as_json) else PlainLines(terminal.teller(as_json))


def is_live(as_json: bool) -> bool:
    """Whether standard output is a terminal that can move its cursor, and not taken by a JSON document."""
    return not as_json and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def watched(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap `tell` so that a training can be stopped at every line it prints."""

    def line(text: str) -> None:
        signals.check()
        tell(text)

    return line


def minutes(seconds: float) -> str:
    """A duration in words."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
