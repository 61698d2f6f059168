"""Changes single places of the code and looks whether the tests notice: `python benchmarks/mutate.py --count 60`.

Places are drawn at random (by a seed) from the lines of `core/inversion`, `core/generator`, `core/metrics` and `video`
that hold something to change: an operator, a comparison, a constant, a sign, `min` and `max`, the order of two arguments,
a statement. Every mutant is made in a copy of the tree; the tests beside its file run first, then, if it lives, all
others but those of whole commands. A mutant that lives is either equivalent to the original or shows what no test sees.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import itertools
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from results import publish, table

ROOT = Path(__file__).parents[1]
FOLDERS = ("core/inversion", "core/generator", "core/metrics", "video")
OPERATORS: dict[type, str] = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*", ast.Pow: "*"}  # fmt: skip
COMPARISONS: dict[type, str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "=="}
NAMES = {"min": "max", "max": "min", "amin": "amax", "amax": "amin", "minimum": "maximum", "maximum": "minimum", "sin": "cos", "cos": "sin", "ceil": "floor", "floor": "ceil", "any": "all", "all": "any"}  # fmt: skip
_FAILED, _NOTHING_RUN = 1, 5  # pytest's exit codes
Piece: TypeAlias = ast.expr | ast.stmt
"""What has a place in the text."""


@dataclass(frozen=True)
class Mutant:
    """In `file`, at `line`, the characters from `begin` to `end` become `after`."""

    file: str
    line: int
    begin: int
    end: int
    before: str
    after: str

    def change(self) -> str:
        short = (" ".join(text.split()) for text in (self.before, self.after))
        return " → ".join(text if len(text) < 60 else text[:57] + "..." for text in short)


def mutants(file: Path) -> list[Mutant]:
    """Every change of a file that is considered."""
    text = file.read_text(encoding="utf-8")
    starts = [0]
    for row in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    rows = text.splitlines()

    def at(row: int, column: int) -> int:
        """The place in the text of a column that `ast` counts in bytes."""
        return starts[row - 1] + len(rows[row - 1].encode()[:column].decode())

    def span(node: Piece) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)

    found = []
    for node in _code(ast.parse(text)):
        for first, last, after in _changes(node, text, span):
            begin, end = span(first)[0 if first is last else 1], span(last)[1 if first is last else 0]
            line = text.count("\n", 0, begin) + 1
            found.append(Mutant(str(file.relative_to(ROOT)), line, begin, end, text[begin:end], after))
    return found


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, docstrings and what is raised."""
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "exc", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not text and not isinstance(child, ast.Import | ast.ImportFrom):
                yield from _code(child)


