"""A network that is trained together with a moving average of its weights, which is what is kept."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, distributed, nn

from inv3d.core.training.loop import Kept, Report, Training, follow

Network = TypeVar("Network", bound=nn.Module)


class AveragedTraining(Training, ABC, Generic[Network]):
    """Trains a `network`; `average` follows it."""

    lr: float
    decay: float
    """Of the moving average."""

    def __init__(self, network: Network, device: torch.device, learning: Iterable[Tensor] | None = None) -> None:
        """`learning` are the weights that are trained; by default all."""
        self.device = device
        self.network: Network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.network.train()
        self.parts: dict[str, Kept] = {"encoder": self.network, "average": self.average}
        self.optimizer = torch.optim.AdamW(learning or self.network.parameters(), lr=self.lr, weight_decay=1e-4)

    @abstractmethod
    def grid(self) -> Tensor:
        """A picture [3,H,W] of what has been learned so far."""

    def run_showing(self, checkpoint: Path, report: Report, show: Callable[[Tensor], None]) -> None:
        """Train to the last step (see `run`); `show` is given the `grid` whenever a checkpoint is written."""
        for step in self.run(checkpoint, report):
            if self.rank == 0 and (step % self.save_every == 0 or step == self.steps):
                show(self.grid())

    def after_step(self) -> None:
        if distributed.is_initialized():
            for buffer in self.network.buffers():  # statistics of the batches, which differ between processes
                distributed.broadcast(buffer, 0)
        follow(self.average, self.network, self.decay, self.step, slow=10)
        for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(now)

    def rates(self) -> list[float]:
        """Linear warm-up, cosine decay over the last half."""
        left = min(1.0, 2.0 * (1.0 - self.step / self.steps))
        warm = min(1.0, (self.step + 1) / 100)
        return [self.lr * warm * (0.5 - 0.5 * math.cos(math.pi * left))] * len(self.optimizer.param_groups)
