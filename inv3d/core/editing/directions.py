"""Directions: named displacements of codes, such as `smile` or `age`, saved with a model or found in its codes.

One step along a direction changes its attribute by one standard deviation of the model's heads, the others held fixed. How
far a code has gone already is read off by a linear function, the normal of a boundary (InterFaceGAN, Shen et al. 2020).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, ValidationError
from safetensors.torch import save
from torch import Tensor

from inv3d.core.codes import CodeStatistics
from inv3d.core.editing.traits import Trait
from inv3d.core.errors import UsageError
from inv3d.core.files import write_whole
from inv3d.core.records import Record, reason, shown
from inv3d.core.weights import MOST_ROWS, Refuse, Shape, read_metadata, read_tensors

FILE = "directions.safetensors"
MARGIN = 3.0
"""Standard deviations that an edit may leave the model's own heads by: beyond, pictures break."""
_USUAL = 3.0  # standard deviations along a component within which nearly all heads lie
_MOST_COMPONENTS = 80
_MOST = 256  # directions of a model


@dataclass(frozen=True)
class Direction:
    """A displacement `step` [w_dim] of the vectors in a `span` of a code (all of them if None) that is worth one standard
    deviation of the attribute; `normal` [w_dim] and `offset` read the attribute off a vector; the model's own heads lie
    between `low` and `high`. `about` says what grows.

    One of W+ has another step and another normal for each vector of a whole code: [num_ws,w_dim].
    """

    name: str
    about: str
    span: str | None
    step: Tensor
    normal: Tensor
    offset: float
    low: float
    high: float

    def reading(self, vectors: Tensor, first: int = 0) -> float:
        """How many standard deviations vectors [...,w_dim], of which the `first` of a code comes first, lie from the model's
        mean, on average."""
        normal = self.normal if self.normal.ndim == 1 else self.normal[first : first + vectors.shape[-2]]
        return float((vectors * normal).sum(-1).mean()) + self.offset

    def steps(self, first: int, last: int) -> Tensor:
        """The steps [w_dim] or [n,w_dim] of the vectors `first` to `last` of a code."""
        return self.step if self.step.ndim == 1 else self.step[first : last + 1]

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest reading that the model holds."""
        return self.low - MARGIN, self.high + MARGIN


class Line(Record):
    """What a file of directions says of one in words."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    about: Annotated[str, Field(max_length=200)]
    span: Literal["shape", "looks"] | None
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 1
    """How many vectors its tensors have: one, or one for each of a code; of a part of a trait, one for each parameter."""


class _Lines(Record):
    """The text in the header of a file of directions."""

    generator: Annotated[str, Field(max_length=64)]
    lines: Annotated[tuple[Line, ...], Field(max_length=_MOST)]
    traits: Annotated[tuple[Line, ...], Field(max_length=64)] = ()


