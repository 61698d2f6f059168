"""Finding networks in a file, stored as modules or as weights by name, and reading their content."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from inv3d.core.checkpoints.symbols import PERSISTENT, Symbol, dictionary, members, refused, shown
from inv3d.core.checkpoints.tensors import is_tensor

_MARKS = ("backbone.synthesis.", "backbone.mapping.", "decoder.net.", "superresolution.")
"""Prefixes of the names of the weights of EG3D's generator."""
_DEPTH = 4
"""The depth of dictionaries and wrapping modules to which a generator is searched."""
_MOST_LOOKED_AT = 300_000
"""Entries of dictionaries; a snapshot of EG3D has 10,000."""
_MOST_NETWORKS = 16
_MODULE_DEPTH, _LONGEST_NAME = 20, 200

_OTHERS = (
    (("bcg_synthesis.", "t_mapping."), "a generator with tri-grids (PanoHead, SphereHead), which is not supported"),
    (("renderer.network.", "pts_linears."), "a StyleSDF generator (also E3DGE's), which is not supported"),
    (("encoder.input_layer.", "encoder.body."), "an encoder; import it with: inv3d models import-encoder"),
    (("synthesis.b4.", "mapping.fc0."), "a StyleGAN generator of flat pictures, not of 3D heads"),
    (("b4.out.", "b4.fc."), "a discriminator but no generator"),
)
"""Names of weights that identify other models."""


@dataclass
class Network:
    """A network in a file: the names of the keys and modules that lead to it; records of its weights and of its buffers
    by name, separate if the file separates them (otherwise all are `weights`); its attributes; the dictionaries around it."""

    path: tuple[str, ...]
    weights: dict[str, Any]
    buffers: dict[str, Any] = field(default_factory=dict)
    attributes: dict[Any, Any] = field(default_factory=dict)
    around: tuple[dict[Any, Any], ...] = ()
    left_out: tuple[str, ...] = ()
    is_module: bool = False

    @property
    def tensors(self) -> dict[str, Any]:
        return {**self.weights, **self.buffers}


def find_generator(root: Any) -> Network:
    """The EG3D generator in the content of a file; the moving average (`G_ema`) if there are several.

    Raises ModelError, which says what the file contains instead, if there is none.
    """
    found = list(_networks(root))
    if not found:
        raise refused(_instead(root))
    return chosen(found)


def chosen(found: list[Network]) -> Network:
    """The moving average of several generators. Raises ModelError for one of a kind that is not supported."""
    # stable: of two alike the first one
    found.sort(key=lambda network: not any("ema" in name.lower() for name in network.path))
    for marks, what in _OTHERS[:1]:
        if any(mark in name for name in found[0].tensors for mark in marks):
            raise refused(f"it contains {what}")
    return found[0]


def attributes_of(module: Any) -> dict[Any, Any]:
    """The attributes of a module, kept with its source (persistent objects) or without; none for anything else."""
    if not isinstance(module, Symbol):
        return {}
    if module.name.ends(PERSISTENT) and len(module.arguments) == 1:
        return dictionary(dictionary(module.arguments[0]).get("state"))
    return dictionary(module.state)


def submodule(attributes: dict[Any, Any], name: str) -> dict[Any, Any]:
    """The attributes of a module in a module."""
    return attributes_of(dictionary(attributes.get("_modules")).get(name))


class _Walk:
    """Searches dictionaries and counts its steps: a small file can refer to one dictionary in thousands of places."""

    def __init__(self) -> None:
        self.left = _MOST_LOOKED_AT

    def into(self, value: Any) -> dict[str, Any]:
        """The entries of a dictionary whose keys are names."""
        items = dictionary(value)
        self.left -= 1 + len(items)
        if self.left < 0:
            raise refused("its modules and dictionaries contain each other")
        return {key: item for key, item in items.items() if isinstance(key, str)}


