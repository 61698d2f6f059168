"""The training loop of all networks: steps seeded by their number, checkpoints, and a log."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, distributed, nn

from inv3d.core.files import write_whole

Report = Callable[[str], None]
Losses = dict[str, Tensor]


class Kept(Protocol):
    """What a checkpoint keeps: a module, or an optimizer."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class Training(ABC):
    """A training: its parts, the losses of a step, and the learning rates.

    A step draws everything from a generator that is seeded by the step's number, so that a training that continues from a
    checkpoint equals an unbroken one. In a process group every process draws batches of its own, and gradients are
    averaged.
    """

    name: str
    """Name in the reports."""
    steps: int
    seed: int = 0
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    report_every: int = 100
    save_every: int = 500
    device: torch.device
    optimizer: torch.optim.Optimizer
    parts: Mapping[str, Kept]
    """The content of a checkpoint beside the optimizer; the trained modules come first."""
    step: int = 0
    """Number of finished steps."""
    seconds: float = 0.0

    _PROCESSES: ClassVar[int] = 64
    """Seeds of a step, one for each process of a group."""

    @abstractmethod
    def losses(self, random: torch.Generator) -> Losses:
        """Weighted losses of the next step."""

    @abstractmethod
    def rates(self) -> Sequence[float]:
        """Learning rates of the optimizer's groups for the next step."""

    def after_step(self) -> None:  # noqa: B027 - most have nothing to do
        """Called after the optimizer's update, before the step counts as finished."""

    @property
    def rank(self) -> int:
        """Rank of this process; rank 0 reports and writes."""
        return distributed.get_rank() if distributed.is_initialized() else 0

    def save(self, checkpoint: Path) -> None:
        """Write everything that continuing the training needs."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {"optimizer": self.optimizer.state_dict(), "step": self.step, "seconds": self.seconds}
        with write_whole(checkpoint, replace=True) as part:
            torch.save(state, part)

    def load(self, checkpoint: Path) -> None:
        """Restore the state at the call of `save`."""
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def advance(self) -> Losses:
        """Run one step."""
        seed = (self.seed * 1_000_003 + self.step) * self._PROCESSES + self.rank
        for group, rate in zip(self.optimizer.param_groups, self.rates(), strict=True):
            group["lr"] = rate
        losses = self.losses(torch.Generator().manual_seed(seed))
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        learning = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        if distributed.is_initialized():
            average_gradients(learning)
        nn.utils.clip_grad_norm_(learning, self.clip)
        self.optimizer.step()
        self.after_step()
        self.step += 1
        return losses

    def run(self, checkpoint: Path, report: Report) -> Iterator[int]:
        """Train to the last step, continuing from `checkpoint` if it exists; yields the number of each finished step.

        The means of the losses are reported and, one JSON object a line, written beside the checkpoint.
        """
        if checkpoint.exists():
            self.load(checkpoint)
        start, first = time.perf_counter() - self.seconds, self.step
        began, sums = time.perf_counter(), dict[str, list[Tensor]]()
        while self.step < self.steps:
            for name, loss in self.advance().items():
                sums.setdefault(name, []).append(loss.detach())  # a number would make a GPU wait in every step
            self.seconds = time.perf_counter() - start
            last = self.step == self.steps
            if self.step % self.report_every == 0 or last:
                means = everyones({name: torch.stack(values).double().mean() for name, values in sums.items()})
                sums.clear()
                if self.rank == 0:
                    each = (time.perf_counter() - began) / (self.step - first)
                    self._tell(means, each, checkpoint.with_suffix(".jsonl"), report)
            if self.rank == 0 and (self.step % self.save_every == 0 or last):
                self.save(checkpoint)
            yield self.step

    def _tell(self, means: dict[str, float], each: float, log: Path, report: Report) -> None:
        minutes = each * (self.steps - self.step) / 60
        shown = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        report(f"{self.name} {self.step}/{self.steps}, about {minutes:.0f} min to go: {shown}")
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, "seconds_per_step": each, **means}) + "\n")


def everyones(means: Losses) -> dict[str, float]:
    """The losses of the batches of all processes of the group, from those of this one's."""
    together = torch.stack(list(means.values()))
    if distributed.is_initialized():
        distributed.all_reduce(together)
        together /= distributed.get_world_size()
    return dict(zip(means, together.tolist(), strict=True))


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace the gradients by their means over the processes of the group."""
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    means = flat.div_(distributed.get_world_size()).split([gradient.numel() for gradient in gradients])
    for parameter, gradient, mean in zip(parameters, gradients, means, strict=True):
        parameter.grad = mean.reshape(gradient.shape).contiguous(
            memory_format=torch.channels_last if gradient.dim() == 4 else torch.contiguous_format
        )


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int, slow: int) -> None:
    """Move a moving average towards the `model`; faster in the first steps, in which `slow` slows it down."""
    decay = min(decay, (step + 1) / (step + slow))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1.0 - decay)
