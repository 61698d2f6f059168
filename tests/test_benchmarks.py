"""Benchmarks are too slow to run here; that they still fit the code they measure shows when they are imported."""

import importlib
from pathlib import Path

import pytest

EXTRA = ("anny", "warp")
FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_a_benchmark_can_be_imported(name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        pytest.skip(f"needs {error.name}, of the extra `train`")
