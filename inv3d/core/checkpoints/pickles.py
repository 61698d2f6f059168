"""Reading pickles as data: nothing that a file names is ever imported or called.

A pickle is a program for a small machine with a stack. This is that machine without its way out: where Python's would
look up a class and call it, a `Symbol` records what was requested. The reader interprets these records (see
`tensors`, `options` and `eg3d`). Memory and time are bounded by the size of the file and a fixed number of steps.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import IO, Any

from inv3d.core.checkpoints.symbols import DTYPES, Name, Storage, Symbol, known_name, refused

_STEPS = 250_000
"""Most instructions of a pickle; that of a whole training snapshot of EG3D has 50,000."""
_TEXT, _ALL_TEXT = 1 << 20, 1 << 24
"""Longest text, and all texts of a pickle together: in memory a text can take four times its bytes."""
_NUMERIC_KEYS = 10_000
"""Numbers as keys of dictionaries; more of them, chosen so that their hashes collide, could take hours."""
_SMALL = 1 << 60

_MARK = object()


class Bounded:
    """A file whose reads raise EOFError beyond its end, before memory is allocated."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        here = file.tell()
        self.left = file.seek(0, io.SEEK_END) - here
        file.seek(here)

    def read(self, size: int) -> bytes:
        if size > self.left:
            raise EOFError
        self.left -= size
        return self.file.read(size)

    def number(self, code: str) -> Any:
        """A number of `struct`'s type `code`."""
        return struct.unpack(code, self.read(struct.calcsize(code)))[0]

    def line(self) -> str:
        """Text up to the end of a line."""
        raw = self.file.readline(min(self.left, 1000))
        self.left -= len(raw)
        if not raw.endswith(b"\n"):
            raise EOFError
        return raw[:-1].decode("utf-8")


def read_pickle(file: IO[bytes], steps: int = _STEPS) -> tuple[Any, dict[str, Storage]]:
    """The next pickle of `file`, plain Python values with `Name`s and `Symbol`s in them, and the storages it refers to
    by key.

    Raises ModelError for names that no known format has, for anything that is not a whole pickle of protocol 2 to 5, and
    for one of more than `steps` instructions.
    """
    machine = _Machine(Bounded(file))
    try:
        return machine.run(steps), machine.storages
    except EOFError as error:
        raise refused("it is damaged or cut off") from error
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise refused(f"it is damaged ({type(error).__name__})") from error


class _Machine:
    """The stack, the memo and what was read of one pickle. `storages` are those that it refers to."""

    def __init__(self, file: Bounded) -> None:
        self.file = file
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.text_left, self.keys_left = _ALL_TEXT, _NUMERIC_KEYS

    def run(self, steps: int) -> Any:
        """The value that the pickle leaves on the stack."""
        read = self.file.read
        for _ in range(steps):
            code = read(1)[0]
            if code == _STOP:
                return self._pop()
            action = _ACTIONS.get(code)
            if action is None:
                raise refused(f"it is not a pickle of a known kind (code {code:#04x})")
            action(self)
        raise refused("it has more parts than any generator")

    def _pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark is not a value")
        return value

    def _top(self) -> Any:
        if self.stack[-1] is _MARK:
            raise ValueError("a mark is not a value")
        return self.stack[-1]

    def _since_mark(self) -> list[Any]:
        """All values above the last mark, which goes with them."""
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def keep(self, index: int) -> None:
        """Store the top of the stack in the memo."""
        self.memo[index] = self._top()

    def taken(self, size: int) -> tuple[Any, ...]:
        """Pop the topmost values of the stack."""
        return tuple(reversed([self._pop() for _ in range(size)]))

    def text(self, size: int, encoding: str) -> str:
        """Text of so many bytes."""
        self.text_left -= size
        if size > _TEXT or self.text_left < 0:
            raise refused("it contains more text than any generator")
        return self.file.read(size).decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")

    def _mark(self) -> None:
        self.stack.append(_MARK)

    def _drop(self) -> None:
        self.stack.pop()

    def _drop_to_mark(self) -> None:
        self._since_mark()

    def _twice(self) -> None:
        self.stack.append(self._top())

    def _long(self) -> None:
        self.stack.append(int.from_bytes(self.file.read(self.file.number("<B")), "little", signed=True))

    def _protocol(self) -> None:
        if self.file.number("<B") > 5:
            raise refused("it uses a newer pickle protocol")

    def _frame(self) -> None:
        if self.file.number("<Q") > self.file.left:
            raise EOFError

    def _memoize(self) -> None:
        self.keep(len(self.memo))

    def _empty_list(self) -> None:
        self.stack.append([])

    def _empty_dict(self) -> None:
        self.stack.append({})

    def _empty_set(self) -> None:
        self.stack.append(set())

    def _tuple(self) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _list(self) -> None:
        self.stack.append(self._since_mark())

    def _dict(self) -> None:
        values = self._since_mark()
        self.stack.append({})
        self._put(values)

    def _append(self) -> None:
        value = self._pop()
        self._extend([value])

    def _appends(self) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Symbol):  # items put into a subclass of a list are not needed
            raise TypeError

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._put([key, value])

    def _set_items(self) -> None:
        self._put(self._since_mark())

    def _put(self, values: list[Any]) -> None:
        """Keys and values, in turn, into the dictionary on the stack."""
        target = self._top()
        items = target.items if isinstance(target, Symbol) else target
        if not isinstance(items, dict):
            raise TypeError
        for key, value in zip(values[::2], values[1::2], strict=True):
            items[self._key(key)] = value

    def _add_items(self) -> None:
        values, target = self._since_mark(), self._top()
        if not isinstance(target, set):
            raise TypeError
        target.update(self._key(value) for value in values)

    def _frozen_set(self) -> None:
        self.stack.append({self._key(value) for value in self._since_mark()})

    def _key(self, value: Any) -> Any:
        """`value` if it can be hashed at once: hashing nested tuples may take forever."""
        if type(value) in (int, float):
            self.keys_left -= 1
            if self.keys_left < 0 or not -_SMALL < value < _SMALL:
                raise refused("its numbers are too many or too large to be keys")
        elif not isinstance(value, str | bytes | bool | Name | Symbol | None):
            raise refused(f"it uses a {type(value).__name__} as a key, which no known format does")
        return value

    def _global(self) -> None:
        module, attribute = self.file.line(), self.file.line()
        self._named(module, attribute)

    def _stack_global(self) -> None:
        attribute, module = self._pop(), self._pop()
        self._named(module, attribute)

    def _named(self, module: Any, attribute: Any) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise TypeError
        # the only function that is carried out: old protocols write bytes as text
        self.stack.append(_ENCODE if (module, attribute) == ("_codecs", "encode") else known_name(module, attribute))

    def _call(self) -> None:
        arguments, name = self._pop(), self._pop()
        if not (isinstance(name, Name) and isinstance(arguments, tuple)):
            raise TypeError
        if name is not _ENCODE:
            self.stack.append(Symbol(name, arguments))
            return
        match arguments:
            case (str() as text, "latin1" | "latin-1"):
                self.stack.append(text.encode("latin-1"))
            case _:
                raise ValueError

    def _call_with_keywords(self) -> None:
        self._pop()
        self._call()

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if not isinstance(target, Symbol):
            raise TypeError
        target.state = state

    def _outside(self) -> None:
        """A storage, or in old files the class of a module together with its source text."""
        match self._pop():
            case ("storage", Name() as kind, str() as key, _, int() as count, *rest) if rest in ([], [None]):
                dtype = DTYPES.get(kind.full.removeprefix("torch."))
                if dtype is not None and count >= 0:
                    self.stack.append(self.storages.setdefault(key, Storage(dtype, key, count)))
                    return
            case ("module", Name() as kind, *_):
                self.stack.append(kind)
                return
        raise refused("it refers to something outside the file")

    def _extension(self) -> None:
        raise refused("it uses registered extensions")