@dataclass(frozen=True)
class Directions:
    """The directions of a model, by name, in the order in which they are listed, and its traits."""

    all: tuple[Direction, ...]
    traits: tuple[Trait, ...] = ()

    def __iter__(self) -> Iterator[Direction]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, name: str) -> Direction:
        """Raises UsageError that names those with the most similar names."""
        for direction in self.all:
            if direction.name == name:
                return direction
        names = [direction.name for direction in self.all]
        near = difflib.get_close_matches(name.lower(), names, 3, 0.5) or [
            each.name for each in self.all if name.lower() in each.about
        ]
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise UsageError(f"there is no direction '{shown(name)}'", f"{hint}`inv3d edit HEAD --list` shows all")

    def with_more(self, more: Sequence[Direction], replace: bool) -> Directions:
        """These and more; those of the same names are replaced. Raises UsageError if that may not be, if two of the new ones
        have the same name, or if there are too many."""
        names = [each.name for each in more]
        if twice := [name for i, name in enumerate(names) if name in names[:i]]:
            raise UsageError(f"there are two directions '{twice[0]}'", "import them one by one, with --as")
        if (taken := [each.name for each in self.all if each.name in names]) and not replace:
            raise UsageError(f"the model already has a direction '{taken[0]}'", "use --force to replace it, or --as")
        found = (*(each for each in self.all if each.name not in names), *more)
        if len(found) > _MOST:
            raise UsageError(f"a model has at most {_MOST} directions, not {len(found)}", "import fewer")
        return Directions(found, self.traits)

    def save(self, path: Path, generator: str) -> None:
        """Write the directions found for the weights with the fingerprint `generator`, in float16. Raises OSError."""
        dims = self.all[0].step.shape[-1]
        steps, normals = ([getattr(each, name).reshape(-1, dims) for each in self.all] for name in ("step", "normal"))
        lines = tuple(
            Line(name=each.name, about=each.about, span=each.span, rows=len(rows))  # type: ignore[arg-type]
            for each, rows in zip(self.all, steps, strict=True)
        )
        tensors = {
            "steps": torch.cat(steps).half(),
            "normals": torch.cat(normals),
            "ranges": torch.tensor([[each.offset, each.low, each.high] for each in self.all]),
        }
        traits = tuple(
            Line(name=each.name, about=each.about, span=each.span, rows=len(each.steps))  # type: ignore[arg-type]
            for each in self.traits
        )
        if self.traits:
            tensors["trait_steps"] = torch.cat([each.steps for each in self.traits]).half()
            tensors["trait_normals"] = torch.cat([each.normals for each in self.traits]).half()
        text = _Lines(generator=generator, lines=lines, traits=traits).model_dump_json()
        with write_whole(path, replace=True) as part:
            part.write_bytes(save({name: tensor.cpu() for name, tensor in tensors.items()}, metadata={"lines": text}))

    @staticmethod
    def load(
        path: Path, generator: str, w_dim: int, refuse: Refuse, device: torch.device | str = "cpu"
    ) -> Directions | None:
        """Of a model whose weights have the fingerprint `generator`; None if there is no file, or one of other weights.

        Raises what `refuse` makes of the reason.
        """
        if not path.exists():
            return None
        try:
            said = _Lines.model_validate_json(read_metadata(path, refuse).get("lines", ""))
        except ValidationError as error:
            raise refuse(reason(error)) from error
        counts = [line.rows for line in said.lines]
        shapes: dict[str, Shape] = {name: (sum(counts), w_dim) for name in ("steps", "normals")}
        rows = [line.rows for line in said.traits]
        if rows:
            shapes |= {name: (sum(rows), w_dim) for name in ("trait_steps", "trait_normals")}
        tensors = read_tensors(path, shapes | {"ranges": (len(said.lines), 3)}, refuse)
        if said.generator != generator:
            return None
        steps, normals = (
            [rows[0] if len(rows) == 1 else rows for rows in tensors[name].to(device).split(counts)]
            for name in ("steps", "normals")
        )
        return Directions(
            tuple(
                Direction(line.name, line.about, line.span, steps[i], normals[i], *tensors["ranges"][i].tolist())
                for i, line in enumerate(said.lines)
            ),
            _traits(said.traits, {name: tensor.to(device) for name, tensor in tensors.items()}),
        )


def _traits(lines: tuple[Line, ...], tensors: dict[str, Tensor]) -> tuple[Trait, ...]:
    """The traits that lines describe, from the rows of all."""
    if not lines:
        return ()
    rows = [line.rows for line in lines]
    parts = zip(lines, tensors["trait_steps"].split(rows), tensors["trait_normals"].split(rows), strict=True)
    return tuple(Trait(line.name, line.about, line.span, steps, normals) for line, steps, normals in parts)


def component(statistics: CodeStatistics, number: int) -> Direction:
    """Principal component `number`, from 0, of the codes w (GANSpace, Härkönen et al. 2020). Raises UsageError if there are
    fewer."""
    count = min(_MOST_COMPONENTS, len(statistics.scales))
    if not 0 <= number < count:
        raise UsageError(f"there is no component {number}", f"use --component with a number from 0 to {count - 1}")
    axis, scale = statistics.directions[number], statistics.scales[number]
    normal = axis / scale
    return Direction(
        f"component-{number}", "a principal component of the model's codes", None, axis * scale, normal,
        -float(statistics.mean @ normal), -_USUAL, _USUAL,
    )  # fmt: skip
