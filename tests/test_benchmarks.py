"""Benchmarks are too slow to run here; that they still fit the code they measure shows when they are imported."""

import importlib
import json
import math
import sys
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


def test_the_cost_of_many_clips_follows_from_measured_ones(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    million = importlib.import_module("million")
    row = {"state": "finished", "cpu_seconds": "90", "seconds": "300", "bytes": "2e7", "peak_memory_mb": "1024", "device": "cpu"}
    failed = {**row, "state": "failed", "cpu_seconds": "30", "bytes": "", "peak_memory_mb": "", "device": ""}
    passed = {**row, "state": "passed over", "cpu_seconds": ""}
    of = million.measured([row, {**row, "cpu_seconds": "120"}, failed, passed])
    assert (of.heads, of.usable, of.memory, of.on_gpu) == (2, 2 / 3, 1.0, False)
    assert math.isclose(of.hours.value, 80 / 3600) and math.isclose(of.hours.error, math.sqrt(700) / 3600)
    told = dict(million.costs(of, 1000, 100, million.Prices(core_hour=0.1, gigabyte_month=0.5)))
    assert told["core-hours"].startswith("22.2 ±") and told["dollars for computing"].startswith("2.22 ±")
    assert told["heads"] == "667" and told["GB of output"].startswith("13.3") and told["dollars a month for storage"].startswith("6.67")
    assert million.measured([{**row, "device": "cuda"}]).hours.value == 300 / 3600
    with pytest.raises(ValueError, match="no head"):
        million.measured([failed])
    command = json.loads((FOLDER / "results" / "command.json").read_text())
    alone = million.of_the_command(command)
    assert alone.hours.value == command["processor_seconds"] / 3600 and alone.size.value == command["output_bytes"] > 1e6


def test_the_benchmark_of_a_gpu_runs_through(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    gpu, results = importlib.import_module("gpu"), importlib.import_module("results")
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--tiny"])
    gpu.main()
    found = json.loads((tmp_path / "gpu-tiny.json").read_text())
    assert found["tiny, agreement"]["psnr"] > 100.0  # the CPU with itself
    assert all(found[f"tiny, {name}"][stage]["seconds"] > 0 for name in gpu.NAMES for stage in gpu.STAGES)
    steps = {stage: found["tiny, paper"][stage]["seconds"] for stage in gpu.STAGES}
    assert math.isclose(found["tiny, paper, fit"]["seconds"], 500 * sum(steps.values()))
    assert set(found["tiny, times faster than naive"]) == set(gpu.NAMES)
    assert found["tiny, naive"]["seconds"] > 0 and "left out" not in found
    assert found["tiny, repeats"]["seconds"] > 0 and found["tiny, repeats"]["equal"]
    assert list(found["tiny, field"]) == ["plain"]  # a CPU has no kernels for it
    assert found["tiny, field"]["plain"]["with gradients"] > found["tiny, field"]["plain"]["forward"] > 0
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--tiny", "--minutes", "0"])
    gpu.main()
    assert len(json.loads((tmp_path / "gpu-tiny.json").read_text())["left out"]) == 7


def test_the_first_step_of_a_stage_tells_what_came_before_it(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    stages = importlib.import_module("command").Stages()
    stages.spent = {
        "track": [(3.0, 2.5), (1.0, 0.5), (1.0, 0.5)], "W+": [(0.1, 0.1), (0.3, 0.2)], "export head": [(4.0, 2.0)],
    }  # fmt: skip
    found = {name: pytest.approx(times) for name, times in stages.table().items()}
    assert found == {
        "start": (2.0, 2.0), "track": (3.0, 1.5), "cut, mattes, networks": (0.0, 0.0), "W+": (0.6, 0.4),
        "depths of frames, head": (4.0, 2.0),
    }  # fmt: skip


def test_photographs_of_one_person_are_inverted_once(monkeypatch):
    pytest.importorskip("anny")
    monkeypatch.syspath_prepend(str(FOLDER))
    methods = importlib.import_module("methods")
    photographs = {name: object() for name in ("a-1", "b-1", "b-2", "b-3", "c-1")}
    found = methods.by_person(photographs, "b-")
    assert list(found) == ["a-1", "b-1", "c-1"] and found["a-1"] == [photographs["a-1"]]
    assert found["b-1"] == [photographs[name] for name in ("b-1", "b-2", "b-3")]
    assert set(methods.by_person(photographs, None)) == set(methods.by_person(photographs, "d-")) == set(photographs)
