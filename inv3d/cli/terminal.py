"""The one place that prints.

`say`, `complain`, `table` and `document` escape control characters in file names, so that a name can neither control
the terminal nor forge a line. The streams below them work with every terminal: characters that its encoding lacks are
replaced, and when the reader of a pipe exits (`| head`), the remaining output is dropped while the work continues.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from inv3d.core.errors import Inv3dWarning
from inv3d.core.printable import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PLAIN = {"°": " deg", "±": "+/-", "×": "x", "–": "-", "—": "-", "…": "..."}
"""Replacements of characters that a terminal's encoding lacks; others are escaped."""
_PLACED = warnings.formatwarning
_READER_LEFT = (errno.EPIPE, errno.EINVAL)  # EINVAL on Windows


class _Sturdy(io.RawIOBase):
    """A standard stream that drops output once writing has failed, and remembers the error."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self.raw = raw
        self.lost: OSError | None = None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.raw.isatty()

    def fileno(self) -> int:
        return self.raw.fileno()

    def write(self, data: ReadableBuffer, /) -> int | None:
        if self.lost is None:
            try:
                return self.raw.write(data)
            except OSError as error:
                self.lost = error
        return len(memoryview(data))


def prepare() -> None:
    """Make standard output and standard error accept any text, and our warnings lines like others."""
    codecs.register_error("inv3d", _replace)
    sys.stdout, sys.stderr = _coping(sys.stdout), _coping(sys.stderr)
    warnings.formatwarning = _worded


def finish() -> OSError | None:
    """Flush both streams; returns the error that stopped the output, unless the reader of a pipe had exited."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    lost = raw.lost if isinstance(raw, _Sturdy) else None
    return None if lost is None or lost.errno in _READER_LEFT else lost


def _coping(stream: Any) -> Any:
    """`stream` is None if the standard stream was closed before the start; in a notebook it has no file beneath it."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - takes the place of a standard stream
    if not hasattr(stream, "buffer"):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)  # `python -u` has no buffer in between
    buffer = io.BufferedWriter(_Sturdy(raw))
    return io.TextIOWrapper(buffer, stream.encoding, "inv3d", line_buffering=True)


def _worded(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """A warning as `warnings` prints it on standard error; other packages' with their place."""
    if issubclass(category, Inv3dWarning):
        return f"warning: {printable(str(message))}\n"
    return _PLACED(message, category, filename, lineno, line)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """A `codecs` error handler for characters that the terminal's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def say(line: str) -> None:
    """Print one line on standard output."""
    print(printable(line), flush=True)


def note(line: str) -> None:
    """Print one line on standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def complain(message: str, hint: str) -> None:
    """Print an error: its message and its hint."""
    note(f"error: {message}")
    note(f"hint: {hint}")


def teller(as_json: bool) -> Callable[[str], None]:
    """The function that prints a command's lines: with `--json`, standard output is kept for the document."""
    return note if as_json else say


def document(content: Any) -> None:
    """Print the JSON document of a command on one line. Names that are not UTF-8 become escaped surrogates."""
    print(json.dumps(content), flush=True)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print `rows` under `titles`; the columns named in `right` are right-aligned."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table()
    for title in titles:
        drawn.add_column(title, justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(printable(cell) for cell in row))
    # a name such as [/x] is not markup
    Console(file=sys.stdout, markup=False, emoji=False, highlight=False).print(drawn)


def shortened(text: str, most: int) -> str:
    """`text` with at most so many signs: the middle is left out, since names of files often begin or end alike."""
    if len(text) <= most:
        return text
    end = (most - 3) // 2
    return f"{text[: most - 3 - end]}...{text[len(text) - end :]}"


def counter(done: object, total: object, unit: str) -> None:
    """Update a counter, in a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{done} of {total} {unit}", end="\n" if done == total else "", file=sys.stderr, flush=True)
