"""Sources of training data: people, stylised heads (`toons`), cats or chairs. All turn latents into rows of named parameters,
and draw them exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal, Protocol

import torch
from safetensors import safe_open
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.cats import parameters as cats
from inv3d.core.cats.cat import CAT
from inv3d.core.chairs import parameters as chairs
from inv3d.core.chairs.chair import CHAIR
from inv3d.core.people import backdrop as rooms
from inv3d.core.people import parameters as people
from inv3d.core.procedural import parameters as toons
from inv3d.core.procedural.kind import Kind
from inv3d.core.procedural.renderer import HeadRenderer, backdrop
from inv3d.core.procedural.samples import (
    HeadSamples,
    Patches,
    PixelSamples,
    sample_heads,
    sample_patches,
    sample_pixels,
)
from inv3d.core.procedural.toon import TOON

SourceName = Literal["toons", "people", "cats", "chairs"]


class Artist(Protocol):
    """Draws heads given as parameters [B,K]."""

    def pictures(
        self, parameters: Tensor, camera: Camera, resolution: int, supersample: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Pictures [B,3,R,R] in [-1,1] and coverage [B,1,R,R]; the generator draws what stands behind."""

    def points(self, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
        """Coloured surface points and signed distances."""

    def pixels(
        self, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
    ) -> PixelSamples:
        """Pixels of pictures in front of the parameters' own background."""

    def patches(
        self, parameters: Tensor, camera: Camera, count: int, side: int, size: int, generator: torch.Generator
    ) -> Patches:
        """Square patches of such pictures."""


class Source(ABC):
    """Latents and parameters of a kind of heads. `expression` stands for all that is not identity."""

    name: SourceName
    identity_dim: int
    expression_dim: int
    parameter_names: tuple[str, ...]
    shapes: int
    """The number of parameters, counted from the first, that move the surface; the others only colour or light it."""
    kept: tuple[str, ...]
    """Beginnings of the names of shapes that a lookalike shares: hair and what is worn."""

    things: bool = False
    """Whether these are things without a human face: their models are small, and borrow the networks that compare pictures."""
    all_round: bool = False
    """Whether training sees them from anywhere, and not mostly from the front."""
    distances: tuple[float, float] = (1.0, 1.0)
    """Nearest and furthest camera of wide pictures, in camera radii of the models."""

    @abstractmethod
    def parameters(self, z: Tensor, expression: Tensor) -> Tensor:
        """Parameters [B,K] of standard normal latents [B,I] and [B,E]."""

    @abstractmethod
    def backdrop(self, height: Tensor, parameters: Tensor) -> Tensor:
        """Colours [B,P,3] of the background at `height` [B,P] in the picture."""

    @abstractmethod
    def artist(self, compiled: bool) -> Artist:
        """A renderer of these heads; with `compiled` it may take a minute to start, but is faster."""

    def lookalikes(self, parameters: Tensor, others: Tensor) -> Tensor:
        """Heads [B,K] with the faces of `others` under the hair, wear, colours and light of `parameters`."""
        kept = [name.startswith(self.kept) or i >= self.shapes for i, name in enumerate(self.parameter_names)]
        return torch.where(torch.tensor(kept, device=parameters.device), parameters, others)

    def exchange_looks(self, parameters: Tensor, others: Tensor) -> Tensor:
        """Heads [B,K] of the shape of `parameters` with the colours, textures and lights of `others`."""
        return torch.cat([parameters[:, : self.shapes], others[:, self.shapes :]], 1)


class _Fields(Source):
    """Figures of a `kind`, that is a signed distance field with colours."""

    def __init__(self, name: SourceName, kind: Kind, shapes: int, kept: tuple[str, ...], things: bool = False) -> None:
        self.name, self.kind, self.shapes, self.kept, self.things = name, kind, shapes, kept, things
        self.identity_dim, self.expression_dim = kind.identity_dim, kind.expression_dim
        self.all_round = kind.all_round
        self.parameter_names = tuple(kind.parameters.index)

    def parameters(self, z: Tensor, expression: Tensor) -> Tensor:
        return self.kind.from_latents(z, expression)

    def backdrop(self, height: Tensor, parameters: Tensor) -> Tensor:
        return backdrop(height, self.kind.parameters(parameters))

    def artist(self, compiled: bool) -> Artist:
        return FieldArtist(HeadRenderer(compiled, self.kind))


class FieldArtist:
    """Draws figures by sphere tracing."""

    def __init__(self, renderer: HeadRenderer) -> None:
        self.renderer = renderer

    def pictures(
        self, parameters: Tensor, camera: Camera, resolution: int, supersample: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        render = self.renderer.render(parameters, camera, resolution, supersample)
        return render.image, render.alpha

    def points(self, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
        return sample_heads(self.renderer, parameters, count, generator)

    def pixels(
        self, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
    ) -> PixelSamples:
        return sample_pixels(self.renderer, parameters, camera, count, size, generator)

    def patches(
        self, parameters: Tensor, camera: Camera, count: int, side: int, size: int, generator: torch.Generator
    ) -> Patches:
        return sample_patches(self.renderer, parameters, camera, count, side, size, generator)


class People(Source):
    """Drawn people."""

    name: SourceName = "people"
    identity_dim, expression_dim = people.IDENTITY_DIM, people.LATENT_DIM - people.IDENTITY_DIM
    parameter_names, shapes = people.PARAMETER_NAMES, len(people.SHAPE_NAMES)
    kept = (
        "hair_", "fringe", "curl", "wave", "part", "comb", "recede", "crown", "tied", "shag", "moustache", "chin_beard",
        "cheek_beard", "glasses", "hat", "brim", "scarf", "earring", "hoop", "neckline", "collar", "hood",
    )  # fmt: skip
    distances = (0.35, 2.5)  # from a phone at arm's length to a long lens

    def parameters(self, z: Tensor, expression: Tensor) -> Tensor:
        return people.people_parameters(*people.split_latents(torch.cat([z, expression], 1)))

    def backdrop(self, height: Tensor, parameters: Tensor) -> Tensor:
        return rooms.backdrop(height, parameters)

    def artist(self, compiled: bool) -> Artist:
        """Raises UsageError without the extra `train`. Its kernels are always compiled."""
        from inv3d.core.people.store import people_basis

        basis = people_basis()
        from inv3d.core.people.artist import PeopleArtist
        from inv3d.core.people.renderer import PeopleRenderer

        return PeopleArtist(PeopleRenderer(basis))


PEOPLE = People()
TOONS = _Fields(
    "toons", TOON, len(toons.SHAPE_NAMES),
    ("hair_", "beard", "glasses", "sideburn", "nape", "parting", "head_", "curl", "bun", "hat", "brim", "collar"),
)  # fmt: skip
CATS = _Fields("cats", CAT, len(cats.SHAPE_NAMES), ("fluff", "neck", "collar", "bell"), things=True)
CHAIRS = _Fields("chairs", CHAIR, len(chairs.SHAPE_NAMES), ("cushion", "pad"), things=True)
SOURCES: dict[str, Source] = {source.name: source for source in (TOONS, PEOPLE, CATS, CHAIRS)}


def source_of(folder: Path, otherwise: Source = TOONS) -> Source:
    """The source of the shards in `folder`, recognised by the size of their latents; `otherwise` if there are none that
    were drawn."""
    by_width = {source.identity_dim: source for source in SOURCES.values()}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as shard:
            if "z" in shard.keys() and (width := shard.get_slice("z").get_shape()[1]) in by_width:  # noqa: SIM118
                return by_width[width]
    return otherwise