Action = Callable[[_Machine], None]


def _pushing(value: Any) -> Action:
    return lambda machine: machine.stack.append(value)


def _pushing_number(code: str) -> Action:
    return lambda machine: machine.stack.append(machine.file.number(code))


def _pushing_text(length: str, encoding: str = "utf-8") -> Action:
    return lambda machine: machine.stack.append(machine.text(machine.file.number(length), encoding))


def _pushing_bytes(length: str) -> Action:
    return lambda machine: machine.stack.append(machine.file.read(machine.file.number(length)))


def _keeping(index: str) -> Action:
    return lambda machine: machine.keep(machine.file.number(index))


def _fetching(index: str) -> Action:
    return lambda machine: machine.stack.append(machine.memo[machine.file.number(index)])


def _pushing_tuple(size: int) -> Action:
    return lambda machine: machine.stack.append(machine.taken(size))


_ENCODE = Name("_codecs.encode")
_STOP = ord(".")
_ACTIONS: dict[int, Action] = {
    ord("N"): _pushing(None), 0x88: _pushing(True), 0x89: _pushing(False), ord(")"): _pushing(()),
    ord("J"): _pushing_number("<i"), ord("K"): _pushing_number("<B"), ord("M"): _pushing_number("<H"),
    ord("G"): _pushing_number(">d"), ord("X"): _pushing_text("<I"), 0x8C: _pushing_text("<B"), 0x8D: _pushing_text("<Q"),
    ord("T"): _pushing_text("<I", "latin-1"), ord("U"): _pushing_text("<B", "latin-1"), ord("B"): _pushing_bytes("<I"),
    ord("C"): _pushing_bytes("<B"), 0x8E: _pushing_bytes("<Q"), 0x96: _pushing_bytes("<Q"),
    ord("q"): _keeping("<B"), ord("r"): _keeping("<I"), ord("h"): _fetching("<B"), ord("j"): _fetching("<I"),
    0x85: _pushing_tuple(1), 0x86: _pushing_tuple(2), 0x87: _pushing_tuple(3),
    ord("("): _Machine._mark, ord("0"): _Machine._drop, ord("1"): _Machine._drop_to_mark, ord("2"): _Machine._twice,
    0x8A: _Machine._long, 0x80: _Machine._protocol, 0x95: _Machine._frame, 0x94: _Machine._memoize,
    ord("]"): _Machine._empty_list, ord("}"): _Machine._empty_dict, 0x8F: _Machine._empty_set,
    ord("t"): _Machine._tuple, ord("l"): _Machine._list, ord("d"): _Machine._dict, ord("a"): _Machine._append,
    ord("e"): _Machine._appends, ord("s"): _Machine._set_item, ord("u"): _Machine._set_items,
    0x90: _Machine._add_items, 0x91: _Machine._frozen_set, ord("c"): _Machine._global, 0x93: _Machine._stack_global,
    ord("R"): _Machine._call, 0x81: _Machine._call, 0x92: _Machine._call_with_keywords, ord("b"): _Machine._build,
    ord("Q"): _Machine._outside, 0x82: _Machine._extension, 0x83: _Machine._extension, 0x84: _Machine._extension,
}  # fmt: skip
