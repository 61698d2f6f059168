"""The optimisation loop that all stages share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from inv3d.core.inversion.adam import Adam

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
    passes: Callable[[int], Iterator[Losses]],
    steps: int,
    stage: str,
    progress: Progress,
    decay: float = 0.25,
) -> None:
    """Adam on `groups` of tensors with their peak rates, which fade out in the last `decay` of the steps.

    `passes(step)` yields losses; each is sent backward at once, so that memory is that of one pass.
    """
    optimizer = Adam([tensors for tensors, _ in groups])
    for step in range(steps):
        optimizer.clear()
        parts: list[Losses] = []
        for losses in passes(step):
            torch.stack(list(losses.values())).sum().backward()
            parts.append({name: loss.detach() for name, loss in losses.items()})
        optimizer.step([rate * ramp(step / steps, decay) for _, rate in groups])
        progress(stage, step + 1, steps, Values(total(parts)))
