"""Ctrl-C and SIGTERM: one handler, installed before anything heavy is imported.

As long as a command has nothing to lose it ends at once. Work that leaves files behind runs inside `interruptible`:
there the first signal raises KeyboardInterrupt, so that unfinished files are cleaned up, and the command says what was
kept. A second signal ends the process at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
"""Of a command that was stopped, by either signal."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stop:
    asked = False
    """Whether a signal has arrived."""
    working = False
    """Whether there is something to clean up and to tell."""


def install() -> None:
    """Handle both signals from now on, also where a shell script had them ignored."""
    for number in _SIGNALS:
        signal.signal(number, _handle)


def ignore() -> None:
    """The command is done: a signal must not turn its success into a failure while the interpreter ends."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _handle(number: int, frame: FrameType | None) -> None:
    if _Stop.asked:
        _end("error: ended at once", "unfinished files may remain; the same command says how to go on")
    if not _Stop.working:
        _end("error: stopped before anything was written", "run the same command again")
    _Stop.asked = True
    raise KeyboardInterrupt


def _end(message: str, hint: str) -> NoReturn:
    """Leave without a further step of the interrupted code, which might swallow an exception."""
    try:
        os.write(2, f"{message}\nhint: {hint}\n".encode())
    finally:
        os._exit(EXIT_CODE)


def check() -> None:
    """Raise KeyboardInterrupt once more if a signal has arrived: code between may have swallowed the first."""
    if _Stop.asked:
        raise KeyboardInterrupt


@contextmanager
def interruptible(kept: Callable[[], tuple[str, str]]) -> Iterator[None]:
    """Work that a signal may stop. `kept` then says what was stopped, and how to go on.

    Raises StoppedError, whatever the interrupted code made of the interruption.
    """
    from inv3d.core.errors import StoppedError

    _Stop.working = True
    try:
        yield
    except BaseException as error:
        if _Stop.asked or isinstance(error, KeyboardInterrupt):
            raise StoppedError(*kept()) from error
        raise
    finally:
        _Stop.working = _Stop.asked


def nothing_kept(out: object) -> Callable[[], tuple[str, str]]:
    """For work that writes one file at its end."""
    return lambda: (f"stopped before {out} was written", "nothing was kept; run the same command again")
