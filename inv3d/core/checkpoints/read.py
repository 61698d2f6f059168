"""Reading generators from pickles of EG3D's code, `torch.save` files and safetensors."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from inv3d.core.checkpoints.eg3d import (
    Checkpoint,
    Layout,
    around,
    fitting,
    is_weight,
    layout_of,
    plane_axes,
    shapes_of,
    with_axes,
)
from inv3d.core.checkpoints.families import family, sized
from inv3d.core.checkpoints.modules import Network, chosen, find_generator, of_weights, submodule
from inv3d.core.checkpoints.options import Options
from inv3d.core.checkpoints.pickles import read_pickle
from inv3d.core.checkpoints.sniff import LOOKED_AT, check_start
from inv3d.core.checkpoints.symbols import dictionary, refused, shown
from inv3d.core.checkpoints.tensors import LEGACY_MAGIC, Lookup, Reader, TensorReader, read_archive, read_stream
from inv3d.core.errors import ModelError
from inv3d.core.generator import GeneratorConfig
from inv3d.core.generator.config import PlaneAxes
from inv3d.core.weights import open_tensors

_OWN = "inv3d"
"""Key of a safetensors file's metadata under which `to_safetensors` keeps the layout."""
_LATER = ("z_dim", "c_dim", "w_dim", "img_resolution", "neural_rendering_resolution", "rendering_kwargs")
"""Attributes of a generator that override its init arguments, because they were used last."""
_AXES, _AXES_BUFFER = "plane_axes", "renderer.plane_axes"
_LONGEST_HEADER = 8 << 20
"""Bytes of a safetensors file's list of tensors; that of EG3D takes 30,000."""
_STATISTICS = "dataset_label_std"
"""A buffer of the training loop, on which no render depends."""


def read_checkpoint(path: Path, like: str | None = None) -> Checkpoint:
    """The generator in a file. Nothing of the file is executed.

    Takes `G_ema` of a pickle of EG3D's code or of a `torch.save` file, as a module or as bare weights, and safetensors.
    A file with only weights lacks the rendering options: it is of the family `like` (see `families`), unless it keeps
    init arguments beside them. Raises ModelError if the file is damaged, hostile or another model.
    """
    with opened(path) as (file, start, size):
        if start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= size - 8:
            return _of_safetensors(path, struct.unpack("<Q", start[:8])[0], like)
        value, reader = read_object(file, start, size)
        return _of_network(find_generator(value), reader, like)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], bytes, int]]:
    """A file, its first bytes and its size. Raises ModelError if it cannot be read or is of another kind."""
    hint = "give the path of a checkpoint"
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is not a file", hint)
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            check_start(path, start)
            yield file, start, size
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", hint) from error


def read_object(file: IO[bytes], start: bytes, size: int) -> tuple[Any, TensorReader]:
    """The content of a pickle or `torch.save` file as data, and the reader of its tensors. Raises ModelError."""
    value, lookup = read_archive(file) if start.startswith(b"PK\x03\x04") else _read_pickle(file)
    return value, TensorReader(lookup, size)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a `torch.save` file that contains only weights by name. Raises ModelError."""
    with opened(path) as (file, start, size):
        value, reader = read_object(file, start, size)
        found = {name: item for name, item in dictionary(value).items() if isinstance(name, str) and reader.holds(item)}
        return {name: reader.read(item, name, reader.shape(item, name)) for name, item in found.items()}


def to_safetensors(checkpoint: Checkpoint) -> bytes:
    """The bytes of a file that `read_checkpoint` reads back bit by bit, without `like`."""
    layout = {
        "config": checkpoint.layout.config.to_json(),
        "radius": checkpoint.layout.radius,
        "pivot": checkpoint.layout.pivot,
    }
    state = {name: tensor.contiguous() for name, tensor in checkpoint.state.items()}
    return save(state, metadata={_OWN: json.dumps(layout)})


def _read_pickle(file: IO[bytes]) -> tuple[Any, Lookup]:
    """What a pickle of EG3D's code or an old `torch.save` file holds, and where its storages are."""
    value, _ = read_pickle(file)
    if type(value) is int and value == LEGACY_MAGIC:
        file.seek(0)
        return read_stream(file)
    return value, _nowhere


def _nowhere(storage: Any) -> Tensor:
    raise refused("a storage is missing")


