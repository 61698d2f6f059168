"""Locks between processes: only the holder of a lock file writes to the path that it guards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inv3d.core.errors import UsageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class _HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, guarded: Path) -> Iterator[None]:
    """Hold the lock file `path`, created here and removed at the end, while writing to `guarded`.

    The system drops the lock with the process, however that ends: a file left behind by a killed process locks nothing. File
    systems that know no locks hold nothing either. Raises UsageError if another process holds it, OSError.
    """
    try:
        descriptor = _acquire(path)
    except _HeldError as error:
        raise UsageError(
            f"another run of inv3d is writing to {guarded}", "wait until it ends, or write elsewhere"
        ) from error
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there, one that another process holds neither
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
        else:
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _acquire(path: Path) -> int:
    """The descriptor that holds the lock, of the file that is now at `path`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(descriptor)
            # the holder before may have removed the file that was opened here; a lock on that one holds nothing
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise _HeldError from error
    else:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # either, by the file system
            raise _HeldError from error
        except OSError:
            pass  # this file system has no locks
