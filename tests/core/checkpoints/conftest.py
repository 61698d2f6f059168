"""A network that is small in every way, and files of it in the layouts of public code (see `writer`)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from inv3d.core.generator import GeneratorConfig, TriplaneGenerator

from .small import small_config, small_options


@pytest.fixture(scope="session")
def small() -> TriplaneGenerator:
    torch.manual_seed(3)
    generator = TriplaneGenerator(small_config()).eval().requires_grad_(False)
    generator.backbone.mapping.w_avg.normal_()
    return generator


@pytest.fixture
def config() -> GeneratorConfig:
    return small_config()


@pytest.fixture
def options() -> dict[str, Any]:
    """Init arguments of the small network; tests change them."""
    return small_options()


@pytest.fixture
def parameters(small: TriplaneGenerator) -> set[str]:
    """Names of its parameters; the others are buffers."""
    return {name for name, _ in small.named_parameters()}
