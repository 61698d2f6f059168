"""The meaning of the vectors of a code: named spans, so that no other module counts layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class CodeSpace:
    """Codes [...,num_ws,w_dim] and the `spans` of their vectors, by name.

    A tri-plane generator's W+ has `shared` (every vector of the backbone), `sr` (the one that super-resolution reads),
    and divides the backbone's into `shape` and `looks`. Spans may overlap.

    A space may be finer than W+, as W_tri is: each of its vectors then stands for one of W+, whose number is in `origins`.
    """

    num_ws: int
    w_dim: int
    spans: Mapping[str, slice] = field(default_factory=dict)
    origins: tuple[int, ...] | None = None

    def __contains__(self, name: object) -> bool:
        return name in self.spans

    def take(self, codes: Tensor, name: str) -> Tensor:
        """The vectors [...,n,w_dim] of a span. Raises KeyError for a span that the space does not have."""
        return codes[..., self.spans[name], :]

    def layers(self, name: str | None) -> tuple[int, int]:
        """The first and the last vector of a span; of a whole code for None, or for a span that the space does not have."""
        first, end, _ = self.spans.get(name or "", slice(None)).indices(self.num_ws)
        return first, end - 1

    def repeat(self, w: Tensor) -> Tensor:
        """Codes [...,num_ws,w_dim] whose every vector is `w` [...,w_dim]."""
        return w[..., None, :].expand(*w.shape[:-1], self.num_ws, -1)

    def widened(self, codes: Tensor) -> Tensor:
        """Codes [...,num_ws,w_dim] that mean the same as `codes` of W+, or displacements that move them alike."""
        return codes if self.origins is None else codes[..., self.origins, :]

    def narrowed(self, codes: Tensor) -> Tensor:
        """The codes of W+ that are nearest to `codes` [...,num_ws,w_dim]: means of the vectors that stand for one."""
        if self.origins is None:
            return codes
        origins = torch.tensor(self.origins, device=codes.device)
        counts = origins.bincount()
        sums = codes.new_zeros(*codes.shape[:-2], len(counts), self.w_dim).index_add(-2, origins, codes)
        return sums / counts[:, None]

    def mix(self, codes: Tensor, others: Tensor, name: str) -> Tensor:
        """`codes` with the span `name` taken from `others`."""
        chosen = torch.zeros(self.num_ws, 1, dtype=torch.bool, device=codes.device)
        chosen[self.spans[name]] = True
        return torch.where(chosen, others, codes)
