"""Options read from a file: numbers, flags and texts by name, each checked for its type and bounds."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from inv3d.core.checkpoints.symbols import (
    ARRAY,
    BUFFER_ARRAY,
    DTYPE,
    SCALAR,
    Symbol,
    dictionary,
    is_call,
    refused,
    shown,
)
from inv3d.core.checkpoints.tensors import Reader
from inv3d.core.errors import ModelError

_CODES = {
    "f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u8": "Q", "u4": "I", "u2": "H",
    "u1": "B", "b1": "?",
}  # fmt: skip
"""Types of numpy and their letters in `struct`."""
_MOST = 64
"""The size of the largest array that an option may be."""

Numbers = tuple[tuple[int, ...], tuple[float, ...]]
"""A shape, and that many finite numbers in C order."""


class Options:
    """Options that a file keeps in a dictionary, which may be of a subclass, with numbers as scalars, arrays or tensors.

    All methods raise ModelError, which names the option, for a value of another type or out of bounds, and for a
    missing one without a default.
    """

    def __init__(self, values: Any, reader: Reader) -> None:
        self.values, self._reader = dictionary(values), reader

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def part(self, name: str) -> Options:
        """The options nested in an option; none if it is missing."""
        if name in self and not isinstance(self.values[name], dict | Symbol):
            raise _wrong(name, "is not a dictionary")
        return Options(self.values.get(name), self._reader)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number from `low` to `high`."""
        return self.numbers(name, 1, low, high, None if default is None else (default,))[0]

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, low, high, default)
        if value != int(value):
            raise _wrong(name, "is not a whole number")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A flag, which may be written as 1 or 0."""
        return self.whole(name, 0, 1, int(default)) == 1

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        value = self.values[name] if name in self else default
        if value is None:
            raise _wrong(name, "is missing")
        if not isinstance(value, str):
            raise _wrong(name, "is not a text")
        return value

    def numbers(
        self, name: str, count: int, low: float, high: float, default: tuple[float, ...] | None = None
    ) -> tuple[float, ...]:
        """`count` numbers from `low` to `high`, in any shape."""
        if name not in self:
            if default is None:
                raise _wrong(name, "is missing")
            return default
        _, found = self.array(name)
        if len(found) != count:
            raise _wrong(name, f"has {len(found)} numbers, not {count}")
        if not all(low <= number <= high for number in found):
            raise _wrong(name, f"is not within {low:g} to {high:g}")
        return found

    def array(self, name: str) -> Numbers:
        """The finite numbers of an option that is a number, an array, a tensor, or lists of them."""
        try:
            shape, numbers = self._array(self.values[name])
        except (KeyError, IndexError, TypeError, ValueError, OverflowError, struct.error) as error:
            raise _wrong(name, "is not a number or an array of numbers") from error
        if not all(math.isfinite(number) for number in numbers):
            raise _wrong(name, "is not finite")
        return shape, numbers

    def _array(self, value: Any) -> Numbers:
        if isinstance(value, bool | int | float):
            return (), (float(value),)
        if isinstance(value, list | tuple):
            return self._nested(value)
        if self._reader.holds(value):
            shape = self._reader.shape(value, "an option")
            _few(shape)
            return shape, tuple(self._reader.read(value, "an option", shape).double().flatten().tolist())
        return _of_numpy(value)

    def _nested(self, values: list[Any] | tuple[Any, ...], depth: int = 0) -> Numbers:
        if len(values) > _MOST or depth > 3:
            raise ValueError
        parts = [
            self._nested(value, depth + 1) if isinstance(value, list | tuple) else self._array(value)
            for value in values
        ]
        if any(shape != parts[0][0] for shape, _ in parts):
            raise ValueError
        shape = (len(values), *(parts[0][0] if parts else ()))
        _few(shape)
        return shape, tuple(number for _, numbers in parts for number in numbers)


def _few(shape: tuple[int, ...]) -> None:
    if math.prod(shape) > _MOST:
        raise ValueError


def _of_numpy(value: Any) -> Numbers:
    """A scalar or an array of numpy."""
    if not isinstance(value, Symbol):
        raise TypeError
    if value.name.ends(SCALAR):
        kind, raw = value.arguments
        return (), _unpacked(kind, raw, 1)
    if value.name.ends(ARRAY):
        _, shape, kind, fortran, raw = value.state
    elif value.name.ends(BUFFER_ARRAY):
        raw, kind, shape, order = value.arguments
        fortran = order == "F"
    else:
        raise TypeError
    if not (isinstance(shape, tuple) and all(type(n) is int and 0 <= n <= _MOST for n in shape) and len(shape) <= 4):
        raise ValueError
    _few(shape)
    numbers = _unpacked(kind, raw, math.prod(shape))
    if fortran and len(shape) > 1:
        numbers = tuple(np.asarray(numbers).reshape(shape, order="F").flatten().tolist())
    return shape, numbers


def _unpacked(kind: Any, raw: Any, count: int) -> tuple[float, ...]:
    """`count` numbers of a numpy type from bytes."""
    if not (is_call(kind, DTYPE) and isinstance(kind.arguments[0], str) and isinstance(raw, bytes)):
        raise TypeError
    big = isinstance(kind.state, tuple) and len(kind.state) > 1 and kind.state[1] == ">"
    return tuple(map(float, struct.unpack(f"{'>' if big else '<'}{count}{_CODES[kind.arguments[0]]}", raw)))


def _wrong(name: str, what: str) -> ModelError:
    return refused(f"its option {shown(name)} {what}")
