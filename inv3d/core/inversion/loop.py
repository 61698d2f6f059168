"""The optimisation loop that all stages share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

Losses = dict[str, Tensor]


class Progress(Protocol):
    """Called after every step of a stage; may raise KeyboardInterrupt to stop."""

    def __call__(self, stage: str, step: int, steps: int, losses: dict[str, float]) -> None: ...


def silent(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
    """A `Progress` that reports nothing."""


def total(parts: Sequence[Losses]) -> Losses:
    """The losses of several parts of a step, summed by name."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: torch.stack([part[name] for part in parts if name in part]).sum() for name in names}


def ramp(t: float, decay: float = 0.25, warmup: float = 0.05) -> float:
    """Learning-rate factor at `t` in [0,1): linear warm-up, cosine decay at the end (as in StyleGAN2's projector)."""
    down = min(1.0, (1.0 - t) / decay)
    down = 0.5 - 0.5 * float(torch.cos(torch.tensor(down * torch.pi)))
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
    optimizer = torch.optim.Adam([{"params": tensors} for tensors, _ in groups], lr=0.0, fused=True)
    for step in range(steps):
        for group, (_, rate) in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = rate * ramp(step / steps, decay)
        optimizer.zero_grad(set_to_none=True)
        values: dict[str, float] = {}
        for losses in passes(step):
            torch.stack(list(losses.values())).sum().backward()
            for name, loss in losses.items():
                values[name] = values.get(name, 0.0) + float(loss.detach())
        optimizer.step()
        progress(stage, step + 1, steps, values)
