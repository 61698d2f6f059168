"""The architecture of the embedded model `demo` and the code w of a procedural head during its training."""

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
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, PARAMETER_NAMES, SHAPE_NAMES, head_parameters


def demo_config() -> GeneratorConfig:
    """Small planes per head over large canonical ones, no super-resolution, 256 px."""
    return GeneratorConfig(
        z_dim=IDENTITY_DIM + EXPRESSION_DIM,
        c_dim=0,
        w_dim=128,
        plane_resolution=64,
        plane_channels=19,
        channel_base=3072,
        channel_max=128,
        noise=False,
        color_channels=3,
        raw_resolution=256,
        inject_resolution=8,
        shape_layers=5,
        mapping=MappingConfig(layers=4, hidden_dim=384, lr_multiplier=1.0, normalize=False, residual=True),
        decoder=DecoderConfig(hidden_dim=64, skip=True, film=True),
        rendering=RenderingConfig(
            near=2.28,
            far=3.12,
            coarse_samples=0,
            fine_samples=10,
            box=0.74,
            plane_layout="xy-xz-yz",
            coordinate_warp=1.5,
            density="surface",
            empty_outside=True,
            proposal_grid=48,
            background=True,
        ),
        canonical=CanonicalConfig(resolution=256, channels=16, max_offset=0.06),
        superresolution=None,
    )


class ParameterEmbedding(nn.Module):
    """Anatomy parameters to w [B,w_dim]: the teacher of the mapping network, used in training alone.

    Normalised parameters make a far better start than raw z: the generator learns anatomy, not the latent's wiring.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, w_dim: int) -> None:
        super().__init__()
        count = len(PARAMETER_NAMES)
        generator = torch.Generator().manual_seed(5)
        sample = head_parameters(
            torch.randn(20_000, IDENTITY_DIM, generator=generator),
            torch.randn(20_000, EXPRESSION_DIM, generator=generator),
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


def exchange_looks(parameters: Tensor, others: Tensor) -> Tensor:
    """Heads [B,K] of the shape of `parameters` with the colours, textures and lights of `others`."""
    count = len(SHAPE_NAMES)
    return torch.cat([parameters[:, :count], others[:, count:]], 1)


_KEPT = ("hair_", "beard", "glasses", "sideburn", "nape", "parting", "head_", "curl", "bun", "hat", "brim", "collar")


def lookalikes(parameters: Tensor, others: Tensor) -> Tensor:
    """Heads [B,K] with the faces of `others` under the colours, light, hair, beard, hat and glasses of `parameters`."""
    kept = [name.startswith(_KEPT) or i >= len(SHAPE_NAMES) for i, name in enumerate(PARAMETER_NAMES)]
    return torch.where(torch.tensor(kept, device=parameters.device), parameters, others)