def _changes(node: ast.AST, text: str, span: Callable[[Piece], tuple[int, int]]) -> Iterator[tuple[Piece, Piece, str]]:
    """What may stand in place of a node, or of what lies between two: (first, last, new text)."""

    def source(part: Piece) -> str:
        begin, end = span(part)
        return text[begin:end]

    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield node, node, f"({source(node.left)}) {OPERATORS[type(node.op)]} ({source(node.right)})"
    elif isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        yield node, node, f"{source(node.target)} {OPERATORS[type(node.op)]}= {source(node.value)}"
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield node, node, f"({source(node.left)}) {COMPARISONS[type(node.ops[0])]} ({source(node.comparators[0])})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield node, node, f"({source(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, node, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield node, node, str(node.value + 1 if isinstance(node.value, int) else node.value * 2 or 1.0)
    elif isinstance(node, ast.BoolOp):
        word = "or" if isinstance(node.op, ast.And) else "and"
        yield node, node, "(" + f" {word} ".join(source(value) for value in node.values) + ")"
    elif isinstance(node, ast.Call):
        name = node.func
        word = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
        if word in NAMES:
            yield name, name, source(name)[: -len(word)] + NAMES[word]
        elif len(node.args) > 1 and not any(isinstance(part, ast.Starred) for part in node.args[:2]):
            first, second = node.args[:2]
            between = text[span(first)[1] : span(second)[0]]
            yield (
                node,
                node,
                source(node).replace(
                    source(first) + between + source(second), source(second) + between + source(first), 1
                ),
            )
    elif isinstance(node, ast.Expr | ast.AugAssign):
        yield node, node, "pass"
    elif isinstance(node, ast.If):
        yield node.test, node.test, f"not ({source(node.test)})"


def drawn(count: int, seed: int) -> list[Mutant]:
    """One mutant of each of `count` different lines."""
    by_line: dict[tuple[str, int], list[Mutant]] = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / "inv3d" / folder).glob("*.py")):
            for mutant in mutants(file):
                by_line.setdefault((mutant.file, mutant.line), []).append(mutant)
    source = random.Random(seed)
    lines = source.sample(sorted(by_line), len(by_line))
    choices = (source.choice(by_line[line]) for line in lines)
    return sorted(itertools.islice(filter(_differs, choices), count), key=lambda mutant: (mutant.file, mutant.line))


def _applied(mutant: Mutant) -> str:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    return text[: mutant.begin] + mutant.after + text[mutant.end :]


def _differs(mutant: Mutant) -> bool:
    """Whether a mutant is Python, and another program than the original."""
    try:
        return ast.dump(ast.parse(_applied(mutant))) != ast.dump(ast.parse((ROOT / mutant.file).read_text("utf-8")))
    except SyntaxError:
        return False


def rings(mutant: Mutant) -> list[list[str]]:
    """Arguments for pytest: the tests of the file itself, those beside them, then all others but of whole commands."""
    beside = Path("tests") / Path(mutant.file).relative_to("inv3d").parent
    own = beside / f"test_{Path(mutant.file).stem}.py"
    first = [str(own)] if (ROOT / own).is_file() else []
    return [first, [str(beside), f"--ignore={own}"], ["tests", f"--ignore={beside}", "--ignore=tests/e2e"]]


def verdict(mutant: Mutant, tree: Path, limit: float, wide: bool) -> str:
    """`killed`, `killed by others`, `too slow` (killed too) or `lives`, by the tests in the copy `tree`."""
    target = tree / mutant.file
    original = target.read_text(encoding="utf-8")
    target.write_text(_applied(mutant), encoding="utf-8")
    try:
        for ring, arguments in enumerate(rings(mutant)[: 3 if wide else 2]):
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
            try:
                result = subprocess.run(command, cwd=tree, capture_output=True, timeout=limit) if arguments else None
            except subprocess.TimeoutExpired:
                return "too slow"
            if result is not None and result.returncode not in (0, _NOTHING_RUN):
                return "killed" if ring < 2 else "killed by others"
        return "lives"
    finally:
        target.write_text(original, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one run of the tests")
    parser.add_argument("--near", action="store_true", help="run only the tests beside the changed file")
    parser.add_argument("--list", action="store_true", help="print the mutants without running any test")
    arguments = parser.parse_args()
    chosen = drawn(arguments.count, arguments.seed)
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        if not arguments.list:
            shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "build", "benchmarks", "runs", "samples"))
        for number, mutant in enumerate(chosen, 1):
            start = time.perf_counter()
            result = "" if arguments.list else verdict(mutant, tree, arguments.limit, not arguments.near)
            rows.append([f"{mutant.file}:{mutant.line}", f"`{mutant.change()}`", result])
            print(
                f"{number}/{len(chosen)}",
                *rows[-1],
                f"{time.perf_counter() - start:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    if arguments.list:
        return
    living = sum(result == "lives" for *_, result in rows)
    note = f"{living} of {len(rows)} mutants live (seed {arguments.seed})."
    data = [dataclasses.asdict(mutant) | {"result": row[-1]} for mutant, row in zip(chosen, rows, strict=True)]
    publish("mutate", data, note + "\n\n" + table(["place", "change", "tests"], [list(row) for row in rows]))


if __name__ == "__main__":
    main()
