"""The file of a head's local detail: what its picture shows, and the networks that make use of it."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from safetensors.torch import save
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.generator import Detail, Generator, LocalFeatures
from inv3d.core.generator.config import Width
from inv3d.core.generator.detail import DetailFilm
from inv3d.core.records import STRICT, reason
from inv3d.core.weights import Refuse, Shape, outline, read_metadata, shapes_of

Read = Callable[[Path, Mapping[str, Shape]], dict[str, Tensor]]
"""Reads the tensors of a file of these shapes."""
_KEY = "detail"
_SEEN, _ALIGNED, _FILM = "seen.", "aligned.", "film."


@dataclass(frozen=True)
class _Sizes:
    """The sizes of the networks."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    channels: Width
    features: Width
    hidden: Width


_SIZES: TypeAdapter[_Sizes] = TypeAdapter(_Sizes)


def save_detail(detail: Detail, path: Path) -> None:
    """Write the detail of one picture in float16, cameras in float32."""
    film = detail.film
    aligned = [_tensors(each) for each in detail.aligned] or [_tensors(detail.seen[[]])]
    tensors = {
        **{_SEEN + name: tensor for name, tensor in _tensors(detail.seen).items()},
        **{_ALIGNED + name: torch.cat([each[name] for each in aligned]) for name in aligned[0]},
        **{_FILM + name: tensor.half() for name, tensor in film.state_dict().items()},
    }
    sizes = _Sizes(film.channels, film.features, film.hidden)
    kept = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    path.write_bytes(save(kept, metadata={_KEY: json.dumps(dataclasses.asdict(sizes))}))


def load_detail(path: Path, generator: Generator, read: Read, refuse: Refuse) -> Detail:
    """Read what `save_detail` wrote. Raises what `refuse` makes of the reason if it is damaged or made for another
    generator."""
    try:
        sizes = _SIZES.validate_json(read_metadata(path, refuse).get(_KEY, ""))
    except ValidationError as error:
        raise refuse(reason(error)) from error
    if sizes.features != generator.decoded_features:
        raise refuse(f"its model decodes colours from {generator.decoded_features} numbers, not {sizes.features}")
    if sizes.channels <= 3:
        raise refuse("it has no features")
    film = outline(lambda: DetailFilm(sizes.channels, sizes.features, sizes.hidden))
    maps = {
        "residual": (3, None, None), "features": (sizes.channels - 3, None, None), "depth": (1, None, None),
        "cam2world": (4, 4), "intrinsics": (3, 3),
    }  # fmt: skip
    tensors = read(
        path,
        {
            **{_SEEN + name: (1, *shape) for name, shape in maps.items()},
            **{_ALIGNED + name: (None, *shape) for name, shape in maps.items()},
            **{_FILM + name: shape for name, shape in shapes_of(film).items()},
        },
    )
    counts = {len(tensors[_ALIGNED + name]) for name in maps}
    if len(counts) > 1:
        raise refuse("its aligned pictures are incomplete")
    film.load_state_dict(_named(tensors, _FILM), assign=True)
    aligned = _features(_named(tensors, _ALIGNED))
    return Detail(
        _features(_named(tensors, _SEEN)),
        film.eval().requires_grad_(False),
        tuple(aligned[[i]] for i in range(len(aligned))),
    )


def rounded(detail: Detail) -> Detail:
    """The detail as it will be after saving and loading."""
    film = copy.deepcopy(detail.film)
    film.load_state_dict({name: tensor.half().float() for name, tensor in film.state_dict().items()})

    def half(features: LocalFeatures) -> LocalFeatures:
        residual, found, depth = (each.half().float() for each in (features.residual, features.features, features.depth))
        return LocalFeatures(residual, found, depth, features.camera)

    return Detail(half(detail.seen), film, tuple(half(each) for each in detail.aligned))


def _tensors(features: LocalFeatures) -> dict[str, Tensor]:
    maps = {"residual": features.residual, "features": features.features, "depth": features.depth}
    return {**{name: tensor.half() for name, tensor in maps.items()}, **vars(features.camera)}


def _features(tensors: dict[str, Tensor]) -> LocalFeatures:
    camera = Camera(tensors.pop("cam2world"), tensors.pop("intrinsics"))
    return LocalFeatures(**tensors, camera=camera)


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
