"""The content of a pickle as plain data: names that are never looked up, and records of the calls with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import torch

from inv3d.core.errors import ModelError

_HINT = "import only checkpoints written by EG3D's code or `torch.save`; if this is one, download it again"

DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
"""The storage classes of `torch` that can be read, and their types."""
ORDERED_DICT, EASY_DICT, NAMESPACE = "collections.OrderedDict", "EasyDict", "argparse.Namespace"
PERSISTENT = "_reconstruct_persistent_obj"
PARAMETER = "torch._utils._rebuild_parameter"
TENSOR = "torch._utils._rebuild_tensor_v2"
NESTED_STORAGE = "torch.storage._load_from_bytes"
SETS = ("builtins.set", "builtins.frozenset")
DTYPE, SCALAR, ARRAY, BUFFER_ARRAY = "numpy.dtype", "scalar", "_reconstruct", "_frombuffer"

_NAMES = frozenset(
    {
        ORDERED_DICT, NAMESPACE, PARAMETER, "torch._utils._rebuild_parameter_with_state", TENSOR, NESTED_STORAGE, *SETS,
        "easydict.EasyDict", "collections.defaultdict", "builtins.dict", "builtins.list", "builtins.slice",
        "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath",
        "torch.device", "torch.Size", "torch.Tensor", "torch.nn.parameter.Parameter",
        "torch._tensor._rebuild_from_type_v2", DTYPE, "numpy.ndarray",
        *(f"numpy.{core}.{name}" for core in ("core", "_core")
          for name in ("multiarray.scalar", "multiarray._reconstruct", "numeric._frombuffer")),
        *(f"torch.{name}" for name in DTYPES),
        *(f"torch.{name}" for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")),
    }
)  # fmt: skip
"""All functions and classes that the known formats use, apart from the modules of networks."""
_MODULES = re.compile(r"torch\.nn\.(modules|parallel)(\.\w+)+|(\w+\.)*(training|torch_utils|dnnlib)(\.\w+)+")
"""Classes of networks: those of PyTorch, and those of EG3D's code, wherever a project keeps its copy of it."""
_MOST_MEMBERS = 100
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules of Python 2, whose names pickles up to protocol 2 still use."""


def refused(message: str) -> ModelError:
    """The error for a file that is not what it should be."""
    return ModelError(f"the checkpoint is refused: {message}", _HINT)


def shown(text: str) -> str:
    """A name from a file, shortened and quoted for one line of a terminal."""
    return ascii(text[:80])


@dataclass(frozen=True)
class Name:
    """A function or class that a file names; it is never looked up."""

    full: str

    def ends(self, name: str) -> bool:
        """Whether it is `name`, in whichever module."""
        return self.full.rpartition(".")[2] == name


@dataclass(eq=False)
class Symbol:
    """An object that a file describes: its function or class, the arguments, the state, and items added afterwards."""

    name: Name
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Storage:
    """The numbers of a tensor, kept elsewhere in the file: their type, the key, how many."""

    dtype: torch.dtype
    key: str
    count: int


def known_name(module: str, attribute: str) -> Name:
    """The name of something that a known format uses. Raises ModelError for all others."""
    full = f"{_PYTHON_2.get(module, module)}.{attribute}"
    # a dot in the attribute would walk from the module to anything that it has imported
    if full not in _NAMES and ("." in attribute or not _MODULES.fullmatch(full)):
        raise refused(f"it would call {shown(full)}")
    return Name(full)


def is_call(value: Any, name: str) -> bool:
    """Whether `value` was to be made by the function or class of this full name."""
    return isinstance(value, Symbol) and value.name.full == name


def dictionary(value: Any) -> dict[Any, Any]:
    """A dictionary, or the record of one of its subclasses; empty for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Symbol) and (value.name.full == ORDERED_DICT or value.name.ends(EASY_DICT)):
        return value.items
    return {}


def members(value: Any) -> frozenset[str]:
    """The texts in a small set, list or tuple, or in what a file has as a set. Raises ModelError for a large one."""
    if isinstance(value, Symbol) and value.name.full in SETS and value.arguments:
        value = value.arguments[0]
    if isinstance(value, set | list | tuple) and len(value) > _MOST_MEMBERS:
        raise refused("it contains a larger set than any module")
    return frozenset(m for m in value if isinstance(m, str)) if isinstance(value, set | list | tuple) else frozenset()
