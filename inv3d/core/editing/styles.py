"""Styles: changes of a model's weights that show every code as another kind of head, such as a stylised one of the same
person (toonification: Pinkney and Adler 2020; E3DGE, Lan et al. 2025, section 7.5).

A style lies beside the weights that it changes, in a few megabytes: large matrices change by products of narrow ones, and the
canonical planes on a coarser grid, in 8 bits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, ValidationError
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.errors import UsageError
from inv3d.core.files import write_whole
from inv3d.core.generator import Generator
from inv3d.core.records import Record, reason, shown
from inv3d.core.weights import Refuse, Shape, read_metadata, read_tensors, shapes_of

_BEGINNING, _ENDING = "style-", ".safetensors"
_KEY = "style"
_LEFT, _RIGHT, _COARSE, _SCALE = ":left", ":right", ":coarse", ":scale"
_MIDDLE = 128  # the byte that stands for no change
_LOST = 0.4
"""Share of a matrix' change, of its Frobenius norm, that narrow products may leave out."""


class _Header(Record):
    """The text in the header of the file of a style."""

    generator: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """The fingerprint of the generator whose weights change."""
    about: Annotated[str, Field(max_length=200)]


@dataclass(frozen=True)
class Style:
    """A `name`, what heads look like, and the `changes` of the weights of a generator, by their names."""

    name: str
    about: str
    changes: Mapping[str, Tensor]

    @torch.no_grad()
    def on(self, generator: Generator, strength: float) -> Generator:
        """A copy of a generator, which may be tuned to a person, in the style; a `strength` of 0.5 is half-way."""
        styled = copy.deepcopy(generator)
        weights = styled.state_dict()
        for name, change in self.changes.items():
            weights[name].add_(change.to(weights[name]), alpha=strength)
        return styled


@torch.no_grad()
def faded(generator: Generator, base: Generator, share: float) -> Generator:
    """A generator that was tuned from a `base`, with this share of what tuning has changed."""
    if generator is base or share == 1.0:
        return generator
    mixed, own = copy.deepcopy(base), generator.state_dict()
    for name, weight in mixed.state_dict().items():
        weight.lerp_(own[name], share)
    return mixed


def style_file(folder: Path, name: str) -> Path:
    """The file of a style in the `folder` of a model, existing or not."""
    return folder / f"{_BEGINNING}{name}{_ENDING}"


def style_names(folder: Path) -> list[str]:
    """The styles in the folder of a model."""
    found = (path.name for path in folder.glob(f"{_BEGINNING}*{_ENDING}"))
    return sorted(name.removeprefix(_BEGINNING).removesuffix(_ENDING) for name in found)


def save_style(path: Path, about: str, changes: Mapping[str, Tensor], fingerprint: str) -> None:
    """Write a style, whole or not at all: `changes` of the weights of the generator with this fingerprint, those of
    planes [3,C,S,S] on a grid that may be coarser than they are."""
    packed: dict[str, Tensor] = {}
    for name, change in changes.items():
        packed.update(_packed(name, change.detach().float().cpu()))
    text = _Header(generator=fingerprint, about=about).model_dump_json()
    with write_whole(path, replace=True) as part:
        part.write_bytes(save({name: each.contiguous() for name, each in packed.items()}, metadata={_KEY: text}))


def load_style(folder: Path, name: str, generator: Generator, fingerprint: str, refuse: Refuse) -> Style:
    """The style `name` of a model. Raises UsageError if there is none of this name; what `refuse` makes of the reason if the
    file is damaged, or made for another `generator`."""
    path = style_file(folder, name)
    names = style_names(folder)
    if name not in names:
        raise UsageError(
            f"the model '{shown(folder.name)}' has no style '{shown(name)}'",
            f"use {' or '.join(names)}" if names else "styles work with heads of demo; `inv3d train style` trains one",
        )
    try:
        header = _Header.model_validate_json(read_metadata(path, refuse).get(_KEY, ""))
    except ValidationError as error:
        raise refuse(reason(error)) from error
    if header.generator != fingerprint:
        raise refuse("it is for another version of the model")
    weights = shapes_of(generator)
    expected = dict(_shapes(weights))
    tensors = read_tensors(
        path, expected, refuse, optional=expected, pictures={name for name in expected if name.endswith(_COARSE)}
    )
    return Style(name, header.about, dict(_unpacked(tensors, weights, refuse)))


def _packed(name: str, change: Tensor) -> dict[str, Tensor]:
    if change.ndim == 4 and change.shape[0] == 3:  # planes, of which a texel is one number among millions
        scale = change.abs().amax((-2, -1)).clamp(min=1e-8)
        steps = change / scale[..., None, None] * (_MIDDLE - 1)
        return {name + _COARSE: (steps.round() + _MIDDLE).to(torch.uint8), name + _SCALE: scale}
    matrix = change.flatten(1) if change.ndim > 1 else change[None]
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = values.square().cumsum(0) / values.square().sum().clamp(min=1e-20)
    rank = min(int((kept < 1.0 - _LOST**2).sum()) + 1, len(values))
    if rank * sum(matrix.shape) >= matrix.numel():
        return {name: change.half()}
    root = values[:rank].sqrt()
    return {name + _LEFT: (left[:, :rank] * root).half(), name + _RIGHT: (root[:, None] * right[:rank]).half()}


def _shapes(weights: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    """Names and shapes of all tensors that a file may have for these weights."""
    for name, shape in weights.items():
        yield name, shape
        if len(shape) > 1:
            yield name + _LEFT, (shape[0], None)
            yield name + _RIGHT, (None, math.prod(size or 0 for size in shape[1:]))
        if len(shape) == 4:
            yield name + _COARSE, (*shape[:2], None, None)
            yield name + _SCALE, shape[:2]


def _unpacked(
    tensors: Mapping[str, Tensor], weights: Mapping[str, Shape], refuse: Refuse
) -> Iterator[tuple[str, Tensor]]:
    for name, shape in weights.items():
        size = [length or 0 for length in shape]
        if name in tensors:
            yield name, tensors[name]
        for first, second in ((_LEFT, _RIGHT), (_COARSE, _SCALE)):
            if (name + first in tensors) != (name + second in tensors):
                raise refuse(f"one of {name}{first} and {name}{second} is missing")
        if name + _LEFT in tensors:
            left, right = tensors[name + _LEFT], tensors[name + _RIGHT]
            if left.shape[1] != right.shape[0]:
                raise refuse(f"{name}{_LEFT} and {name}{_RIGHT} do not fit together")
            yield name, (left @ right).reshape(size)
        if name + _COARSE in tensors:
            change = (tensors[name + _COARSE].float() - _MIDDLE) / (_MIDDLE - 1) * tensors[name + _SCALE][..., None, None]
            yield name, F.interpolate(change, size[-2:], mode="bilinear", align_corners=False)
