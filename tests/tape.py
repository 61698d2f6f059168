"""A stand-in for CUDA graphs on a device that is not there (see `pretend`): kernels are written down, and done again on the same
memory.

As on a device, what a step made keeps its memory, numbers of the host stay as they were, what the step did not make is looked for
where it was, and nothing may wait for the host. Stricter than a device: memory that was given back since is told of, and what a
recorded step leaves is no number until it is repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map


class NotRecordedError(RuntimeError):
    """What a device would refuse while it records."""


class GivenBackError(RuntimeError):
    """What a device would not notice: a recorded step looks for memory that is no longer what it was."""


@dataclass(frozen=True)
class _Elsewhere:
    """A tensor that the step did not make: where it lies, without holding on to it."""

    storage: StorageWeakRef
    like: torch.dtype
    layout: tuple[int, tuple[int, ...], tuple[int, ...]]

    @staticmethod
    def of(tensor: Tensor) -> _Elsewhere:
        layout = (int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride())
        return _Elsewhere(StorageWeakRef(tensor.untyped_storage()), tensor.dtype, layout)

    def found(self) -> Tensor:
        if self.storage.expired():
            raise GivenBackError(f"a tensor of shape {self.layout[1]} is gone")
        storage = torch.UntypedStorage._new_with_weak_ptr(self.storage.cdata)
        return torch.empty(0, dtype=self.like).set_(storage, *self.layout)


class _Writing(TorchDispatchMode):
    """Writes down every kernel, its arguments and what it made."""

    def __init__(self, pretended: Any) -> None:
        super().__init__()
        self.labels = pretended.labels
        self.lines: list[tuple[Any, Any, Any, list[tuple[int, Tensor]]]] = []
        self.own: dict[int, Tensor] = {}
        """What the step made, by its memory."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kept = tree_map(self._kept, (args, kwargs or {}))
        before = {_memory(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        result = func(*args, **(kwargs or {}))
        made = [(i, each.detach()) for i, each in enumerate(tree_leaves(result)) if isinstance(each, Tensor)]
        made = [(i, each) for i, each in made if _memory(each) not in before]
        self.own.update({_memory(each): each for _, each in made})
        self.lines.append((func, *kept, made))
        return result

    def _kept(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        number = not value.dim() and self.labels.get(value) is False
        return value.detach() if number or _memory(value) in self.own else _Elsewhere.of(value)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


class Tape:
    """A `Recorder` that does again what it has written down, but for kernels whose name is in `forgets`."""

    def __init__(self, pretended: Any, forgets: str = "nothing") -> None:
        self.pretended, self.forgets, self.works = pretended, forgets, True
        self.recorded = self.repeated = 0

    def aside(self) -> Any:
        return nullcontext()

    def record(self, step: Callable[[], dict[str, Tensor]], random: torch.Generator) -> tuple[Callable[[], None], dict[str, Tensor]]:
        waits = self.pretended.waits.copy()
        writing = _Writing(self.pretended)
        with writing:
            losses = step()
        if new := self.pretended.waits - waits:
            raise NotRecordedError(f"the host would wait: {dict(new)}")
        lines = [line for line in writing.lines if self.forgets not in str(line[0])]
        with _disable_current_modes(), torch.no_grad():
            for each in writing.own.values():
                if each.is_floating_point():
                    each.fill_(torch.nan)
        self.recorded += 1

        def replay() -> None:
            self.repeated += 1
            with _disable_current_modes(), torch.no_grad():
                for func, args, kwargs, made in lines:
                    args, kwargs = tree_map(lambda each: each.found() if isinstance(each, _Elsewhere) else each, (args, kwargs))
                    again = tree_leaves(func(*args, **kwargs))
                    for i, each in made:
                        each.copy_(again[i])

        return replay, losses
