"""Adam (Kingma and Ba 2015) by torch's functional form: its class imports torch's compiler, which takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.adam import adam


@dataclass
class Moments:
    """The means of a tensor's gradient and of its square, and the number of steps []."""

    mean: Tensor
    square: Tensor
    count: Tensor

    @staticmethod
    def zeros(tensor: Tensor) -> Moments:
        count = torch.zeros((), dtype=torch.float32, device=tensor.device)
        return Moments(torch.zeros_like(tensor), torch.zeros_like(tensor), count)


@dataclass
class Adam:
    """Steps of `groups` of tensors; those without a gradient stay where they are.

    Raises ValueError for a tensor whose memory has gaps or overlaps, such as a slice: torch's step would move what lies there.
    """

    groups: Sequence[Sequence[Tensor]]
    _moments: dict[Tensor, Moments] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tensor in (each for tensors in self.groups for each in tensors):
            if not tensor.permute(_order(tensor)).is_contiguous():
                shape, strides = tuple(tensor.shape), tensor.stride()
                raise ValueError(f"a tensor {shape} of strides {strides} has gaps in memory; make a contiguous copy of it")

    def clear(self) -> None:
        """Forget the gradients."""
        for tensors in self.groups:
            for tensor in tensors:
                tensor.grad = None

    @torch.no_grad()
    def step(self, rates: Sequence[Tensor]) -> None:
        """Move every group by its rate []."""
        for tensors, rate in zip(self.groups, rates, strict=True):
            moved = [tensor for tensor in tensors if tensor.grad is not None]
            if not moved:
                continue
            moments = [self._of(tensor) for tensor in moved]
            gradients = [tensor.grad for tensor in moved if tensor.grad is not None]
            parts = moved, gradients, [each.mean for each in moments], [each.square for each in moments]
            orders = [_order(tensor) for tensor in moved]
            weights, gradients, means, squares = (
                [each.permute(order) for each, order in zip(part, orders, strict=True)] for part in parts
            )
            gradients = [each.contiguous() for each in gradients]  # one that lies otherwise would be read out of order
            adam(
                weights, gradients, means, squares, [], [each.count for each in moments],
                fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=rate, weight_decay=0.0, eps=1e-8, maximize=False,
            )  # fmt: skip

    def state(self) -> list[list[Tensor]]:
        """What steps change: of every group those tensors that have moved, and of these the means, the mean squares and the
        counts."""
        found: list[list[Tensor]] = []
        for tensors in self.groups:
            moved = [tensor for tensor in tensors if tensor in self._moments]
            moments = [self._moments[tensor] for tensor in moved]
            found += [moved, *([getattr(each, name) for each in moments] for name in ("mean", "square", "count"))]
        return found

    def _of(self, tensor: Tensor) -> Moments:
        if tensor not in self._moments:
            self._moments[tensor] = Moments.zeros(tensor)
        return self._moments[tensor]


def _order(tensor: Tensor) -> tuple[int, ...]:
    """The axes of a tensor as they lie in memory, the outermost first: so the fused step takes it."""
    strides = tensor.stride()
    return tuple(sorted(range(tensor.dim()), key=lambda axis: -strides[axis]))
