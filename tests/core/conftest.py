"""The tiny EG3D network and the numbers that the public code produced with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inv3d.core.generator import GeneratorConfig, TriplaneGenerator

DATA = Path(__file__).parents[1] / "data" / "eg3d"


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Tensor]:
    """Reference arrays by name, as float32 tensors."""
    arrays = np.load(DATA / "references.npz")
    return lambda name: torch.from_numpy(np.asarray(arrays[name], dtype=np.float32))


@pytest.fixture(scope="session")
def tiny() -> TriplaneGenerator:
    generator = TriplaneGenerator(GeneratorConfig(z_dim=64, channel_base=2048, channel_max=32))
    weights = np.load(DATA / "weights_fp16.npz")
    generator.load_state_dict({name: torch.from_numpy(weights[name].astype(np.float32)) for name in weights})
    return generator.eval().requires_grad_(False)


def relative(actual: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of the expected values."""
    assert actual.shape == expected.shape, f"{tuple(actual.shape)} against {tuple(expected.shape)}"
    return float((actual - expected).norm() / expected.norm())
