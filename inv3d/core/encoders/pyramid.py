"""Encoders of one aligned image into W+, under the names of their public weights (pSp, e4e, PREIM3D), and those of ReStyle,
which read a render beside the image.

All stand on the residual trunk of IR-SE50. `PyramidEncoder` reads every code off a level of a feature pyramid that suits
it: the first three off the coarsest, the next four off the middle, the others off the finest (Richardson et al. 2021);
`LastLayerEncoder` reads all off the coarsest level, as the published PREIM3D does, and so does `CoarsestEncoder`, with
convolutions for each code, as ReStyle's (Alaluf et al. 2021).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from inv3d.core.generator.config import Side, Width
from inv3d.core.generator.layers import FullyConnected
from inv3d.core.networks.arcface import SE50_UNITS, WIDTHS, residual_body, stem
from inv3d.core.records import STRICT
from inv3d.core.resampling import AveragePool, resize

Kind = Literal["pyramid", "finest", "offsets", "last-layer", "coarsest"]
"""`pyramid` is pSp, and `finest` the same with all codes off its finest level; `offsets` (e4e) reads one code for all and what
the others add to it; `last-layer` PREIM3D as published; `coarsest` ReStyle."""
_COARSE, _MIDDLE = 3, 7
_POOLED = 7
_SLOPE = 0.01

Channels = Annotated[int, Field(ge=16, le=4096)]
Units = Annotated[int, Field(ge=1, le=64)]


@dataclass(frozen=True)
class EncoderConfig:
    """The defaults are those of the public encoders of EG3D models."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    kind: Kind = "pyramid"
    num_ws: Annotated[int, Field(ge=1, le=64)] = 14
    w_dim: Width = 512
    input_size: Annotated[Side, Field(ge=64)] = 256
    widths: tuple[Channels, Channels, Channels, Channels] = WIDTHS
    units: tuple[Units, Units, Units, Units] = SE50_UNITS
    style_width: Width = 512
    """Channels between the pyramid and a code."""
    code_width: Width = 512
    """Size of the features that are mapped linearly to a code."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def small_config(num_ws: int, w_dim: int) -> EncoderConfig:
    """The encoder of the embedded model: the same topology, half the input, a fortieth of the weights."""
    return EncoderConfig(
        num_ws=num_ws, w_dim=w_dim, input_size=128, widths=(16, 32, 48, 48), units=(2, 2, 2, 2), style_width=32,
        code_width=64,
    )  # fmt: skip


class StyleBlock(nn.Module):
    """A map [B,C,size,size] to a code [B,w_dim]: convolutions halve its size down to one pixel."""

    def __init__(self, in_channels: int, config: EncoderConfig, size: int) -> None:
        super().__init__()
        steps = int(math.log2(size))
        channels = [in_channels, *[config.style_width] * (steps - 1), config.code_width]
        layers: list[nn.Module] = []
        for a, b in pairwise(channels):
            layers += [nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(_SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = FullyConnected(config.code_width, config.w_dim)

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.linear(self.convs(x).flatten(1))
        return code


class Encoder(nn.Module):
    """Aligned images [B,3*pictures,R,R] in [-1,1], so many `pictures` at a time one after the other, to codes
    [B,num_ws,w_dim]: what a subclass reads, plus the mean code."""

    mean_code: Tensor

    def __init__(self, config: EncoderConfig, pictures: int = 1) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean_code", torch.zeros(config.num_ws, config.w_dim), persistent=False)
        self.input_layer = stem(config.widths[0], 3 * pictures)
        self.body = residual_body(config.widths, config.units, squeeze=True)

    def levels(self, image: Tensor) -> list[Tensor]:
        """Features at a quarter, an eighth and a sixteenth of `input_size`."""
        size = self.config.input_size
        if image.shape[-1] != size:
            image = resize(image, (size, size), antialias=True)
        taps = [end - 1 for end in accumulate(self.config.units)][1:]
        x, levels = self.input_layer(image), []
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in taps:
                levels.append(x)
        return levels

    def read(self, levels: list[Tensor]) -> Tensor:
        """Codes [B,num_ws,w_dim] relative to the mean code."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        return self.mean_code + self.read(self.levels(image)).float()


class PyramidEncoder(Encoder):
    """pSp's GradualStyleEncoder and, as `offsets`, e4e's Encoder4Editing with all of its stages. Code i is read off the level
    `tiers[i]`, 0 for the coarsest."""

    def __init__(self, config: EncoderConfig, pictures: int = 1) -> None:
        super().__init__(config, pictures)
        _, fine, middle, coarse = config.widths
        self.tiers = [2 if config.kind == "finest" else _tier(row) for row in range(config.num_ws)]
        size = config.input_size // 16
        self.styles = nn.ModuleList(StyleBlock(coarse, config, size << tier) for tier in self.tiers)
        self.latlayer1 = nn.Conv2d(middle, coarse, 1)
        self.latlayer2 = nn.Conv2d(fine, coarse, 1)

    def read(self, levels: list[Tensor]) -> Tensor:
        fine, middle, coarse = levels
        second = _grown(coarse, middle) + self.latlayer1(middle)
        first = _grown(second, fine) + self.latlayer2(fine)
        maps = [(coarse, second, first)[tier] for tier in self.tiers]
        codes = torch.stack([style(x) for style, x in zip(self.styles, maps, strict=True)], 1)
        if self.config.kind == "offsets":
            codes = torch.cat([codes[:, :1], codes[:, :1] + codes[:, 1:]], 1)
        return codes


class LastLayerEncoder(Encoder):
    """The encoder of the published PREIM3D command (BackboneEncoderUsingLastLayerIntoWPlus): no pyramid."""

    def __init__(self, config: EncoderConfig, pictures: int = 1) -> None:
        super().__init__(config, pictures)
        channels, width = config.widths[-1], config.code_width
        self.output_layer_2 = nn.Sequential(
            nn.BatchNorm2d(channels), AveragePool(_POOLED), nn.Flatten(),
            nn.Linear(channels * _POOLED**2, width),
        )  # fmt: skip
        self.linear = FullyConnected(width, config.num_ws * config.w_dim)

    def read(self, levels: list[Tensor]) -> Tensor:
        codes: Tensor = self.linear(self.output_layer_2(levels[-1]))
        return codes.unflatten(1, (self.config.num_ws, self.config.w_dim))


class CoarsestEncoder(Encoder):
    """ReStyle's encoder for StyleGAN2 (its BackboneEncoder): no pyramid, but convolutions for each code."""

    def __init__(self, config: EncoderConfig, pictures: int = 1) -> None:
        super().__init__(config, pictures)
        size = config.input_size // 16
        self.styles = nn.ModuleList(StyleBlock(config.widths[-1], config, size) for _ in range(config.num_ws))

    def read(self, levels: list[Tensor]) -> Tensor:
        return torch.stack([style(levels[-1]) for style in self.styles], 1)


def _tier(row: int) -> int:
    """The level of the pyramid off which pSp reads a code."""
    return (row >= _COARSE) + (row >= _MIDDLE)


def _grown(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the size of `like`, as pSp does it."""
    return resize(x, (like.shape[-2], like.shape[-1]), align_corners=True)


def build_encoder(config: EncoderConfig, pictures: int = 1) -> Encoder:
    """The encoder of a `config`, with random weights, that reads so many `pictures` together."""
    kinds: dict[str, type[Encoder]] = {"last-layer": LastLayerEncoder, "coarsest": CoarsestEncoder}
    return kinds.get(config.kind, PyramidEncoder)(config, pictures)
