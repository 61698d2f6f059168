"""The inputs of `inv3d batch`: files, folders, patterns and manifests, with options for each."""

from __future__ import annotations

import csv
import difflib
import glob
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inv3d.core.errors import InputError, UsageError
from inv3d.core.printable import printable

VIDEO, IMAGE = "video", "image"
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
INPUT, OUT, COMMAND = "input", "out", "command"
_LARGEST = 1 << 30
_MOST_PHOTOS, _LONGEST_NAME, _LONGEST = 1000, 255, 3000
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Known:
    """The options that a row may set, and those that are for the whole batch."""

    options: tuple[str, ...]
    of_the_batch: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return (INPUT, OUT, COMMAND, *self.options)


@dataclass(frozen=True)
class Row:
    """A request: its inputs, and the values of options by their names. `place` says where it stands: "jobs.csv, row 3"."""

    inputs: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    out: str = ""
    command: str = ""
    place: str = ""


def rows_of(inputs: Sequence[Path], known: Known) -> list[Row]:
    """What files, folders, patterns and manifests name. Raises InputError for those that name nothing, even if one file is
    missing (those that a manifest names are told when their turn comes), UsageError for a
    manifest that cannot be used."""
    return [row for path in inputs for row in _rows(path, known)]


def _rows(path: Path, known: Known) -> Iterator[Row]:
    from inv3d.places import find_inputs, refuse_missing

    if path.suffix.lower() in TABLES and not path.is_dir():
        yield from _manifest(path, known)
    elif path.is_dir():
        yield from (Row((str(each),)) for each in find_inputs(path))
    elif any(sign in str(path) for sign in "*?[") and not path.exists():
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - takes any pattern
        if not found:
            raise InputError(f"no file matches {path}", "check the pattern")
        for each in found:
            yield from _rows(Path(each), known)
    else:
        refuse_missing(path)
        yield Row((str(path),))


def _manifest(path: Path, known: Known) -> Iterator[Row]:
    """The rows of a manifest; paths in it are relative to its own folder."""
    cells = _lines(path) if path.suffix.lower() in (".jsonl", ".ndjson") else _table(path)
    empty = True
    for number, row in cells:
        place = f"{path.name}, row {number}"
        _refuse_unknown(row, place, known)
        inputs = row.pop(INPUT, "")
        inputs = inputs if isinstance(inputs, list) else [inputs]
        if not inputs or not all(isinstance(each, str) and each.strip() for each in inputs):
            raise UsageError(f"{place}, column {INPUT}: there is no path", "name a clip, a photo, or photos of one person")
        if len(inputs) > _MOST_PHOTOS:
            raise UsageError(f"{place}, column {INPUT}: there are more than {_MOST_PHOTOS} photos", "name their folder instead")
        for each in inputs:
            _refuse_impossible(each, f"{place}, column {INPUT}")
        values = {name: _text(value, f"{place}, column {name}") for name, value in row.items()}
        out, command = values.pop(OUT, ""), values.pop(COMMAND, "")
        if command not in ("", VIDEO, IMAGE):
            raise UsageError(f"{place}, column {COMMAND}: '{command}' is not a command", f"use {VIDEO} or {IMAGE}")
        there = tuple(str(path.parent / each) for each in inputs)
        yield Row(there, {name: value for name, value in values.items() if value}, out, command, place)
        empty = False
    if empty:
        raise UsageError(f"{path} has no rows", f"write a line for each head, with at least a column {INPUT}")


def _refuse_unknown(row: Mapping[str, object], place: str, known: Known) -> None:
    columns = known.columns
    for name in row:
        if name in known.of_the_batch and name != OUT:
            raise UsageError(f"{place}, column {name}: this option is for the whole batch", f"use: inv3d batch --{name}")
        if name not in columns:
            near = difflib.get_close_matches(name, columns, 1)
            hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(columns)}"
            raise UsageError(f"{place}, column {name}: there is no such option", hint)


def _text(value: object, place: str) -> str:
    """The value of a cell, as on a command line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        text = str(value).strip()
        _refuse_impossible(text, place)
        return text
    raise UsageError(f"{place}: a list or an object is not a value", "use a text, a number, true or false")


def _refuse_impossible(text: str, place: str) -> None:
    """Raises UsageError for what no command line or file system takes."""
    try:
        raw = os.fsencode(text).replace(b"\\", b"/")
    except UnicodeEncodeError:
        raw = b"\0"
    if b"\0" in raw or len(raw) > _LONGEST or any(len(part) > _LONGEST_NAME for part in raw.split(b"/")):
        raise UsageError(f"{place}: {printable(text[:60])} is neither a path nor a value", "write a name that the system can have")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise InputError(f"{path} is too large for a manifest", "divide it into several batches")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text in UTF-8", "save it as UTF-8") from error


def _table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table by column, numbered as spreadsheets number them: the first line, which names the columns, is 1."""
    text = _read(path)
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        titles = [title.strip() for title in next(reader, [])]
        if INPUT not in titles:
            raise UsageError(f"{path.name}, row 1: there is no column {INPUT}", "name the columns in the first row")
        for title in titles:
            if titles.count(title) > 1:
                raise UsageError(f"{path.name}, row 1: there are two columns {title}", "remove one of them")
        for number, cells in enumerate(reader, 2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(titles):
                raise UsageError(
                    f"{path.name}, row {number} has {len(cells)} cells, not {len(titles)}", 'write values that contain commas as "..."'
                )
            yield number, dict(zip(titles, cells, strict=True))
    except csv.Error as error:
        raise UsageError(f"{path.name} is not a table: {error}", "save it as CSV in UTF-8") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in the lines of a file, numbered from 1."""
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path.name}, row {number} is not JSON", "write one JSON object a line") from error
        if not isinstance(row, dict):
            raise UsageError(f"{path.name}, row {number} is not a JSON object", 'write lines such as {"input": "clip.mp4"}')
        yield number, row


