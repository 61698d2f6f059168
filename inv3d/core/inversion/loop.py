"""The optimisation loop that all stages share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Protocol

import torch
from torch import Tensor

from inv3d.core.counting import Counted
from inv3d.core.inversion.adam import Adam
from inv3d.core.inversion.graphs import Kind, Repeated, recorder_on

Losses = dict[str, Tensor]


class Progress(Protocol):
    """Called after every step of a stage; may raise KeyboardInterrupt to stop. Reading `losses` waits for the device."""

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None: ...


class Values(Mapping[str, float]):
    """Losses as numbers, which leave the device when they are first read."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._read: dict[str, float] | None = None

    def __getitem__(self, name: str) -> float:
        if self._read is None:
            numbers = torch.stack(list(self._losses.values())).tolist()
            self._read = dict(zip(self._losses, numbers, strict=True))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._losses)

    def __len__(self) -> int:
        return len(self._losses)


def silent(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
    """A `Progress` that reports nothing."""


def staged(progress: Progress, stage: str) -> Counted:
    """Reports what is counted as steps of a `stage`."""
    return lambda done, total: progress(stage, done, total, {})


def total(parts: Sequence[Losses]) -> Losses:
    """The losses of several parts of a step, summed by name."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: torch.stack([part[name] for part in parts if name in part]).sum() for name in names}


def ramp(t: float, decay: float = 0.25, warmup: float = 0.05) -> float:
    """Learning-rate factor at `t` in [0,1): linear warm-up, cosine decay at the end (as in StyleGAN2's projector)."""
    down = min(1.0, (1.0 - t) / decay)
    down = 0.5 - 0.5 * math.cos(down * math.pi)
    return down * min(1.0, (t + 1e-3) / warmup)


def optimise(
    groups: Sequence[tuple[Sequence[Tensor], float]],
    begin: Callable[[int], Kind],
    passes: Callable[[Kind], Iterator[Losses]],
    steps: int,
    stage: str,
    progress: Progress,
    decay: float = 0.25,
    random: torch.Generator | None = None,
) -> None:
    """Adam on `groups` of tensors with their peak rates, which fade out in the last `decay` of the steps.

    `begin(step)` prepares a step and says of which kind it is; `passes(kind)` yields its losses, and each is sent backward at
    once, so that memory is that of one pass. Where a device repeats recorded steps (see `graphs`), it does so with those of a
    kind: if `random`, all that they draw from, is given, and they wait for nothing.
    """
    optimizer = Adam([tensors for tensors, _ in groups])
    device = groups[0][0][0].device
    # in tensors, as a recorded step would keep a number; on GPUs Adam reads them as float32
    rates = torch.zeros(len(groups), dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device).unbind()

    def take(kind: Kind) -> Losses:
        optimizer.clear()
        parts: list[Losses] = []
        for losses in passes(kind):
            torch.stack(list(losses.values())).sum().backward()
            parts.append({name: loss.detach() for name, loss in losses.items()})
        optimizer.step(rates)
        return total(parts)

    recorder = None if random is None else recorder_on(device)
    taken = take if random is None or recorder is None else Repeated(take, optimizer.state, random, recorder)
    with nullcontext() if recorder is None else recorder.aside():
        for step in range(steps):
            for rate, (_, peak) in zip(rates, groups, strict=True):
                rate.fill_(peak * ramp(step / steps, decay))
            losses = taken(begin(step))
            progress(stage, step + 1, steps, Values(losses))
