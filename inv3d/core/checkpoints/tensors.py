"""Tensors of `torch.save` files, old (one stream) and new (a zip archive), rebuilt from their records.

Written for files from the internet: no size is trusted before it has been compared with the bytes in the file.
"""

from __future__ import annotations

import io
import math
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

import torch
from torch import Tensor

from inv3d.core.checkpoints.pickles import read_pickle
from inv3d.core.checkpoints.symbols import NESTED_STORAGE, TENSOR, Storage, Symbol, is_call, refused, shown
from inv3d.core.errors import ModelError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_SMALL_PICKLE = 1000
"""Instructions of a pickle that holds one number or one storage."""
_DIMENSIONS = 8
_TWICE = 16 << 20
"""Bytes of the storages that may be read more than once."""
_ZIP_LIST = 2 << 20
"""Bytes of the longest list of entries of a zip archive; that of a training snapshot takes 0.2 MB."""

Lookup = Callable[[Storage], Tensor]
"""Numbers [N] of a storage; every call reads them again."""


class Reader(Protocol):
    """Reads the tensors of one file, given what the file has in their place."""

    def holds(self, value: Any) -> bool:
        """Whether `value` stands for a tensor."""

    def shape(self, value: Any, name: str) -> tuple[int, ...]:
        """The shape that the tensor claims to have. Raises ModelError if `value` stands for none."""

    def read(self, value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor, contiguous and not shared. Raises ModelError unless it has `shape`."""


class TensorReader:
    """Rebuilds tensors of one file; `lookup` finds their numbers.

    Neither the tensors nor the storages that they are made of exceed the `size` of the file by much: a storage may
    serve two tensors.
    """

    def __init__(self, lookup: Lookup, size: int) -> None:
        self.lookup, self.left, self.storage_left = lookup, size + _TWICE, size + _TWICE
        self._held: dict[int | str, Tensor] = {}

    def holds(self, value: Any) -> bool:
        return is_tensor(value)

    def shape(self, value: Any, name: str) -> tuple[int, ...]:
        return _described(value, name)[2]

    def read(self, value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
        storage, offset, size, stride = _described(value, name)
        if size != shape:
            raise refused(f"{name} has shape {size}, not {shape}")
        numbers = self._numbers(storage)
        count = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else offset
        # a stride of zero could make a huge tensor of one number
        self.left -= count * numbers.element_size()
        if count > len(numbers) or (count and last >= len(numbers)) or self.left < 0:
            raise refused(f"{name} reaches beyond the numbers in the file")
        tensor = numbers.as_strided(size, stride, offset)
        if count == len(numbers) and tensor.is_contiguous():
            del self._held[_key(storage)]
            return tensor
        return tensor.clone(memory_format=torch.contiguous_format)

    def _numbers(self, storage: Any) -> Tensor:
        key = _key(storage)
        if key not in self._held:
            numbers = self.lookup(storage) if isinstance(storage, Storage) else _nested(storage)
            self.storage_left -= numbers.nbytes
            if self.storage_left < 0:
                raise refused("its storages claim more numbers than the file contains")
            self._held[key] = numbers
        return self._held[key]


def _key(storage: Any) -> int | str:
    return storage.key if isinstance(storage, Storage) else id(storage)


def is_tensor(value: Any) -> bool:
    """Whether `value` is the record of a tensor or of a parameter."""
    return is_call(_tensor(value), TENSOR)


def _tensor(value: Any) -> Any:
    """The tensor in a parameter, or in an instance of a subclass of tensors."""
    for _ in range(2):
        if isinstance(value, Symbol) and value.arguments:
            if value.name.full.startswith("torch._utils._rebuild_parameter"):
                value = value.arguments[0]
            elif value.name.ends("_rebuild_from_type_v2"):
                match value.arguments:
                    case (function, _, tuple() as arguments, _):
                        value = Symbol(function, arguments)
    return value


def _described(value: Any, name: str) -> tuple[Any, int, tuple[int, ...], tuple[int, ...]]:
    """Storage, offset, size and stride of a tensor or parameter."""
    tensor = _tensor(value)
    if not is_call(tensor, TENSOR):
        raise refused(f"{shown(name)} is not a tensor")
    match tensor.arguments:
        case (storage, int() as offset, tuple() as size, tuple() as stride, *_) if (
            len(size) == len(stride) <= _DIMENSIONS
            and offset >= 0
            and all(type(n) is int and 0 <= n < sys.maxsize for n in (*size, *stride))
        ):
            return storage, offset, size, stride
    raise refused(f"{shown(name)} is damaged")


def _nested(held: Any) -> Tensor:
    """The numbers of a storage that is a whole old file of its own, as in EG3D's pickles."""
    if is_call(held, NESTED_STORAGE):
        match held.arguments:
            case (bytes() as raw,):
                inner, lookup = read_stream(io.BytesIO(raw), _SMALL_PICKLE)
                if isinstance(inner, Storage):
                    return lookup(inner)
    raise refused("a storage is damaged")


def _numbers_of(raw: bytes, storage: Storage) -> Tensor:
    if len(raw) != storage.count * storage.dtype.itemsize:
        raise _short(storage)
    return torch.frombuffer(bytearray(raw), dtype=storage.dtype) if raw else torch.empty(0, dtype=storage.dtype)


def _short(storage: Storage) -> ModelError:
    return refused(f"a storage claims {storage.count} numbers, more than the file contains")


def read_stream(file: IO[bytes], steps: int | None = None) -> tuple[Any, Lookup]:
    """The object in an old `torch.save` file, of at most `steps` instructions, and where its storages are. The file stays
    in use. Raises ModelError."""
    if [read_pickle(file, _SMALL_PICKLE)[0] for _ in range(2)] != [LEGACY_MAGIC, _LEGACY_PROTOCOL]:
        raise refused("it is not a `torch.save` file")
    system, _ = read_pickle(file, _SMALL_PICKLE)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise refused("its numbers have another byte order")
    value, storages = read_pickle(file) if steps is None else read_pickle(file, steps)
    keys, _ = read_pickle(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(storages):
        raise refused("its list of storages is damaged")
    places, place = {}, file.tell()
    end = file.seek(0, io.SEEK_END)
    for key in keys:
        places[key] = place
        place += 8 + storages[key].count * storages[key].dtype.itemsize
        if place > end:
            raise _short(storages[key])

    def lookup(storage: Storage) -> Tensor:
        if storage.key not in places:
            raise refused("a storage is missing")
        file.seek(places[storage.key])
        # the count stands before the numbers once more
        if file.read(8) != struct.pack("<q", storage.count):
            raise _short(storage)
        return _numbers_of(file.read(storage.count * storage.dtype.itemsize), storage)

    return value, lookup


class _Listed:
    """A file for `zipfile`, which reads the list of all entries at once: too long a list is refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.most = file, _ZIP_LIST
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > self.most:
            raise zipfile.BadZipFile
        return self.file.read(size)


@contextmanager
def _damage() -> Iterator[None]:
    """Turn everything that `zipfile` raises for a damaged archive into one error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as error:
        raise refused("it is damaged or cut off") from error


def read_archive(file: IO[bytes]) -> tuple[Any, Lookup]:
    """The object in a zip file of `torch.save`, and where its storages are. Raises ModelError."""
    with _damage():
        listed = _Listed(file)
        archive = zipfile.ZipFile(listed)
        listed.most = sys.maxsize
        entries = {entry.filename: entry for entry in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in entries if name.split("/")[1:] == ["data.pkl"]]
    if not roots:
        raise ModelError(
            "the checkpoint is refused: it is a zip archive, but not a `torch.save` file",
            "if the checkpoint is in it, unpack it first",
        )
    if f"{roots[0]}constants.pkl" in entries:
        raise refused("it is a TorchScript file, which contains code")
    size = file.seek(0, io.SEEK_END)
    for name, entry in entries.items():
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise refused(f"its entry {shown(name)} points outside the file")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise refused("it is compressed, which `torch.save` never does")
        if entry.file_size > size:
            raise refused(f"its entry {shown(name)} claims to be larger than the file")

    def read(name: str) -> bytes:
        if name not in entries:
            raise refused(f"its entry {shown(name)} is missing")
        with _damage():
            return archive.read(entries[name])

    if len(roots) != 1:
        raise refused("it is not a `torch.save` file")
    root = roots[0]
    if f"{root}byteorder" in entries and read(f"{root}byteorder") != b"little":
        raise refused("its numbers have another byte order")
    value, _ = read_pickle(io.BytesIO(read(f"{root}data.pkl")))
    return value, lambda storage: _numbers_of(read(f"{root}data/{storage.key}"), storage)
