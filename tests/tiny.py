"""A generator of EG3D's kind, super-resolution included, of a few thousand weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from inv3d.core.bundle import Bundle
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.config import CanonicalConfig, GeneratorConfig, RenderingConfig, SuperResolutionConfig

SIZES: dict[str, Any] = {"plane_resolution": 16, "channel_base": 256, "channel_max": 16, "raw_resolution": 16, "w_dim": 16, "z_dim": 8}
CONFIG = GeneratorConfig(
    **SIZES, c_dim=0, plane_channels=4, color_channels=8, rendering=RenderingConfig(coarse_samples=4, fine_samples=4),
    superresolution=SuperResolutionConfig((8, 8), 16),
)  # fmt: skip


def like_demo(demo: Bundle) -> GeneratorConfig:
    """A generator of the size of `CONFIG` that samples like `demo`'s, by a grid, and has no super-resolution."""
    config = demo.info.generator
    rendering = replace(config.rendering, proposal_grid=8, fine_samples=4)
    return replace(config, **SIZES, canonical=CanonicalConfig(16, 8), inject_resolution=8, rendering=rendering)


def with_generator(bundle: Bundle, config: GeneratorConfig = CONFIG, device: torch.device | str = "cpu") -> Bundle:
    """The bundle with a random generator of another configuration instead of its own."""
    torch.manual_seed(0)
    generator = TriplaneGenerator(config).to(device).eval().requires_grad_(False)
    return replace(bundle, info=bundle.info.changed(generator=config), generator=generator, statistics=None)
