"""Figures of several parts, each with a colour of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class Layered(ABC):
    """Distances to the parts of a figure."""

    @abstractmethod
    def layers(self) -> tuple[Tensor, ...]:
        """Distances [N,P] to what has a colour of its own, in the order of the colours."""

    def nearest(self) -> Tensor:
        """Distances [N,P] to the nearest of them."""
        first, *rest = self.layers()
        for distance in rest:
            first = torch.minimum(first, distance)
        return first

    def blend(self, width: float) -> Blend:
        """How much of each layer's colour shows: transitions have a `width`."""
        nearest = self.nearest()
        weights = [torch.exp(-(d - nearest).clamp(max=0.05) / width) for d in self.layers()]
        return Blend(weights, sum(weights[1:], weights[0]))


@dataclass(frozen=True)
class Blend:
    """The `weights` [N,P] of several layers, and their `total`."""

    weights: Sequence[Tensor]
    total: Tensor

    def of(self, colours: Sequence[Tensor]) -> Tensor:
        """One channel [N,P] of the colours that the layers have, in their order."""
        first, *rest = (w * c for w, c in zip(self.weights, colours, strict=True))
        return sum(rest, first) / self.total
