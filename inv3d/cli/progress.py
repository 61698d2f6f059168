"""How work in progress is shown: a live line in a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from inv3d.memory import peak_memory_mb


def _losses(losses: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in losses.items())


def json_line(message: dict[str, object]) -> None:
    """One message for a program."""
    print(json.dumps(message), flush=True)


class _Lines:
    """Printing lines needs no set-up."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class JsonLines(_Lines):
    """One JSON object per line and step."""

    def __call__(self, stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        json_line({"stage": stage, "step": step, "steps": steps, "losses": losses})


class PlainLines(_Lines):
    """About four lines per stage, for logs."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def __call__(self, stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        if step == steps or step % max(1, steps // 4) == 0:
            print(
                f"[{time.monotonic() - self.start:6.1f} s] {stage} {step}/{steps} {_losses(losses)}".rstrip(),
                flush=True,
            )


class LiveLines:
    """A bar per stage with step, time left, memory and losses."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:>3.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[memory]}"),
            TextColumn("{task.fields[detail]}"),
            console=Console(),
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def __call__(self, stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
        name = stage.split(maxsplit=1)[0]
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=steps, memory="", detail="")
        # one figure fits the line; logs and programs get them all
        detail = f"loss {sum(losses.values()):.4f}" if losses else stage.removeprefix(name).strip()
        self.bar.update(
            self.tasks[name], completed=step, total=steps, memory=f"{peak_memory_mb() / 1024:.1f} GB", detail=detail
        )


def reporter(as_json: bool) -> JsonLines | PlainLines | LiveLines:
    """What fits the place that output goes to."""
    if as_json:
        return JsonLines()
    return LiveLines() if sys.stdout.isatty() else PlainLines()