def _of_network(network: Network, reader: Reader, like: str | None, own: Layout | None = None) -> Checkpoint:
    """The generator that a file contains as a module or as weights, with everything that the file says about it."""
    shapes = {name: reader.shape(tensor, name) for name, tensor in network.tensors.items()}
    options, axes = _said(network, reader)
    if own is not None:
        layout = own
    elif options is not None:
        layout = layout_of(options, axes, shapes)
    else:
        layout = _like(like, shapes)
        if axes is not None:
            layout = Layout(with_axes(layout.config, axes), layout.radius, layout.pivot)
    wanted = shapes_of(layout.config)
    found, notes = _used(network, wanted)
    if like is not None and (own is not None or options is not None):
        notes = (f"the family {shown(like)} was not needed: the file has its own options", *notes)
    return Checkpoint(layout, fitting(wanted, found, reader.read), notes)


def _said(network: Network, reader: Reader) -> tuple[Options | None, PlaneAxes | None]:
    """The options of a generator and the axes of its planes, if the file has them."""
    values: dict[Any, Any] | None = None
    if network.is_module:
        later = {name: network.attributes[name] for name in _LATER if network.attributes.get(name) is not None}
        values = {**dictionary(network.attributes.get("_init_kwargs")), **later}
    else:
        values = _beside(network)
    options = None if values is None else Options(values, reader)
    places = [
        Options(submodule(network.attributes, "renderer"), reader),
        Options(network.attributes, reader),
        Options({_AXES: network.tensors.get(_AXES_BUFFER, network.tensors.get(_AXES))}, reader),
    ]
    if options is not None:
        places += [options.part("rendering_kwargs"), options]
    axes = next((plane_axes(place, _AXES) for place in places if _AXES in place), None)
    return options, axes


def _beside(network: Network) -> dict[Any, Any] | None:
    """Init arguments that a dictionary keeps beside the weights, best under a name like theirs (`G_init_kwargs`)."""
    own = next((name.rstrip(".") for name in reversed(network.path) if name), "")
    for outer in reversed(network.around):
        named = {key: item for key, item in outer.items() if isinstance(key, str)}
        kept = {key: item for key, item in named.items() if "rendering_kwargs" in dictionary(item)}
        if kept:
            best = next((key for key in kept if own and key.startswith(own)), next(iter(kept)))
            return dictionary(kept[best])
        if dictionary(outer.get("rendering_kwargs")):
            return outer
    return None


def _used(network: Network, wanted: dict[str, tuple[int, ...]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of a network belongs to the model or may be a weight, and a line on what else there is."""
    found, extra = {}, []
    for name, tensor in network.tensors.items():
        buffer = name in network.buffers if network.is_module else not is_weight(name)
        if name in wanted or not buffer:
            found[name] = tensor
        elif name not in (_STATISTICS, _AXES, _AXES_BUFFER):
            extra.append(name)
    notes = []
    if extra:
        notes.append(f"skipped {_some(extra)}: buffers on which no weight depends")
    if network.left_out:
        notes.append(f"skipped {_some(network.left_out)}: parts of other networks")
    return found, tuple(notes)


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return shown(names[0]) + more


def _like(name: str | None, shapes: dict[str, tuple[int, ...]]) -> Layout:
    if name is None:
        raise ModelError(
            "the file contains only weights, without the options that rendering needs",
            "name the model family, for instance --like ffhq",
        )
    layout = family(name)
    return Layout(sized(layout.config, shapes), layout.radius, layout.pivot)


@dataclass(frozen=True)
class _Entry:
    """A tensor in a safetensors file."""

    name: str


class _SafetensorsReader:
    """See `Reader`."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def holds(self, value: Any) -> bool:
        return isinstance(value, _Entry)

    def shape(self, value: _Entry, name: str) -> tuple[int, ...]:
        return tuple(self.file.get_slice(value.name).get_shape())

    def read(self, value: _Entry, name: str, shape: tuple[int, ...]) -> Tensor:
        if self.shape(value, name) != shape:
            raise refused(f"{name} has shape {self.shape(value, name)}, not {shape}")
        tensor: Tensor = self.file.get_tensor(value.name)
        return tensor


def _of_safetensors(path: Path, header: int, like: str | None) -> Checkpoint:
    if header > _LONGEST_HEADER:
        raise refused("its list of tensors is longer than that of any generator")
    try:
        with open_tensors(path) as file:
            own = (file.metadata() or {}).get(_OWN)
            tensors = {name: _Entry(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            found = list(of_weights(tensors))
            if not found:
                raise refused("it contains no generator")
            layout = None if own is None else _own_layout(own)
            return _of_network(chosen(found), _SafetensorsReader(file), like, layout)
    except SafetensorError as error:
        raise refused("it is damaged or cut off") from error


def _own_layout(text: str) -> Layout:
    try:
        data = json.loads(text)
        x, y, z = (float(v) for v in data["pivot"])
        return around(Layout(GeneratorConfig.from_json(data["config"]), float(data["radius"]), (x, y, z)))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise refused("its options are damaged") from error
