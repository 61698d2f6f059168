"""Files that appear whole or not at all, and clear errors for failures of the file system."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inv3d.core.errors import UsageError

PART = ".inv3d-"
"""Prefix of the names of unfinished files."""
PARTIAL = ".partial"
"""What the name of an output folder has at its end until the output is complete."""
_LONGEST_SUFFIX = 16
_FULL = (errno.ENOSPC, errno.EDQUOT)


def partial_of(out: Path) -> Path:
    """Where the unfinished output of a run lies that will be the folder `out`."""
    return out.parent / (out.name + PARTIAL)  # a root has no name


@contextmanager
def write_whole(path: Path, replace: bool = False) -> Iterator[Path]:
    """Gives a new empty file beside `path`, with the same suffix, to write to; at the end it becomes `path`.

    Until then `path` is what it was before. If anything is raised meanwhile, the new file is removed. The data are on the
    disk before the name is. A symbolic link is never written through: with `replace` the link itself is replaced.

    Raises UsageError if `path` exists without `replace`, or is anything but a file or a link; OSError.
    """
    refuse_existing(path, replace)
    _refuse_special(path)
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    part = path.with_name(
        f"{PART}{secrets.token_hex(8)}{suffix}"
    )  # short, because the name of `path` may have the maximum length
    part.touch(exist_ok=False)
    try:
        yield part
        _flush(part)
        refuse_existing(path, replace)  # it may have been created meanwhile
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


@contextmanager
def write_whole_folder(path: Path) -> Iterator[Path]:
    """Like `write_whole` for a folder, in the place of an older one. Raises OSError."""
    part, old = (path.with_name(f"{PART}{secrets.token_hex(8)}{end}") for end in ("", "-old"))
    part.mkdir(parents=True)
    try:
        yield part
        flush_tree(part)
        move_into_place(part, path, old)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    _flush_folder(path.parent)


def move_into_place(new: Path, path: Path, old: Path) -> None:
    """Rename `new` to `path`, and the previous `path` to `old`, which is restored if this fails or is stopped. Raises
    OSError."""
    try:
        if os.path.lexists(path):
            path.rename(old)
        new.rename(path)
    except BaseException:
        if not os.path.lexists(path) and os.path.lexists(old):
            old.rename(path)
        raise


def refuse_existing(path: Path, replace: bool) -> None:
    """Raises UsageError if `path` exists, even as a broken link, and may not be replaced."""
    if os.path.lexists(path) and not replace:
        raise UsageError(f"{path} exists already", "use --force to replace it, or --out to write elsewhere")


def refuse_protected(folder: Path, inputs: Iterable[Path], hint: str = "name a new folder with --out") -> None:
    """Raises UsageError if `folder` is or contains an input, the working folder or the home folder, by any name."""
    reasons = {place.resolve(): f"is or contains the input {place}" for place in inputs}
    reasons[Path.cwd()] = "is or contains the working folder"
    with suppress(RuntimeError):  # there may be no home folder
        reasons[Path.home().resolve()] = "is or contains the home folder"
    own = folder.stat() if folder.exists() else folder.lstat()
    seen = set[Path]()
    for place, reason in reasons.items():
        for holder in {place, *place.parents} - seen:
            with suppress(OSError):
                if os.path.samestat(own, holder.stat()):
                    raise UsageError(f"{folder} {reason} and is never replaced", hint)
        seen |= {place, *place.parents}
    if os.path.ismount(folder):
        raise UsageError(f"{folder} is a drive or its root and is never replaced", hint)


def is_of_system(path: Path) -> bool:
    """Whether file managers create files of this name in any folder."""
    return path.name in (".DS_Store", "Thumbs.db", "desktop.ini") or path.name.startswith("._")


def _refuse_special(path: Path) -> None:
    """Raises UsageError for folders, devices and pipes, which must not be replaced."""
    if os.path.lexists(path) and not (stat.S_ISREG(mode := path.lstat().st_mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{path} is not a regular file", "name a file with --out")


def flush_tree(folder: Path) -> None:
    """Flush everything in a folder to the disk. Raises OSError."""
    for path in folder.rglob("*"):
        if path.is_dir():
            _flush_folder(path)
        else:
            _flush(path)
    _flush_folder(folder)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a rename last; where folders cannot be flushed (Windows, some network drives) the system does it by itself."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


@contextmanager
def disk_errors(path: Path, elsewhere: str = "choose a folder you may write to with --out") -> Iterator[None]:
    """Turn errors of the file system into UsageError; the hint `elsewhere` says how to choose another place."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UsageError(
                f"the disk is full: {path} cannot be written", "free some space, then run the same command again"
            ) from error
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", elsewhere) from error
