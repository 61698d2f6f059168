"""The local branch of E3DGE: what a picture shows beyond the render of its code (sections 4.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from inv3d.core.camera import Camera
from inv3d.core.encoders.alignment import ResidualAligner
from inv3d.core.encoders.hourglass import HourGlassEncoder
from inv3d.core.generator import Detail, Generator, LocalFeatures, Render, Scene
from inv3d.core.generator.config import Side, Width
from inv3d.core.generator.detail import DetailFilm
from inv3d.core.records import STRICT
from inv3d.core.resampling import resize

_Few = Annotated[int, Field(ge=1, le=16)]


@dataclass(frozen=True)
class LocalConfig:
    """The defaults are those of the public networks; `decoded` belongs to the generator."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    decoded: Width = 32
    """Numbers that the generator decodes colours from (`Generator.decoded_features`)."""
    render_size: Side = 64
    """Side of the renders that pictures are compared with, for models without super-resolution."""
    input_size: Side = 256
    """Side of the maps that E_1 sees; points read the residual itself as it is."""
    stem: Width = 32
    widths: tuple[Width, Width, Width] = (64, 128, 256)
    """The last one is the number of features."""
    stacks: _Few = 4
    depth: _Few = 2
    groups: Annotated[int, Field(ge=1, le=64)] = 32
    aligner_size: Side = 256
    aligner_widths: tuple[Width, Width, Width, Width] = (16, 32, 48, 64)
    hidden: Width = 256
    """Width of the networks that points pass through."""
    aligns: bool = True
    """Whether the networks have learned to make use of aligned residuals."""
    projects: bool = True
    """Whether points read the picture's own residual, too, where they project to in it."""


def small_local(decoded: int) -> LocalConfig:
    """The local branch of the embedded model."""
    return LocalConfig(
        decoded=decoded, render_size=128, input_size=128, stem=8, widths=(16, 32, 32), stacks=1, groups=4,
        aligner_size=64, aligner_widths=(8, 16, 24, 32), hidden=32,
    )  # fmt: skip


class LocalBranch(nn.Module):
    """E_1, E_ADA, and the networks that add to a scene what they find."""

    def __init__(self, config: LocalConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = HourGlassEncoder(config.stem, config.widths, config.stacks, config.depth, config.groups)
        self.aligner = ResidualAligner(config.aligner_widths)
        self.film = DetailFilm(3 + config.widths[-1], config.decoded, config.hidden)

    def read(self, residual: Tensor, depth: Tensor, camera: Camera) -> LocalFeatures:
        """What the `residual` [B,3,R,R] of pictures and the `depth` maps [B,1,d,d] of their renders say (Eq. 7)."""
        size = self.config.input_size
        away = depth - camera.position.norm(dim=-1).reshape(-1, 1, 1, 1)
        features = self.encoder(resized(residual, size), resized(away, size)).float()
        return LocalFeatures(residual, features, depth, camera)

    def seen(self, residual: Tensor, depth: Tensor, camera: Camera) -> LocalFeatures:
        """What points read in the pictures themselves, as `read`; without `projects` it hides them all, so that they read
        aligned residuals alone."""
        found = self.read(residual, depth, camera)
        return found if self.config.projects else replace(found, depth=torch.zeros_like(depth))

    def align(self, residual: Tensor, render: Tensor) -> Tensor:
        """The `residual` [B,3,R,R] of a picture as it would look in a `render` [B,3,r,r] from elsewhere (section 4.3)."""
        size = self.config.aligner_size
        aligned = self.aligner(torch.cat([resized(residual, size), resized(render, size)], 1)).float()
        return resized(aligned, residual.shape[-1])

    @torch.no_grad()
    def drawn(self, generator: Generator, scene: Scene, cameras: Camera) -> Render:
        """A render that pictures are compared with."""
        size = self.config.render_size if generator.resolution == generator.raw_resolution else None
        return generator.render(scene, cameras, size, sparse=True)

    @torch.no_grad()
    def detail(
        self, generator: Generator, scene: Scene, images: Tensor, cameras: Camera, sides: Sequence[Camera] = ()
    ) -> Detail:
        """What `images` [B,3,R,R] seen by `cameras` show beyond a `scene`, with residuals aligned to other `sides` of B cameras each."""
        render = self.drawn(generator, scene, cameras)
        residual = residual_of(images, render.image)
        aligned = self._aligned(residual, lambda side: self.drawn(generator, scene, side), sides)
        return Detail(self.seen(residual, render.depth, cameras), self.film, aligned)

    @torch.no_grad()
    def realigned(self, detail: Detail, drawn: Callable[[Camera], Render]) -> Detail:
        """A `detail` that this branch has read, with its residuals aligned to other renders of the same sides, which
        `drawn` gives: those of the head after an edit (section 4.3)."""
        sides = [each.camera for each in detail.aligned]
        return replace(detail, aligned=self._aligned(detail.seen.residual, drawn, sides))

    def _aligned(
        self, residual: Tensor, drawn: Callable[[Camera], Render], sides: Iterable[Camera]
    ) -> tuple[LocalFeatures, ...]:
        renders = [(side, drawn(side)) for side in (sides if self.config.aligns else ())]
        return tuple(self.read(self.align(residual, there.image), there.depth, side) for side, there in renders)


def residual_of(images: Tensor, renders: Tensor) -> Tensor:
    """The difference of pictures [B,3,R,R] and renders [B,3,r,r], as large as the pictures."""
    return images - resized(renders, images.shape[-1])


def resized(maps: Tensor, size: int) -> Tensor:
    """[B,C,H,W] to [B,C,size,size]."""
    if maps.shape[-1] == size:
        return maps
    return resize(maps, (size, size), antialias=size < maps.shape[-1])
