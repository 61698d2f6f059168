"""Statistics of a generator's codes: mean, spread and principal directions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.generator import Generator

_SEED = 123
_BATCH = 1000


@dataclass(frozen=True)
class CodeStatistics:
    """Statistics of the codes w that the mapping network makes, before they are repeated for all layers.

    `mean` [w_dim]; `spread` [], root mean squared distance to the mean per entry; `directions` [K,w_dim], orthonormal,
    the principal components of the codes (GANSpace, Härkönen et al. 2020), with the deviations `scales` [K] along them,
    largest first.
    """

    mean: Tensor
    spread: Tensor
    directions: Tensor
    scales: Tensor

    def distance(self, w: Tensor) -> float:
        """How far a vector [w_dim] lies from the mean: the root mean square of its principal components, each in its own
        deviations. Codes of the model's own lie at 1 on average."""
        return float(((w - self.mean) @ self.directions.T / self.scales).square().mean().sqrt())

    def state(self) -> dict[str, Tensor]:
        return {
            "mean": self.mean, "spread": self.spread, "directions": self.directions, "scales": self.scales
        }  # fmt: skip


@torch.no_grad()
def sample_codes(generator: Generator, front: Camera, samples: int) -> Tensor:
    """Codes w [samples,w_dim], the same at every call; models conditioned on a camera get the `front` one."""
    z = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(_SEED)).to(generator.device)
    vector = front.vector().to(generator.device)
    return torch.cat([generator.mapping(part, vector.expand(len(part), -1))[:, 0] for part in z.split(_BATCH)])


@torch.no_grad()
def code_statistics(generator: Generator, front: Camera, samples: int = 10_000, directions: int = 80) -> CodeStatistics:
    """Measured on `samples` codes; at most `directions` directions."""
    codes = sample_codes(generator, front, samples)
    mean = codes.mean(0)
    centred = codes - mean
    _, singular, rows = torch.linalg.svd(centred, full_matrices=False)
    # a component and its opposite are the same: the largest entry is positive, on every machine
    rows = rows[:directions]
    rows = rows * rows.gather(1, rows.abs().argmax(1, keepdim=True)).sign()
    return CodeStatistics(mean, centred.square().mean().sqrt(), rows, singular[:directions] / samples**0.5)
