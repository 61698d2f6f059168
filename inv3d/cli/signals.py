"""Ctrl-C and SIGTERM: one handler, installed before anything heavy is imported.

A command that has written nothing yet ends at once. Work that writes files runs inside `interruptible`: there the first
signal raises KeyboardInterrupt, so that unfinished files are cleaned up, and the command says what was kept. A second
signal ends the process at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
"""The exit code of a command that either signal stopped."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stop:
    asked = False
    """Whether a signal has arrived."""
    working = False
    """Whether there is something to clean up and report."""


def install() -> None:
    """Handle both signals from now on, even if a shell script had set them to be ignored."""
    for number in _SIGNALS:
        signal.signal(number, _handle)


def ignore() -> None:
    """Ignore both signals: the command is done, and a signal must not turn its success into a failure while it exits."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _handle(number: int, frame: FrameType | None) -> None:
    if _Stop.asked:
        _end("error: ended at once", "unfinished files may remain; run the same command again to see how to continue")
    if not _Stop.working:
        _end("error: stopped before anything was written", "run the same command again")
    _Stop.asked = True
    raise KeyboardInterrupt


def _end(message: str, hint: str) -> NoReturn:
    """End the process without returning to the interrupted code, which might swallow an exception."""
    try:
        os.write(2, f"{message}\nhint: {hint}\n".encode())
    finally:
        os._exit(EXIT_CODE)


def check() -> None:
    """Raise KeyboardInterrupt again if a signal has arrived: other code may have swallowed the first."""
    if _Stop.asked:
        raise KeyboardInterrupt


@contextmanager
def interruptible(kept: Callable[[], tuple[str, str]]) -> Iterator[None]:
    """Work that a signal may stop. `kept` gives the message and the hint: what was stopped, and how to continue.

    Raises StoppedError, whatever exception the interrupted code raises.
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
    """The message and hint for work that writes one file at its end."""
    return lambda: (f"stopped before {out} was written", "nothing was kept; run the same command again")
