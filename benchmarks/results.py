"""Benchmark results as JSON and Markdown, side by side in `benchmarks/results/`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def in_own_process(script: str, *arguments: str) -> dict[str, float]:
    """What `script` prints as JSON when run with `arguments`: its memory is then its own."""
    command = [sys.executable, script, *arguments]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return result


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives, kept in the file `path`: a benchmark that is stopped goes on where it was."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made), encoding="utf-8")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def publish(name: str, data: Any, markdown: str) -> None:
    """Write both files and print the Markdown."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(markdown + "\n", encoding="utf-8")
    print(markdown)
