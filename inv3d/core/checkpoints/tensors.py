"""Tensors of `torch.save` files, old (one stream) and new (a zip archive), rebuilt from their records.

Written for files from the internet: no size is believed before it is compared with the bytes that are there.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Callable
from typing import IO, Any

import torch
from torch import Tensor

from inv3d.core.checkpoints.symbols import Bounded, Storage, Symbol, expect, read_pickle, refused
from inv3d.core.errors import ModelError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

Lookup = Callable[[Storage], Tensor]
"""Numbers [N] of a storage."""


class TensorReader:
    """Rebuilds tensors of one file: `lookup` finds their numbers, `limit` is the most bytes that they may fill.

    No tensor is larger than its storage, and no storage is read twice, so `limit` is about the size of the file.
    """

    def __init__(self, lookup: Lookup, limit: int) -> None:
        self.lookup, self.left = lookup, limit
        self._held: dict[int, Tensor] = {}

    def read(self, value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor or parameter that `value` describes, a copy. Raises ModelError unless it has `shape`."""
        storage, offset, size, stride = _described(value, name)
        if size != shape:
            raise refused(f"{name} has shape {size}, not {shape}")
        numbers = self._numbers(storage)
        count = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else offset
        # a stride of zero could make a huge tensor of one number
        self.left -= count * numbers.element_size()
        if count > len(numbers) or (count and last >= len(numbers)) or self.left < 0:
            raise refused(f"{name} reaches beyond the numbers that the file holds")
        return numbers.as_strided(size, stride, offset).clone(memory_format=torch.contiguous_format)

    def _numbers(self, storage: Any) -> Tensor:
        if id(storage) not in self._held:
            outside = isinstance(storage, Storage)
            self._held[id(storage)] = (
                self.lookup(storage) if outside else _nested(expect(storage, "torch.storage._load_from_bytes"))
            )
        return self._held[id(storage)]


def declared_shape(value: Any, name: str) -> tuple[int, ...]:
    """The shape that a tensor or parameter claims to have. Raises ModelError if `value` describes none."""
    return _described(value, name)[2]


def _described(value: Any, name: str) -> tuple[Any, int, tuple[int, ...], tuple[int, ...]]:
    """Storage, offset, size and stride of a tensor or parameter."""
    if isinstance(value, Symbol) and value.name == "torch._utils._rebuild_parameter" and value.arguments:
        value = value.arguments[0]
    match expect(value, "torch._utils._rebuild_tensor_v2").arguments:
        case (storage, int() as offset, tuple() as size, tuple() as stride, *_) if (
            len(size) == len(stride) and offset >= 0 and all(type(n) is int and n >= 0 for n in (*size, *stride))
        ):
            return storage, offset, size, stride
    raise refused(f"{name[:80]} is damaged")


def _nested(held: Symbol) -> Tensor:
    """The numbers of a storage that is a whole old file of its own, as in EG3D's pickles."""
    match held.arguments:
        case (bytes() as raw,):
            inner, lookup = read_stream(io.BytesIO(raw))
            if isinstance(inner, Storage):
                return lookup(inner)
    raise refused("a storage is damaged")


def _from_bytes(raw: bytes, storage: Storage) -> Tensor:
    if len(raw) != storage.count * storage.dtype.itemsize:
        raise _short(storage)
    return torch.frombuffer(bytearray(raw), dtype=storage.dtype) if raw else torch.empty(0, dtype=storage.dtype)


def _short(storage: Storage) -> ModelError:
    return refused(f"a storage claims {storage.count} numbers, but the file does not hold them")


def read_stream(file: IO[bytes]) -> tuple[Any, Lookup]:
    """The object in an old `torch.save` file, and where its storages are. Raises ModelError."""
    if read_pickle(file)[0] != LEGACY_MAGIC or read_pickle(file)[0] != _LEGACY_PROTOCOL:
        raise refused("it is no file of `torch.save`")
    system, _ = read_pickle(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise refused("its numbers have another byte order")
    value, storages = read_pickle(file)
    keys, _ = read_pickle(file)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise refused("its list of storages is damaged")
    loaded, bounded = {}, Bounded(file)
    for key in keys:
        storage = storages[key]
        # the count stands before the numbers once more
        if file.read(8) != struct.pack("<q", storage.count):
            raise _short(storage)
        try:
            loaded[key] = _from_bytes(bounded.read(storage.count * storage.dtype.itemsize), storage)
        except EOFError as error:
            raise _short(storage) from error
    return value, lambda storage: loaded[storage.key]


def read_archive(file: IO[bytes]) -> tuple[Any, Lookup]:
    """The object in a zip file of `torch.save`, and where its storages are. Raises ModelError."""
    try:
        archive = zipfile.ZipFile(file)
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name, entry in entries.items():
            if name.startswith("/") or ".." in name.split("/") or "\\" in name:
                raise refused(f"its entry {name[:80]!r} points outside of it")
            if entry.compress_type != zipfile.ZIP_STORED:
                raise refused("it is packed, which `torch.save` never does")

        def read(name: str) -> bytes:
            if name not in entries:
                raise refused(f"its entry {name[:80]!r} is missing")
            return archive.read(entries[name])

        roots = [name.removesuffix("data.pkl") for name in entries if name.split("/")[1:] == ["data.pkl"]]
        if len(roots) != 1:
            raise refused("it is no file of `torch.save`")
        root = roots[0]
        if f"{root}byteorder" in entries and read(f"{root}byteorder") != b"little":
            raise refused("its numbers have another byte order")
        value, _ = read_pickle(io.BytesIO(read(f"{root}data.pkl")))
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise refused("it is damaged or cut off") from error

    def lookup(storage: Storage) -> Tensor:
        try:
            return _from_bytes(read(f"{root}data/{storage.key}"), storage)
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise refused("it is damaged or cut off") from error

    return value, lookup
