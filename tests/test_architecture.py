"""Which part of inv3d may import which: arrows point down, training stands apart, and help needs no torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "inv3d").rglob("*.py"))
TRAINING = "inv3d.core.training"
HEAVY = ("torch", "numpy", "av", "skimage", "trimesh", "matplotlib", "PIL", "pydantic")


def imports(path: Path, late: bool = True) -> Iterator[str]:
    """Full names of what a module imports: all of it, or without `late` what it imports when it is itself imported."""
    return _imports(ast.parse(path.read_text(encoding="utf-8")), late)


def _imports(node: ast.AST, late: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level and node.module is not None  # relative imports would hide from these tests
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif late or not (isinstance(node, ast.FunctionDef) or _is_for_types(node)):
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, late)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def area(path: Path) -> str:
    """ "inv3d.video" of inv3d/video/decode.py, "inv3d.pipeline" of inv3d/pipeline.py."""
    return f"inv3d.{path.relative_to(ROOT / 'inv3d').with_suffix('').parts[0]}"


def offenders(paths: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(path)
        if within(name, *forbidden)
    ]


def of(*areas: str) -> list[Path]:
    return [path for path in MODULES if area(path) in areas]


def test_the_imports_of_a_module_are_found(tmp_path):
    lines = ["import a", "from b import c", "if TYPE_CHECKING:", "    import d", "def f():", "    with x:", "        import e",
             "try:", "    import g", "except E:", "    import h"]  # fmt: skip
    (tmp_path / "x.py").write_text("\n".join(lines))
    assert set(imports(tmp_path / "x.py")) == {"a", "b.c", "d", "e", "g", "h"}
    assert set(imports(tmp_path / "x.py", late=False)) == {"a", "b.c", "g", "h"}


def test_core_imports_nothing_above_it():
    above = {area(path) for path in MODULES} - {"inv3d.core", "inv3d.__init__"}
    assert len(of("inv3d.core")) > 50 and "inv3d.pipeline" in above
    assert offenders(of("inv3d.core"), *above) == []


def test_video_and_export_import_neither_jobs_nor_commands():
    jobs = ("inv3d.cli", "inv3d.pipeline", "inv3d.photos", "inv3d.estimate", "inv3d.output", "inv3d.workspace")
    assert offenders(of("inv3d.video", "inv3d.export"), *jobs) == []
    assert offenders(of("inv3d.video"), "inv3d.export") == []


def test_only_the_commands_import_the_command_line():
    others = [path for path in MODULES if area(path) not in ("inv3d.cli", "inv3d.__main__")]
    assert offenders(others, "inv3d.cli") == []


def test_training_is_imported_by_its_commands_alone():
    own = ROOT / "inv3d" / "core" / "training"
    commands = [ROOT / "inv3d" / "cli" / name for name in ("train.py", "models.py")]
    others = [path for path in MODULES if own not in path.parents and path not in commands]
    assert offenders(others, TRAINING) == []
    assert offenders(commands, TRAINING)


@pytest.mark.parametrize("path", of("inv3d.cli"), ids=lambda path: path.stem)
def test_commands_import_nothing_heavy_before_they_run(path):
    assert [name for name in imports(path, late=False) if within(name, *HEAVY)] == []


def test_help_loads_no_torch():
    code = "import sys; from inv3d.cli import app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"torch", "av", "skimage", "trimesh"} & set(done.stdout.split())


def test_the_page_on_the_architecture_names_every_module():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page[page.index("    inv3d/") : page.index("    tests/")]
    named = {word for word in tree.split() if word.endswith(".py")}
    summed_up = ("people", "procedural", "cats", "chairs")
    there = {path.name for path in MODULES if path.parent.name not in summed_up} - {"__init__.py"}
    assert named == there
