"""The architecture of the embedded models, and the codes w of procedural heads during its training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inv3d.core.generator.config import (
    CanonicalConfig,
    DecoderConfig,
    GeneratorConfig,
    MappingConfig,
    RenderingConfig,
)
from inv3d.core.generator.layers import FullyConnected
from inv3d.core.training.source import TOONS, Source


def demo_config(source: Source = TOONS) -> GeneratorConfig:
    """For heads of `source`: small planes per head over large canonical ones, no super-resolution, 256 px.

    People have three times as many parameters as stylised heads, and light that their colours are computed from: their
    codes and the decoder are wider, and the canonical planes hold finer detail, which costs no time. Things come in a small
    file: their networks are narrower, and the canonical planes coarser.
    """
    people, small = source.name == "people", source.things
    return GeneratorConfig(
        z_dim=source.identity_dim + source.expression_dim,
        c_dim=0,
        w_dim=256 if people else 128,
        plane_resolution=64,
        plane_channels=19,
        channel_base=1536 if small else 3072,
        channel_max=64 if small else 128,
        noise=False,
        color_channels=3,
        raw_resolution=256,
        inject_resolution=8,
        shape_layers=5,
        mapping=MappingConfig(layers=4, hidden_dim=256 if small else 384, lr_multiplier=1.0, normalize=False, residual=True),
        decoder=DecoderConfig(hidden_dim=96 if people else 64, skip=True, film=True),
        rendering=RenderingConfig(
            near=2.28,
            far=3.12,
            coarse_samples=0,
            fine_samples=10,
            box=0.74,
            plane_layout="xy-xz-yz",
            back_texels=None if source.all_round else 8,
            coordinate_warp=1.5,
            density="surface",
            empty_outside=True,
            proposal_grid=48,
            background=True,
        ),
        canonical=CanonicalConfig(resolution=112 if small else 384 if people else 256, channels=16, max_offset=0.06),
        superresolution=None,
    )


class ParameterEmbedding(nn.Module):
    """Anatomy parameters to w [B,w_dim]: the teacher of the mapping network, used in training alone.

    Normalised parameters make a far better start than raw z: the generator learns anatomy, not the latent's wiring.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, w_dim: int, source: Source = TOONS) -> None:
        super().__init__()
        count = len(source.parameter_names)
        generator = torch.Generator().manual_seed(5)
        sample = source.parameters(
            torch.randn(20_000, source.identity_dim, generator=generator),
            torch.randn(20_000, source.expression_dim, generator=generator),
        )
        self.register_buffer("mean", sample.mean(0))
        self.register_buffer("std", sample.std(0) + 1e-6)
        self.hidden = FullyConnected(count, w_dim, activation="lrelu")
        self.out = FullyConnected(w_dim, w_dim, scale=0.5)
        self.skip = FullyConnected(count, w_dim)

    def normalise(self, parameters: Tensor) -> Tensor:
        """Parameters [B,K] in standard deviations from their mean, cut at 3."""
        return ((parameters - self.mean) / self.std).clamp(-3.0, 3.0)

    def forward(self, parameters: Tensor) -> Tensor:
        """w [B,w_dim] of heads given as parameters [B,K]."""
        x = self.normalise(parameters)
        return self.out(self.hidden(x)) + self.skip(x)
