"""Pickles read as data: nothing that a file names is ever imported or called.

Every class or function in a pickle becomes a `Symbol`: a record of what the file wanted to call, with which arguments
and which state. What the records mean is for their reader to say (see `tensors` and `eg3d`); a name that no known
format has is refused.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import IO, Any

import torch

from inv3d.core.errors import ModelError

_HINT = "import only checkpoints that EG3D's code or `torch.save` wrote; fetch the file again if it should be one"

_NAMES = frozenset(
    {
        "argparse.Namespace",
        "collections.OrderedDict",
        "dnnlib.util.EasyDict",
        "torch_utils.persistence._reconstruct_persistent_obj",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
        "torch.storage._load_from_bytes",
        "torch.device",
        "torch.Size",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
        "builtins.set",
    }
)
"""All functions and classes that the known formats call; see `_known` for the families beside them."""
_FAMILIES = ("torch.nn.modules.", "training.")
_DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


def refused(message: str) -> ModelError:
    """The error for a file that is not what it should be."""
    return ModelError(f"the checkpoint is refused: {message}", _HINT)


class Symbol:
    """What a file wanted: a name, the arguments of its call, the state set and the items put in afterwards."""

    name: str
    arguments: tuple[Any, ...]
    state: Any
    items: dict[Any, Any]

    def __new__(cls, *arguments: Any) -> Symbol:
        # not in __init__, which pickles of objects never call
        symbol = super().__new__(cls)
        symbol.arguments, symbol.state, symbol.items = arguments, None, {}
        return symbol

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value


@dataclass(frozen=True)
class Storage:
    """The numbers of a tensor, kept elsewhere in the file: their type, the key, how many."""

    dtype: torch.dtype
    key: str
    count: int


class Bounded:
    """A file as unpickling needs it; reads beyond the end raise EOFError before memory is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        here = file.tell()
        self.end = file.seek(0, io.SEEK_END)
        file.seek(here)

    def read(self, size: int) -> bytes:
        if size > self.end - self.file.tell():
            raise EOFError
        return self.file.read(size)

    def readline(self) -> bytes:
        return self.file.readline()


def _known(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    storage = module == "torch" and attribute in _DTYPES
    # a dot in the attribute would walk from the module to anything it has imported
    return name in _NAMES or storage or (module + ".").startswith(_FAMILIES)


# the pure Python reader, whose memo is a dictionary: the C one makes room for as many entries as a file claims
class _Unpickler(pickle._Unpickler):
    """Makes `Symbol`s; `find_class` is the only way by which a pickle gets hold of anything that can be called."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(Bounded(file))
        self.symbols: dict[str, type[Symbol]] = {}
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> type[Symbol]:
        full = f"{module}.{name}"
        if "." in name or not _known(full):
            raise refused(f"it wants to call {full[:80]!r}")
        if full not in self.symbols:
            # a class for this file alone: what a file does to it stays in the file
            self.symbols[full] = type(name, (Symbol,), {"name": full})
        return self.symbols[full]

    def persistent_load(self, pid: Any) -> Storage:
        match pid:
            case ("storage", type() as kind, str() as key, _, int() as count, *_) if issubclass(kind, Symbol):
                dtype = _DTYPES.get(kind.name.removeprefix("torch."))
                if dtype is not None and count >= 0:
                    return self.storages.setdefault(key, Storage(dtype, key, count))
        raise refused("it refers to something outside of itself")

    def get_extension(self, code: int) -> Any:
        raise refused("it uses registered extensions")


def read_pickle(file: IO[bytes]) -> tuple[Any, dict[str, Storage]]:
    """The next pickle of `file`, plain Python values with `Symbol`s in them, and the storages it refers to by key.

    Raises ModelError for names that no known format has and for anything that is not a whole pickle.
    """
    unpickler = _Unpickler(file)
    try:
        return unpickler.load(), unpickler.storages
    except ModelError:
        raise
    except (pickle.UnpicklingError, EOFError) as error:
        raise refused("it is damaged or cut off") from error
    except Exception as error:  # a damaged pickle fails in any way that Python can
        raise refused(f"it is damaged ({type(error).__name__})") from error


def expect(value: Any, name: str) -> Symbol:
    """`value` if it is a call of `name`. Raises ModelError."""
    if isinstance(value, Symbol) and value.name == name:
        return value
    raise refused(f"{name} was expected")
