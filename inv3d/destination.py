"""What an output folder may replace, and what it never replaces."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ConfigDict

from inv3d.core.errors import Inv3dError, UsageError
from inv3d.core.files import is_of_system, refuse_existing, refuse_protected
from inv3d.core.records import STRICT, Digest, Record, Text, read_record

RUN = "run.json"
_ELSEWHERE = "name a new folder with --out"


class Made(Record):
    """The fields of `run.json` by which inv3d recognises its own output folders."""

    model_config = ConfigDict(**STRICT, extra="ignore")
    largest = 1 << 24

    version: Text
    sha256: Digest
    files: tuple[Text, ...]


def read_made(out: Path) -> Made:
    """The record of the output folder `out`. Raises UsageError if inv3d did not make it."""
    try:
        return read_record(out / RUN, Made)
    except Inv3dError as error:
        raise UsageError(f"{out} was not made by inv3d: {error.message}", _ELSEWHERE) from error


def check_destination(out: Path, inputs: Iterable[Path], replace: bool) -> None:
    """Raises UsageError if `out` is protected, if it exists without `replace`, or if replacing it would lose anything that
    inv3d did not write. Only output folders of inv3d and empty folders may be replaced."""
    if not os.path.lexists(out):
        return
    refuse_protected(out, inputs)
    refuse_existing(out, replace)
    if not out.is_dir():
        raise UsageError(f"{out} is a file, which is never replaced by a folder", _ELSEWHERE)
    _refuse_foreign(out)


def _refuse_foreign(out: Path) -> None:
    """Raises UsageError that names the files in the folder `out` that inv3d did not write, if any."""
    found = {name for name in _files(out) if not is_of_system(Path(name))}
    if not found:
        return
    foreign = sorted(found - {str(Path(name)) for name in read_made(out).files})
    if foreign:
        names = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise UsageError(
            f"{out} contains files that inv3d did not write: {names}", f"move them out of it, or {_ELSEWHERE}"
        )


def _files(folder: Path) -> Iterator[str]:
    """Names of everything under `folder` that is not a plain folder, relative to it. Raises OSError."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in (*files, *links):
            yield str(Path(place, name).relative_to(folder))
