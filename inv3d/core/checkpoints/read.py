"""Any file that holds a generator: pickles of EG3D's code, `torch.save` files, safetensors."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from inv3d.core.checkpoints.eg3d import (
    Checkpoint,
    Layout,
    bounded,
    dictionary,
    fitting,
    layout_of,
    of_module,
    shapes_of,
)
from inv3d.core.checkpoints.families import family, sized
from inv3d.core.checkpoints.symbols import Symbol, read_pickle, refused
from inv3d.core.checkpoints.tensors import LEGACY_MAGIC, Lookup, TensorReader, declared_shape, read_archive, read_stream
from inv3d.core.errors import ModelError
from inv3d.core.generator import GeneratorConfig

_OWN = "inv3d"
"""Key of a safetensors file's metadata under which `to_safetensors` keeps the layout."""
_WEIGHTS = ("G_ema", "state_dict")
"""Under which of these a dictionary keeps the weights, if it is not made of them."""


def read_checkpoint(path: Path, like: str | None = None) -> Checkpoint:
    """The generator in a file. Nothing of the file is executed.

    Takes `G_ema` of a pickle of EG3D's code or of a `torch.save` file, as a module or as bare weights, and safetensors.
    Bare weights do not say how they are rendered: they are of the family `like` (see `families`), unless the file keeps
    init arguments beside them. Raises ModelError if the file is damaged, hostile or another model.
    """
    with opened(path) as (file, start, size):
        if start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] <= size - 8:
            return _of_safetensors(path, like)
        value, reader = read_object(file, start, size)
        return _of_value(value, reader, like)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], bytes, int]]:
    """A file, its first bytes and its size. Raises ModelError if it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            yield file, start, size
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", "give the path of a checkpoint") from error


def read_object(file: IO[bytes], start: bytes, size: int) -> tuple[Any, TensorReader]:
    """What a pickle or a `torch.save` file holds, as data, and who reads its tensors. Raises ModelError."""
    value, lookup = read_archive(file) if start.startswith(b"PK\x03\x04") else _read_pickle(file)
    return value, TensorReader(lookup, size)


def to_safetensors(checkpoint: Checkpoint) -> bytes:
    """A file that `read_checkpoint` reads again to the bit, without a word on its family."""
    layout = {**asdict(checkpoint.layout), "config": checkpoint.layout.config.to_json()}
    state = {name: tensor.contiguous() for name, tensor in checkpoint.state.items()}
    return save(state, metadata={_OWN: json.dumps(layout)})


def _read_pickle(file: IO[bytes]) -> tuple[Any, Lookup]:
    """What a pickle of EG3D's code or an old `torch.save` file holds, and where its storages are."""
    value, _ = read_pickle(file)
    if value == LEGACY_MAGIC:
        file.seek(0)
        return read_stream(file)
    return value, _nowhere


def _of_value(value: Any, reader: TensorReader, like: str | None) -> Checkpoint:
    root = dictionary(value)
    generator = next((root[key] for key in _WEIGHTS if root.get(key) is not None), value)
    weights = dictionary(generator)
    if isinstance(generator, Symbol) and not weights:
        return of_module(generator, reader)
    if not weights:
        raise refused("it holds no generator (G_ema)")
    shapes = {str(name): declared_shape(tensor, str(name)) for name, tensor in weights.items()}
    layout = layout_of(root["init_kwargs"]) if "init_kwargs" in root else _like(like, shapes)
    return Checkpoint(layout, fitting(shapes_of(layout.config), weights, reader.read))


def _nowhere(storage: Any) -> Tensor:
    raise refused("a storage is missing")


def _like(name: str | None, shapes: dict[str, tuple[int, ...]]) -> Layout:
    if name is None:
        raise ModelError(
            "the file holds bare weights, which do not say how they are rendered",
            "say which family of models they are, for instance --like ffhq",
        )
    layout = family(name)
    return Layout(sized(layout.config, shapes), layout.radius, layout.pivot)


def _of_safetensors(path: Path, like: str | None) -> Checkpoint:
    try:
        with safe_open(path, "pt") as file:
            own = (file.metadata() or {}).get(_OWN)
            names = {name: name for name in file.keys()}  # noqa: SIM118 - not a dictionary
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            layout = _like(like, shapes) if own is None else _own_layout(own)

            def read(found: str, name: str, shape: tuple[int, ...]) -> Tensor:
                if shapes[found] != shape:
                    raise refused(f"{name} has shape {shapes[found]}, not {shape}")
                tensor: Tensor = file.get_tensor(found)
                return tensor

            return Checkpoint(layout, fitting(shapes_of(layout.config), names, read))
    except SafetensorError as error:
        raise refused("it is damaged or cut off") from error


def _own_layout(text: str) -> Layout:
    try:
        data = json.loads(text)
        x, y, z = (float(v) for v in data["pivot"])
        return Layout(bounded(GeneratorConfig.from_json(data["config"])), float(data["radius"]), (x, y, z))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise refused("its options are damaged") from error
