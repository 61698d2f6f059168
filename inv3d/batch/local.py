"""A pool of processes on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from inv3d.batch.job import Attempt, Ending
from inv3d.batch.process import PROGRAM, Process
from inv3d.batch.shares import Shares

_TICK = 0.1
"""Seconds between two looks at the processes."""
_RECOVERY = 4
"""After so many heads in every slot, a slot that was given up for lack of memory is taken again."""


class LocalPool:
    """One process for each share of the machine; a `Pool`. `program` is what Python runs."""

    def __init__(self, shares: Shares, program: tuple[str, ...] = PROGRAM) -> None:
        self.slots = shares.slots
        self._shares, self._program = shares, program
        self._well = 0
        self._running: dict[Process, tuple[Attempt, str | None]] = {}

    def start(self, attempt: Attempt, log: Path) -> None:
        gpu = self._free_gpu()
        arguments = (*attempt.arguments, "--device", self._shares.device)
        process = Process(arguments, log, self._shares.threads, gpu, self._program)
        self._running[process] = (attempt, gpu)

    def ended(self) -> list[tuple[Attempt, Ending]]:
        found = [(process, ending) for process in self._running if (ending := process.ended()) is not None]
        if not found:
            time.sleep(_TICK)
        self._well += sum(ending.code == 0 for _, ending in found)
        if self._well >= _RECOVERY * self.slots and self.slots < self._shares.slots:
            self.slots, self._well = self.slots + 1, 0
        return [(self._running.pop(process)[0], ending) for process, ending in found]

    def spare(self) -> None:
        self.slots, self._well = max(1, self.slots - 1), 0

    def stop(self) -> None:
        for process in self._running:
            process.stop()
        for process in self._running:
            process.wait()

    def _free_gpu(self) -> str | None:
        """The GPU that the fewest attempts use, as CUDA_VISIBLE_DEVICES names it; None without GPUs."""
        used = [gpu for _, gpu in self._running.values()]
        return min(self._shares.gpus, key=used.count, default=None)


def visible(gpus: int) -> tuple[str, ...]:
    """The names of the first GPUs that this process sees."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return tuple(named[:gpus]) if named != [""] else tuple(map(str, range(gpus)))
