"""How a machine is divided among the heads that are made at once."""

from __future__ import annotations

from dataclasses import dataclass

from inv3d.core.processors import processors


@dataclass(frozen=True)
class Shares:
    """So many `slots` of so many `threads` each, on the CPU or one GPU of `gpus` (as CUDA_VISIBLE_DEVICES names them)."""

    slots: int
    threads: int
    gpus: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        return "cuda" if self.gpus else "cpu"


def divide(jobs: int, asked: int | None, fitting: int, gpus: tuple[str, ...] = (), own: int | None = None) -> Shares:
    """The shares for a number of `jobs`: one for each core, as several processes of one thread do more than one process of
    several threads, or one for each GPU. No more than `fitting` by their memory; `asked` for, it is that many. `own` is the
    number of cores, if not all that this process may use."""
    available = own or processors()
    usual = len(gpus) if gpus else min(available, fitting)
    slots = max(1, min(jobs, asked or usual))
    return Shares(slots, max(1, available // slots), gpus)
