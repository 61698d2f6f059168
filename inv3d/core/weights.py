"""Reading inv3d's own safetensors files: tensors are checked against their expected shapes before use."""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from inv3d.core.errors import Inv3dError
from inv3d.core.records import shown

Shape = tuple[int | None, ...]
"""Shape of a tensor; None stands for any length up to `MOST_ROWS`."""
Refuse = Callable[[str], Inv3dError]
"""Makes the error for a file that is refused, from the reason."""
Module = TypeVar("Module", bound=nn.Module)

MOST_ROWS = 4096
_LARGEST_HEADER = 4 << 20  # bytes; that of a full-size encoder has 60 kB
_LARGEST = 1 << 29  # numbers; a full-size generator has 31 million
_FLOATS, _WHOLE, _BYTES = ("F16", "BF16", "F64", "F32"), ("I64",), ("U8",)


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """`safetensors.safe_open`, even for a file whose name is not UTF-8. Raises SafetensorError, OSError."""
    with ExitStack() as opened:
        try:
            str(path).encode()
        except UnicodeEncodeError:  # safetensors does not accept such a name: pass it the open file
            path = Path(f"/dev/fd/{opened.enter_context(path.open('rb')).fileno()}")
        yield opened.enter_context(safe_open(path, "pt"))


@contextmanager
def _checked(path: Path, refuse: Refuse) -> Iterator[Any]:
    """`open_tensors` of a regular file with a plausible header. Raises what `refuse` makes of the reason, also if the file
    turns out to be damaged while it is read."""
    try:
        _check_header(path, refuse)
        with open_tensors(path) as file:
            yield file
    except FileNotFoundError as error:
        raise refuse("it is missing") from error
    except OSError as error:
        raise refuse(error.strerror or "it cannot be read") from error
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise refuse("it is damaged or cut off") from error


def read_tensors(
    path: Path,
    expected: Mapping[str, Shape],
    refuse: Refuse,
    optional: Container[str] = (),
    whole: Container[str] = (),
    pictures: Container[str] = (),
) -> dict[str, Tensor]:
    """The tensors of a file: those that are `expected`, less some of the `optional` ones; in float32, or in int64 those
    of `whole` numbers, or in uint8 the `pictures`.

    Raises what `refuse` makes of the reason if the file is missing, damaged, no regular file, or if a tensor is missing,
    unknown, of another shape, not of floating-point numbers, or contains NaN or infinity. Nothing is read before all shapes fit.
    """
    with _checked(path, refuse) as file:
        names = list(file.keys())
        _check_names(names, expected, optional, refuse)
        for name in names:
            part = file.get_slice(name)
            kinds = _WHOLE if name in whole else _BYTES if name in pictures else _FLOATS
            if (kind := part.get_dtype()) not in kinds:
                raise refuse(f"{name} contains {kind}, not {kinds[-1]} numbers")
            if not _fits(shape := tuple(part.get_shape()), expected[name]):
                raise refuse(f"{name} has shape {list(shape)}, not {_described(expected[name])}")
        return {name: _numbers(file.get_tensor(name), name, refuse) for name in names}


def read_metadata(path: Path, refuse: Refuse) -> dict[str, str]:
    """The texts in the header of a file. Raises what `refuse` makes of the reason."""
    with _checked(path, refuse) as file:
        return file.metadata() or {}


def has_tensor(path: Path, name: str, refuse: Refuse) -> bool:
    """Whether a file contains a tensor of this name. Raises what `refuse` makes of the reason."""
    with _checked(path, refuse) as file:
        return name in file.keys()  # noqa: SIM118  (no mapping)


def shapes_of(module: nn.Module) -> dict[str, Shape]:
    """Names and shapes of all parameters and buffers that a module saves."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


class _Unfilled(TorchFunctionMode):
    """Leaves out what fills new tensors: on the meta device it would do nothing but import a compiler, for seconds."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.randn:
            return torch.empty(*args, **(kwargs or {}))
        if (
            function in (Tensor.uniform_, Tensor.normal_, Tensor.mul)
            or getattr(function, "__module__", "") == nn.init.__name__
        ):
            return (kwargs or {}).get("tensor", args[0] if args else None)
        return function(*args, **(kwargs or {}))


def outline(make: Callable[[], Module]) -> Module:
    """The module that `make` creates, with all shapes but without memory for its tensors (torch's meta device)."""
    with torch.device("meta"), _Unfilled():
        return make()


def load_module(make: Callable[[], Module], path: Path, refuse: Refuse, device: torch.device | str) -> Module:
    """The module that `make` creates, with the weights of a file, ready for use. `refuse` as in `read_tensors`.

    No memory is allocated before the file is known to contain all tensors.
    """
    module = outline(make)
    tensors: dict[str, Tensor] = module.state_dict()
    if sum(tensor.numel() for tensor in tensors.values()) > _LARGEST:
        raise refuse("it claims to be larger than any model")
    whole = {name for name, tensor in tensors.items() if not tensor.is_floating_point()}
    module.load_state_dict(read_tensors(path, shapes_of(module), refuse, whole=whole), assign=True)
    return module.eval().requires_grad_(False).to(device)


def _check_header(path: Path, refuse: Refuse) -> None:
    if not path.is_file():
        raise refuse("it is not a file" if path.exists() else "it is missing")
    with path.open("rb") as file:
        start = file.read(8)
    if len(start) < 8 or struct.unpack("<Q", start)[0] > _LARGEST_HEADER:
        raise refuse("it is damaged or cut off")


def _check_names(names: list[str], expected: Mapping[str, Shape], optional: Container[str], refuse: Refuse) -> None:
    for name in names:
        if name not in expected:
            raise refuse(f"{shown(name)} is unknown")
    missing = [name for name in expected if name not in names and name not in optional]
    if missing:
        raise refuse(f"{missing[0]} is missing")


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        size <= MOST_ROWS if wanted is None else size == wanted for size, wanted in zip(shape, expected, strict=True)
    )


def _described(expected: Shape) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in expected)}]"


def _numbers(tensor: Tensor, name: str, refuse: Refuse) -> Tensor:
    # a copy: the file may change while its memory map is in use
    numbers = tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True).contiguous()
    if not bool(torch.isfinite(numbers).all()):
        raise refuse(f"{name} contains NaN or infinity")
    return numbers
