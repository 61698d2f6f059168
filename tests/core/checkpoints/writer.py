"""Writes checkpoints in every layout that public code has, without that code: a pickle writer that names classes and
functions as text, and the modules, dictionaries and archives that are made with it."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Storages = Literal["nested", "zip", "legacy"]
"""Where the numbers of tensors go: into the pickle (EG3D), into entries of an archive, or behind the pickle."""

_KINDS = {
    torch.float32: "FloatStorage", torch.float64: "DoubleStorage", torch.float16: "HalfStorage",
    torch.bfloat16: "BFloat16Storage", torch.int64: "LongStorage", torch.uint8: "ByteStorage",
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A class or function by its name."""

    module: str
    name: str


@dataclass(eq=False)
class Made:
    """What `maker` makes of `arguments` (as an object of a class if `new`), with a state and items put in afterwards."""

    maker: Named
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    new: bool = False


@dataclass(frozen=True)
class Outside:
    """Something that a pickle refers to by a persistent id."""

    pid: tuple[Any, ...]


@dataclass(frozen=True)
class Raw:
    """Instructions of a pickle as they are."""

    code: bytes


class Writer:
    """Writes values as a pickle of `protocol`; gathers the `storages` that go elsewhere."""

    def __init__(self, protocol: int, storages: Storages = "nested") -> None:
        self.protocol, self.place = protocol, storages
        self.storages: list[bytes] = []
        self.counts: list[int] = []

    def dump(self, value: Any) -> bytes:
        out = io.BytesIO()
        out.write(bytes([0x80, self.protocol]))
        self._put(out, value)
        out.write(b".")
        return out.getvalue()

    def _put(self, out: io.BytesIO, value: Any) -> None:
        for kinds, write in self._writers():
            if isinstance(value, kinds):
                write(out, value)
                return
        raise TypeError(f"{type(value)} is not written")

    def _writers(self) -> Iterable[tuple[Any, Callable[[io.BytesIO, Any], object]]]:
        return (
            (type(None), lambda out, value: out.write(b"N")),
            (bool, lambda out, value: out.write(b"\x88" if value else b"\x89")),
            (int, self._int),
            (float, lambda out, value: out.write(b"G" + struct.pack(">d", value))),
            (str, lambda out, value: out.write(b"X" + _counted("<I", value.encode("utf-8", "surrogatepass")))),
            (bytes, self._bytes),
            (Tensor, self._tensor),
            (Named, self._named),
            (Made, self._made),
            (Outside, self._outside),
            (Raw, lambda out, value: out.write(value.code)),
            (tuple, lambda out, value: self._many(out, b"(", value, b"t")),
            (list, lambda out, value: self._many(out, b"](", value, b"e")),
            (dict, lambda out, value: self._items(out, b"}", value)),
            (set | frozenset, self._set),
        )

    def _int(self, out: io.BytesIO, value: int) -> None:
        if -(1 << 31) <= value < 1 << 31:
            out.write(b"J" + struct.pack("<i", value))
        else:
            out.write(b"\x8a" + _counted("<B", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)))

    def _bytes(self, out: io.BytesIO, value: bytes) -> None:
        if self.protocol >= 3:
            out.write(b"B" + _counted("<I", value))
        else:
            self._put(out, Made(Named("_codecs", "encode"), (value.decode("latin-1"), "latin1")))

    def _named(self, out: io.BytesIO, value: Named) -> None:
        out.write(f"c{value.module}\n{value.name}\n".encode())

    def _class(self, out: io.BytesIO, value: Named) -> None:
        """Old files keep the source of every module's class beside its name."""
        if self.place == "legacy" and value.module.startswith(("training.", "torch.nn.")):
            self._put(out, Outside(("module", value, "/home/me/triplane.py", "raise SystemExit")))
        else:
            self._put(out, value)

    def _made(self, out: io.BytesIO, value: Made) -> None:
        (self._class if value.new else self._put)(out, value.maker)
        self._put(out, value.arguments)
        out.write(b"\x81" if value.new else b"R")
        if value.items:
            self._items(out, b"", value.items)
        if value.state is not None:
            self._put(out, value.state)
            out.write(b"b")

    def _outside(self, out: io.BytesIO, value: Outside) -> None:
        self._put(out, value.pid)
        out.write(b"Q")

    def _many(self, out: io.BytesIO, start: bytes, values: Iterable[Any], end: bytes) -> None:
        out.write(start)
        for value in values:
            self._put(out, value)
        out.write(end)

    def _items(self, out: io.BytesIO, start: bytes, items: dict[Any, Any]) -> None:
        self._many(out, start + b"(", (part for pair in items.items() for part in pair), b"u")

    def _set(self, out: io.BytesIO, value: set[Any]) -> None:
        if self.protocol >= 4:
            self._many(out, b"\x8f(", sorted(value), b"\x90")
        else:
            module = "__builtin__" if self.protocol == 2 else "builtins"
            self._put(out, Made(Named(module, "set"), (sorted(value),)))

    def _tensor(self, out: io.BytesIO, value: Tensor) -> None:
        self._put(out, rebuilt(self.storage(value), tuple(value.shape), tuple(value.contiguous().stride())))

    def storage(self, tensor: Tensor) -> Made | Outside:
        """The numbers of a tensor, wherever they go."""
        raw, count = raw_bytes(tensor), tensor.numel()
        kind = Named("torch", _KINDS[tensor.dtype])
        if self.place == "nested":
            inner = Writer(2, "legacy")
            inner.storages, inner.counts = [raw], [count]
            return nested(inner.stream(Outside(("storage", kind, "0", "cpu", count, None))))
        self.storages.append(raw)
        self.counts.append(count)
        key = str(len(self.storages) - 1)
        return Outside(("storage", kind, key, "cpu", count, *([None] if self.place == "legacy" else [])))

    def stream(self, value: Any) -> bytes:
        """An old `torch.save` file: four pickles, the list of storages, their numbers."""
        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        head = [Writer(2).dump(part) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
        body = self.dump(value)
        keys = Writer(2).dump([str(i) for i in range(len(self.storages))])
        tails = [struct.pack("<q", n) + raw for n, raw in zip(self.counts, self.storages, strict=True)]
        return b"".join([*head, body, keys, *tails])


def _counted(code: str, raw: bytes) -> bytes:
    return struct.pack(code, len(raw)) + raw


def raw_bytes(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def rebuilt(storage: Any, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Made:
    """The record of a tensor."""
    arguments = (storage, offset, size, stride, False, ordered({}))
    return Made(Named("torch._utils", "_rebuild_tensor_v2"), arguments)


def nested(raw: object) -> Made:
    """A storage that is a file in the pickle."""
    return Made(Named("torch.storage", "_load_from_bytes"), (raw,))


def parameter(tensor: Any) -> Made:
    return Made(Named("torch._utils", "_rebuild_parameter"), (tensor, True, ordered({})))


def ordered(items: dict[Any, Any]) -> Made:
    return Made(Named("collections", "OrderedDict"), (), None, items)


def easy(items: dict[Any, Any]) -> Made:
    return Made(Named("dnnlib.util", "EasyDict"), (), None, items, new=True)


def scalar(value: np.generic) -> Made:
    """A number of numpy."""
    return Made(Named("numpy.core.multiarray", "scalar"), (_dtype(value.dtype), value.tobytes()))


def array(values: np.ndarray) -> Made:
    """An array of numpy."""
    maker = Named("numpy.core.multiarray", "_reconstruct")
    fortran = bool(values.flags.f_contiguous and values.ndim > 1 and not values.flags.c_contiguous)
    state = (1, values.shape, _dtype(values.dtype), fortran, values.tobytes("F" if fortran else "C"))
    return Made(maker, (Named("numpy", "ndarray"), (0,), b"b"), state)


def _dtype(kind: np.dtype) -> Made:
    order = kind.str[0]
    return Made(Named("numpy", "dtype"), (kind.str[1:], False, True), (3, order, None, None, None, -1, -1, 0))


def persistent(attributes: dict[str, Any], name: str = "TriPlaneGenerator") -> Made:
    """A module that is kept with its source text and rebuilt by a call."""
    meta = easy(
        {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": name, "state": attributes}
    )
    return Made(Named("torch_utils.persistence", "_reconstruct_persistent_obj"), (meta,))


def plain(module: str, name: str, attributes: dict[str, Any]) -> Made:
    """A module that is kept without its source."""
    return Made(Named(module, name), (), attributes, new=True)


def of_module(parameters: dict[str, Any], buffers: dict[str, Any], modules: dict[str, Any]) -> dict[str, Any]:
    """The attributes that every `torch.nn.Module` has."""
    return {
        "training": False, "_parameters": ordered({n: parameter(p) for n, p in parameters.items()}),
        "_buffers": ordered(buffers), "_non_persistent_buffers_set": set(), "_backward_hooks": ordered({}),
        "_forward_hooks": ordered({}), "_modules": ordered(modules),
    }  # fmt: skip


def tree(state: dict[str, Any], parameters: set[str], prefix: str = "") -> dict[str, Any]:
    """The attributes of a module that holds `state`, those of `parameters` as parameters, and its submodules."""
    own = {name: value for name, value in state.items() if "." not in name}
    children = dict.fromkeys(name.partition(".")[0] for name in state if "." in name)
    modules: dict[str, Any] = {}
    for child in children:
        below = {name.partition(".")[2]: value for name, value in state.items() if name.partition(".")[0] == child}
        attributes = tree(below, parameters, f"{prefix}{child}.")
        if prefix + child == "decoder":
            modules[child] = plain("training.triplane", "OSGDecoder", attributes)
        elif prefix + child == "decoder.net":
            modules[child] = plain("torch.nn.modules.container", "Sequential", attributes)
        else:
            modules[child] = persistent({**attributes, "weight_gain": scalar(np.float64(0.5))}, "Module")
    is_parameter = {name: prefix + name in parameters for name in own}
    return of_module(
        {name: value for name, value in own.items() if is_parameter[name]},
        {name: value for name, value in own.items() if not is_parameter[name]},
        modules,
    )


def generator(
    state: dict[str, Any], parameters: set[str], options: dict[str, Any], axes: Any = None, **attributes: Any
) -> Made:
    """A generator as EG3D's code keeps it: its init arguments, and `attributes` that were set afterwards; `axes` are
    those of its renderer."""
    root = tree(state, parameters)
    renderer = of_module({}, {}, {}) | ({} if axes is None else {"plane_axes": axes})
    modules = {"renderer": plain("training.volumetric_rendering.renderer", "ImportanceRenderer", renderer)}
    root["_modules"] = ordered(modules | root["_modules"].items)
    init = {name: easy(value) if isinstance(value, dict) else value for name, value in options.items()}
    root |= {"_init_args": (), "_init_kwargs": easy(init), "_last_planes": None}
    root |= {name: options[name] for name in ("z_dim", "c_dim", "w_dim", "img_resolution") if name in options}
    return persistent(root | attributes)


def snapshot(g_ema: Any, others: Any = None) -> dict[str, Any]:
    """What the public training loop writes."""
    return {
        "training_set_kwargs": easy({"path": "data.zip"}),
        "G": others,
        "D": None,
        "G_ema": g_ema,
        "augment_pipe": None,
    }


def eg3d_pickle(path: Path, value: Any, protocol: int = 4) -> Path:
    """A pickle with all storages inside."""
    path.write_bytes(Writer(protocol).dump(value))
    return path


def torch_zip(path: Path, value: Any, root: str = "archive") -> Path:
    """What `torch.save` writes since PyTorch 1.6."""
    writer = Writer(2, "zip")
    entries = {"data.pkl": writer.dump(value)} | {f"data/{i}": raw for i, raw in enumerate(writer.storages)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in {**entries, "version": b"3\n"}.items():
            archive.writestr(f"{root}/{name}", raw)
    return path


def torch_stream(path: Path, value: Any) -> Path:
    """What `torch.save` wrote before PyTorch 1.6."""
    path.write_bytes(Writer(2, "legacy").stream(value))
    return path
