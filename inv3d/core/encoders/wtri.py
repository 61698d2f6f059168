"""The encoder into W_tri (Oh and Jo 2023): a picture is read beside the render of what was read so far, several times.

As in ReStyle (Alaluf et al. 2021) every pass reads what is to be added to the codes. One encoder reads the vectors of the
backbone, those of each plane among them, another one that of super-resolution; models without it have the first alone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from inv3d.core.camera import Camera
from inv3d.core.encoders import pyramid
from inv3d.core.encoders.local import resized
from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, build_encoder
from inv3d.core.generator import Generator
from inv3d.core.generator.config import Side
from inv3d.core.records import STRICT

_GUIDE_CELLS = 20  # per side of the guide to occupied space in the renders between passes
_PICTURES = 2


@dataclass(frozen=True)
class WtriConfig:
    """Sizes of the two encoders, and the passes. Codes may also be those of W+, for the paper's baseline."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    backbone: EncoderConfig
    superresolution: EncoderConfig | None = None
    passes: Annotated[int, Field(ge=1, le=64)] = 5
    render_size: Side | None = None
    """Rays per side of the renders between passes; None for the model's own pictures, with super-resolution."""

    def __post_init__(self) -> None:
        if self.superresolution is not None and self.superresolution.w_dim != self.backbone.w_dim:
            raise ValueError("w_dim should be the same for both encoders")

    @property
    def num_ws(self) -> int:
        """Vectors of a code."""
        return self.backbone.num_ws + (0 if self.superresolution is None else self.superresolution.num_ws)

    @property
    def w_dim(self) -> int:
        return self.backbone.w_dim

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def public_config(num_ws: int, w_dim: int, apart: bool) -> WtriConfig:
    """The encoder for EG3D models, with an encoder for the last of `num_ws` vectors `apart` or without."""
    backbone = EncoderConfig("coarsest", num_ws - apart, w_dim)
    return WtriConfig(backbone, EncoderConfig("finest", 1, w_dim) if apart else None)


def small_config(num_ws: int, w_dim: int) -> WtriConfig:
    """The encoder of the embedded model."""
    backbone = dataclasses.replace(pyramid.small_config(num_ws, w_dim), kind="coarsest")
    return WtriConfig(backbone, render_size=64)


class Wtri(nn.Module):
    """Aligned images [B,3,R,R] in [-1,1] beside renders of codes to what is to be added to the codes [B,num_ws,w_dim]."""

    def __init__(self, config: WtriConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_encoder(config.backbone, _PICTURES)
        upper = config.superresolution
        self.superresolution = None if upper is None else build_encoder(upper, _PICTURES)

    @property
    def _parts(self) -> list[Encoder]:
        return [self.backbone] if self.superresolution is None else [self.backbone, self.superresolution]

    @property
    def mean_code(self) -> Tensor:
        """The code [num_ws,w_dim] that the updates are added to."""
        return torch.cat([part.mean_code for part in self._parts])

    @mean_code.setter
    def mean_code(self, code: Tensor) -> None:
        for part, own in zip(self._parts, code.split([part.config.num_ws for part in self._parts]), strict=True):
            part.mean_code = own

    def forward(self, images: Tensor, renders: Tensor) -> Tensor:
        size = self.config.backbone.input_size
        pairs = torch.cat([resized(images, size), resized(renders, size)], 1)
        return torch.cat([part.read(part.levels(pairs)) for part in self._parts], 1)

    def encoded(self, generator: Generator, images: Tensor, cameras: Camera, passes: int | None = None) -> Tensor:
        """Codes [B,num_ws,w_dim] of images seen by `cameras` [B], from the mean code in so many passes (default: all), whose
        updates are added up. As in ReStyle a pass is not differentiated through those before it."""
        count, learning = passes or self.config.passes, torch.is_grad_enabled()
        codes = self.mean_code[None]
        for i in range(count):
            renders = self.drawn(generator, codes, cameras)
            with torch.set_grad_enabled(learning and i == count - 1):
                codes = codes + self(images, renders)
        return codes

    @torch.no_grad()
    def drawn(self, generator: Generator, codes: Tensor, cameras: Camera) -> Tensor:
        """Renders [B,3,r,r] that a pass reads, of B codes or one, from `cameras` [B]."""
        size = self.config.render_size
        scene = generator.scene(codes, guide_cells=_GUIDE_CELLS)
        return generator.render(scene, cameras, size, superresolution=size is None).image
