"""The one place that prints.

`say`, `complain`, `table` and `document` escape what names of files may contain, so that a name can neither command the
terminal nor forge a line. The streams below them cope with every terminal: what its encoding lacks is replaced, and when
the reader of a pipe leaves (`| head`) the rest is dropped while the work goes on.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from inv3d.core.printable import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PLAIN = {"°": " deg", "±": "+/-", "×": "x", "–": "-", "—": "-", "…": "..."}
"""How signs are written for terminals that lack them; others are escaped."""
_READER_LEFT = (errno.EPIPE, errno.EINVAL)  # EINVAL is what Windows says


class _Sturdy(io.RawIOBase):
    """A standard stream that drops what cannot be written any more, and remembers why."""

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
    """Make standard output and standard error cope with everything that is printed."""
    codecs.register_error("inv3d", _replace)
    sys.stdout, sys.stderr = _coping(sys.stdout), _coping(sys.stderr)


def finish() -> OSError | None:
    """Print what is still kept back; returns why something could not be printed, unless the reader had left."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    lost = raw.lost if isinstance(raw, _Sturdy) else None
    return None if lost is None or lost.errno in _READER_LEFT else lost


def _coping(stream: Any) -> Any:
    """`stream` is None where the standard stream was closed before the start; in a notebook there is no file beneath."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - takes the place of a standard stream
    if not hasattr(stream, "buffer"):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)  # there is no buffer between with `python -u`
    buffer = io.BufferedWriter(_Sturdy(raw))
    return io.TextIOWrapper(buffer, stream.encoding, "inv3d", line_buffering=True)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """A `codecs` error handler for characters that the terminal's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def say(line: str) -> None:
    """One line on standard output."""
    print(printable(line), flush=True)


def note(line: str) -> None:
    """One line on standard error: what is said beside a document for programs."""
    print(printable(line), file=sys.stderr, flush=True)


def complain(message: str, hint: str) -> None:
    """An error: what is wrong with what, and what to do."""
    note(f"error: {message}")
    note(f"hint: {hint}")


def teller(as_json: bool) -> Callable[[str], None]:
    """What prints a command's lines: with `--json` standard output holds the document alone."""
    return note if as_json else say


def document(content: Any) -> None:
    """The JSON document of a command, on one line. Names that are not UTF-8 come as escaped surrogates."""
    print(json.dumps(content), flush=True)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Rows under `titles`; the columns named in `right` are aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table()
    for title in titles:
        drawn.add_column(title, justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(printable(cell) for cell in row))
    # a name such as [/x] is no markup
    Console(file=sys.stdout, markup=False, emoji=False, highlight=False).print(drawn)


def counter(done: object, total: object, unit: str) -> None:
    """A count for people who watch; logs stay clean."""
    if sys.stderr.isatty():
        print(f"\r{done} of {total} {unit}", end="\n" if done == total else "", file=sys.stderr, flush=True)