def _networks(root: Any) -> Iterator[Network]:
    """Every generator in nested dictionaries and modules."""
    walk, seen = _Walk(), set[int]()
    todo: deque[tuple[tuple[str, ...], Any, tuple[dict[Any, Any], ...]]] = deque([((), root, ())])
    while todo:
        path, value, around = todo.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        attributes = attributes_of(value)
        children = walk.into(attributes.get("_modules"))
        if "backbone" in children or "net" in walk.into(submodule(attributes, "decoder").get("_modules")):
            yield _of_module(path, value, walk, around)
            continue
        items = children or walk.into(value)
        tensors = {name: item for name, item in items.items() if is_tensor(item)}
        if tensors:
            yield from of_weights(tensors, path, (*around, items))
        if len(path) < _DEPTH:
            todo += [
                ((*path, key), item, around if children else (*around, items))
                for key, item in items.items()
                if isinstance(item, dict | Symbol) and not is_tensor(item)
            ]


def of_weights(
    tensors: dict[str, Any], path: tuple[str, ...] = (), around: tuple[dict[Any, Any], ...] = ()
) -> Iterator[Network]:
    """The generators in weights by name, whose names may begin with those of wrapping modules (`module.`, `G_ema.`)."""
    prefixes = dict.fromkeys(name[: name.rindex(mark)] for name in tensors for mark in _MARKS if mark in name)
    whole = [prefix for prefix in prefixes if prefix == "" or prefix.endswith(".")]
    if len(whole) > _MOST_NETWORKS:
        raise refused("it contains more networks than any checkpoint")
    for prefix in whole:
        own = {name.removeprefix(prefix): item for name, item in tensors.items() if name.startswith(prefix)}
        others = tuple(name for name in tensors if not name.startswith(prefix))
        yield Network((*path, prefix), own, around=around, left_out=others)


def _of_module(path: tuple[str, ...], root: Any, walk: _Walk, around: tuple[dict[Any, Any], ...]) -> Network:
    """All parameters and buffers below a module, by their full names, not rebuilt yet."""
    weights: dict[str, Any] = {}
    buffers: dict[str, Any] = {}
    todo: list[tuple[str, Any, int]] = [("", root, 0)]
    while todo:
        prefix, module, depth = todo.pop()
        own = walk.into(attributes_of(module))
        if not isinstance(module, Symbol) or depth > _MODULE_DEPTH or len(prefix) > _LONGEST_NAME:
            raise refused(f"its module {shown(prefix)} is damaged")
        passing = members(own.get("_non_persistent_buffers_set"))
        parameters, others = walk.into(own.get("_parameters")), walk.into(own.get("_buffers"))
        weights |= {f"{prefix}{name}": item for name, item in parameters.items() if item is not None}
        buffers |= {
            f"{prefix}{name}": item for name, item in others.items() if item is not None and name not in passing
        }
        children = walk.into(own.get("_modules"))
        todo += [(f"{prefix}{name}.", child, depth + 1) for name, child in children.items() if child is not None]
    return Network(path, weights, buffers, attributes_of(root), around, is_module=True)


def _instead(root: Any) -> str:
    """A description of a file that contains no EG3D generator."""
    names = [f"{name}." for name in _names(root)]
    for marks, what in _OTHERS:
        if any(name.startswith(mark) or f".{mark}" in name for name in names for mark in marks):
            return f"it contains {what}"
    return "it contains no generator (G_ema)"


def _names(root: Any) -> Iterator[str]:
    """Names in nested dictionaries and modules."""
    walk, seen = _Walk(), set[int]()
    todo: deque[tuple[str, Any]] = deque([("", root)])
    while todo:
        prefix, value = todo.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        attributes = attributes_of(value)
        items = walk.into(attributes.get("_modules")) | walk.into(attributes.get("_parameters")) or walk.into(value)
        for name, item in items.items():
            yield f"{prefix}{name}"[:_LONGEST_NAME]
            if isinstance(item, dict | Symbol) and not is_tensor(item) and prefix.count(".") < _DEPTH:
                todo.append((f"{prefix}{name}."[:_LONGEST_NAME], item))
