"""Benchmark results as JSON and Markdown, side by side in `benchmarks/results/`."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

FOLDER = Path(__file__).parent / "results"


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; floats with three significant digits, a dash for None."""

    def cell(value: Any) -> str:
        if value is None:
            return "–"
        return (
            f"{value:.3g}"
            if isinstance(value, float) and abs(value) < 1
            else f"{value:.2f}"
            if isinstance(value, float)
            else str(value)
        )

    lines = [header, ["---"] * len(header), *([cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def in_own_process(script: str, *arguments: str) -> dict[str, Any]:
    """What `script` prints as JSON when run with `arguments`: its memory is then its own."""
    command = [sys.executable, script, *arguments]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return result


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives, kept in the file `path`: a benchmark that is stopped goes on where it was."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made), encoding="utf-8")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


class Named(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str: ...


Subject = TypeVar("Subject")
Row = TypeVar("Row", bound=Named)
Means = dict[str, dict[str, Any]]
"""Figures of each row, by its name."""


def nothing_more(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """No figure that takes all subjects together."""
    return {}


def means_of(
    subjects: Mapping[str, Subject],
    rows: Iterable[Row],
    measure: Callable[[Subject, Row], dict[str, Any]],
    folder: Path,
    together: Callable[[list[dict[str, Any]]], dict[str, Any]] = nothing_more,
) -> Means:
    """Means of the figures of `subjects` (by their names) in each row, and those of all `together`. Figures are kept in `folder`,
    one file each."""
    found = {}
    for row in rows:
        figures = []
        for name, subject in subjects.items():
            path = folder / f"{name}-{re.sub('[^a-z0-9+]+', '-', row.name.lower())}.json"
            figures.append(kept(path, functools.partial(measure, subject, row)))
        found[row.name] = means(figures) | together(figures)
        print(row.name, found[row.name], file=sys.stderr, flush=True)
    return found


def means(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the subjects of whom there is a figure; None for what was not measured. Lists are no figures."""
    names = [name for name, value in figures[0].items() if not isinstance(value, list)]
    known = {name: [each[name] for each in figures if each[name] is not None] for name in names}
    return {name: sum(values) / len(values) if values else None for name, values in known.items()}


def table_of(title: str, rows: Means) -> str:
    """The table of some rows' figures."""
    return table([title, *next(iter(rows.values()))], [[name, *figures.values()] for name, figures in rows.items()])


def publish(name: str, data: Any, markdown: str) -> None:
    """Write both files and print the Markdown."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(markdown + "\n", encoding="utf-8")
    print(markdown)
