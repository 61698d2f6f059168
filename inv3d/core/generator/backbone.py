"""Mapping network and tri-plane backbone: (z, camera) -> W+ codes -> plane features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.layers import FullyConnected, NoiseMode, SynthesisBlock

_PLANES = 3


def normalize_second_moment(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class MappingNetwork(nn.Module):
    """z [B,z_dim] and camera vectors [B,c_dim] to codes [B,num_ws,w_dim]."""

    w_avg: Tensor

    def __init__(self, config: GeneratorConfig, num_ws: int) -> None:
        super().__init__()
        self.config, self.num_ws = config.mapping, num_ws
        self.c_dim = config.c_dim
        width = config.mapping.hidden_dim or config.w_dim
        in_dim = config.z_dim
        if config.c_dim:
            self.embed = FullyConnected(config.c_dim, config.w_dim)
            in_dim += config.w_dim
        activation = "linear" if config.mapping.residual else config.mapping.activation
        dims = [in_dim] + [width] * (config.mapping.layers - 1) + [config.w_dim]
        for i, (before, after) in enumerate(pairwise(dims)):
            self.add_module(
                f"fc{i}", FullyConnected(before, after, config.mapping.lr_multiplier, activation=activation)
            )
        if config.mapping.residual:
            self.skip = FullyConnected(in_dim, config.w_dim)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self, z: Tensor, camera: Tensor | None = None, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Truncation pulls the first `truncation_cutoff` codes (all if None) towards the mean code."""
        x = z.float()
        if self.config.normalize:
            x = normalize_second_moment(x)
        if self.c_dim:
            if camera is None:
                raise ValueError("this generator needs conditioning cameras [B,25]")
            if self.config.fixed_camera is not None:
                camera = camera.new_tensor(self.config.fixed_camera).expand_as(camera)
            scale = 0.0 if self.config.ignore_camera else self.config.camera_scale
            x = torch.cat([x, normalize_second_moment(self.embed(camera.float() * scale))], 1)
        x = self._residual(x) if self.config.residual else self._plain(x)
        codes = x[:, None].repeat(1, self.num_ws, 1)
        if truncation != 1.0:
            pulled = self.w_avg + truncation * (codes[:, :truncation_cutoff] - self.w_avg)
            codes = torch.cat([pulled, codes[:, pulled.shape[1] :]], 1)
        return codes

    def _plain(self, x: Tensor) -> Tensor:
        for i in range(self.config.layers):
            x = self.get_submodule(f"fc{i}")(x)
        return x

    def _residual(self, z: Tensor) -> Tensor:
        x = F.silu(self.get_submodule("fc0")(z))
        for i in range(1, self.config.layers - 1):
            x = x + F.silu(self.get_submodule(f"fc{i}")(x))
        return self.get_submodule(f"fc{self.config.layers - 1}")(x) + self.skip(z)


class SynthesisNetwork(nn.Module):
    """Codes [B,num_ws,w_dim] to an image of 3 * plane_channels channels at plane_resolution.

    The block at resolution r uses (convs + 1) codes; its torgb shares a code with the first conv of the next block.

    Codes of W_tri (Oh and Jo 2023, section 3.2) have the vectors of the last block once for each plane: first those that
    come before, of which its first conv's is one, then three times the block's, then one that is read after the planes.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.resolutions = [2**i for i in range(2, config.plane_resolution.bit_length())]
        self.inject_resolution = config.inject_resolution
        self.half_precision = False
        previous = 0
        self.num_ws = 1
        for resolution in self.resolutions:
            channels = min(config.channel_base // resolution, config.channel_max)
            block = SynthesisBlock(
                previous, channels, config.w_dim, resolution, 3 * config.plane_channels,
                clamp=config.conv_clamp, noise=config.noise, activation=config.activation,
            )  # fmt: skip
            self.add_module(f"b{resolution}", block)
            self.num_ws += block.num_convs
            if resolution == config.inject_resolution:
                self.inject = FullyConnected(config.w_dim, channels * resolution * resolution, scale=0.3)
            previous = channels
            self.num_last = block.num_convs + 1

    def blocks(
        self, codes: Tensor, noise_mode: NoiseMode, resolutions: Sequence[int] | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Features and image of every resolution, or of the first `resolutions`, from coarse to fine."""
        x: Tensor | None = None
        image: Tensor | None = None
        outputs: list[tuple[Tensor, Tensor]] = []
        index = 0
        kind = torch.bfloat16 if self.half_precision and torch.is_grad_enabled() else torch.float32
        for resolution in self.resolutions if resolutions is None else resolutions:
            block = self._block(resolution)
            x, image = block(x, image, codes[:, index : index + block.num_convs + 1], noise_mode, kind)
            if resolution == self.inject_resolution:
                x = x + self.inject(codes[:, index]).reshape(x.shape).to(x.dtype)
            index += block.num_convs
            outputs.append((x, image))
        return outputs

    def _block(self, resolution: int) -> SynthesisBlock:
        block = self.get_submodule(f"b{resolution}")
        assert isinstance(block, SynthesisBlock)
        return block

    @property
    def origins(self) -> tuple[int, ...]:
        """The vector of W+ that each vector of W_tri stands for."""
        first, end = self.num_ws - self.num_last, self.num_ws
        return (*range(first + 1), *(*range(first, end),) * _PLANES, end - 1)

    def forward(self, codes: Tensor, noise_mode: NoiseMode = "const") -> Tensor:
        if codes.shape[1] == self.num_ws:
            return self.blocks(codes, noise_mode)[-1][1]
        *earlier, last = self.resolutions
        before = self.blocks(codes, noise_mode, earlier)
        x, image = before[-1] if before else (None, None)
        first = self.num_ws - self.num_last + 1
        apart = codes[:, first:-1].chunk(_PLANES, 1)
        # in turn rather than in one batch, which would round differently, and take as long
        images = [self._block(last)(x, image, own, noise_mode)[1] for own in apart]
        return torch.cat([each.chunk(_PLANES, 1)[plane] for plane, each in enumerate(images)], 1)


class Backbone(nn.Module):
    """Mapping and synthesis under the names of the public checkpoints."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.synthesis = SynthesisNetwork(config)
        self.mapping = MappingNetwork(config, self.synthesis.num_ws)
