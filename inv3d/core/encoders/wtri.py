"""The encoder into W_tri (Oh and Jo 2023): a picture is read beside the render of what was read so far, several times.

As in ReStyle (Alaluf et al. 2021) every pass reads what is to be added to the codes; what would be read off the render in the
place of the picture is taken off, so that a head which looks like the picture stays. One encoder reads the vectors of the
backbone, those of each plane among them, another one that of super-resolution; models without it have the first alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from inv3d.core.camera import Camera
from inv3d.core.encoders import pyramid
from inv3d.core.encoders.local import resized
from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, PyramidEncoder, build_encoder
from inv3d.core.generator import Generator, Scene
from inv3d.core.records import STRICT

_GUIDE_CELLS = 16  # per side of the guide to occupied space in the renders between passes
_PICTURES = 2


@dataclass(frozen=True)
class WtriConfig:
    """Sizes of the two encoders, and the passes. Codes may also be those of W+, for the paper's baseline."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    backbone: EncoderConfig
    superresolution: EncoderConfig | None = None
    passes: Annotated[int, Field(ge=1, le=64)] = 5
    render_size: Annotated[int, Field(ge=8, le=1024)] | None = None
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
    """The encoder of the embedded model: with a pyramid, so that it can begin as the one into W+."""
    return WtriConfig(pyramid.small_config(num_ws, w_dim), render_size=40)


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
        images, renders = resized(images, size), resized(renders, size)
        pairs = torch.cat([torch.cat([images, renders]), torch.cat([renders, renders])], 1)
        wanted, there = torch.cat([part.read(part.levels(pairs)) for part in self._parts], 1).chunk(2)
        return wanted - there

    def begin_as(self, encoder: Encoder, origins: Sequence[int]) -> bool:
        """Read in every pass the difference of what an `encoder` into W+ reads off the picture and off the render, each alone: the
        passes are then of use without training. `origins` are the vectors of W+ that the vectors of a code stand for. False, and
        nothing has changed, if the sizes differ."""
        own = self.backbone
        fitting = dataclasses.replace(encoder.config, num_ws=own.config.num_ws)
        if not isinstance(own, PyramidEncoder) or not isinstance(encoder, PyramidEncoder) or fitting != own.config:
            return False
        for name in ("body", "latlayer1", "latlayer2"):
            own.get_submodule(name).load_state_dict(encoder.get_submodule(name).state_dict())
        for style, origin in zip(own.styles, origins, strict=True):
            style.load_state_dict(encoder.styles[origin].state_dict())
        stem = encoder.input_layer.state_dict()
        blind = torch.zeros_like(stem["0.weight"])  # to the second picture
        own.input_layer.load_state_dict({**stem, "0.weight": torch.cat([stem["0.weight"], blind], 1)})
        return True

    @torch.no_grad()
    def encoded(self, generator: Generator, images: Tensor, cameras: Camera, passes: int | None = None) -> Tensor:
        """Codes [B,num_ws,w_dim] of images seen by `cameras` [B], from the mean code in so many passes (default: all), whose
        updates are added up; after none, the mean code [1,num_ws,w_dim]."""
        codes = self.mean_code[None]
        for _ in range(self.config.passes if passes is None else passes):
            codes = codes + self.update(generator, self.scene(generator, codes), images, cameras)
        return codes

    def scene(self, generator: Generator, codes: Tensor) -> Scene:
        """What a pass looks at, of B codes or one."""
        return generator.scene(codes, guide_cells=_GUIDE_CELLS)

    def update(self, generator: Generator, scene: Scene, images: Tensor, cameras: Camera) -> Tensor:
        """What a pass adds [B,num_ws,w_dim] to the codes of a `scene`. As in ReStyle it is not differentiated through the render,
        and so not through the passes before it."""
        update: Tensor = self(images, self.drawn(generator, scene, cameras))
        return update

    @torch.no_grad()
    def drawn(self, generator: Generator, scene: Scene, cameras: Camera) -> Tensor:
        """Renders [B,3,r,r] that a pass reads, of a `scene` of B codes or one, from `cameras` [B]."""
        size = self.config.render_size
        return generator.render(scene, cameras, size, superresolution=size is None).image
