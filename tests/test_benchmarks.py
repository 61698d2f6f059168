"""Benchmarks are too slow to run here; that they still fit the code they measure shows when they are imported."""

import importlib
import json
import math
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.core.encoders.inverter import Start
from inv3d.core.training.dataset import write_shard
from inv3d.core.training.preim3d import SMALL
from inv3d.core.training.renders import Renders
from tests.core.training.stopping import trained

EXTRA = ("anny", "warp")
FOLDER = Path(__file__).parents[1] / "benchmarks"
TINY = replace(
    SMALL,
    steps=100,
    rendered=2,
    fit=replace(SMALL.fit, rays_per_view=16, samples=4, whole_resolution=16),
    alternating=False,
    around_start=100,
    samples=Renders("samples", 80_000, 3, 2, 24, 0.7, 0.3, 1.0),
)
"""A recipe of encoders without the ingredients that are PREIM3D's own."""


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
    assert not found["tiny, repeats"]["recorded"] and not [case for case in found if "graphs" in case]  # a CPU has none
    task = gpu.problem(gpu.tiny_bundle(gpu.CPU), 3, replace(gpu.PRESETS["fast"], wplus_steps=2, latent_steps=2, tuning_steps=2), gpu.CPU)
    times, works = gpu.recorded(task, gpu.CPU)
    assert set(times) == set(gpu.STAGES) and not works
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


def test_mattes_are_measured_where_they_fail(monkeypatch):
    for name in EXTRA:
        pytest.importorskip(name)
    monkeypatch.syspath_prepend(str(FOLDER))
    mattes = importlib.import_module("mattes")
    exact, face = torch.zeros(2, 1, 100, 100)
    exact[:, 20:80, 20:80] = face[:, 40:60, 40:60] = 1.0
    matte = exact.clone()
    matte[:, 40:50, 40:60] = 0.4  # half of the face
    matte[:, :, :10] = 0.5  # some of the room
    colour = torch.tensor([1.0, -1.0, -1.0])
    red = colour[:, None, None] * torch.ones(3, 100, 100)
    truth = mattes.Exact(exact, face, torch.zeros(3, 100, 100))
    laid = torch.lerp(red, -torch.ones_like(red), exact)
    found = mattes.figures_of(matte, laid, colour, truth)
    assert (found.face, found.outline, found.colour) == (0.5, 0.0, 0.0)
    spoilt = mattes.figures_of(matte, torch.lerp(red, -torch.ones_like(red), matte * 0.5), colour, truth)
    assert spoilt.colour > 0.05
    assert found.inside == pytest.approx(0.6 * 200 / 54**2, abs=1e-5)
    assert found.room == pytest.approx(0.5 * 1000 / (100**2 - 66**2), abs=1e-5)
    row = {"clip": "one", "yaw": -30.0, **vars(found)}
    assert mattes.by_yaw([row, row])[0][:4] == ["one", "25 to 45", 2, "50.00%"]


def test_figures_of_all_subjects_together_stand_beside_their_means(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    results = importlib.import_module("results")
    made = {"one": {"error": 1.0, "seen": [[1.0]]}, "two": {"error": 3.0, "seen": [[5.0]]}}

    def spread(figures):
        return {"spread": max(each["seen"][0][0] for each in figures) - min(each["seen"][0][0] for each in figures)}

    row = types.SimpleNamespace(name="a row")
    found = results.means_of({name: name for name in made}, [row], lambda subject, _: made[subject], tmp_path, spread)
    assert found == {"a row": {"error": 2.0, "spread": 4.0}}


def test_the_frechet_distance_is_of_what_heads_look_like_from_random_sides(demo, monkeypatch):
    """Heads that look like the people are at no distance from them, others are."""
    monkeypatch.syspath_prepend(str(FOLDER))
    try:
        threedinv = importlib.import_module("threedinv")
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        pytest.skip(f"needs {error.name}, of the extra `train`")
    monkeypatch.setattr(threedinv, "SIDES", 6)
    codes = demo.generator.mapping(torch.randn(3, demo.generator.z_dim, generator=torch.Generator().manual_seed(2)))
    yaws = []

    def seen(code, paint=0.0):
        def draw(camera):
            yaws.append(float(camera.yaw))
            with torch.no_grad():
                render = demo.generator(codes[[code]], camera, 32)
            # what lies behind the head does not count
            return torch.where(render.alpha > 0.5, render.image, torch.full_like(render.image, paint)), render.alpha

        return {"seen": threedinv.seen_of(draw, 7, demo)}

    right = [seen(0), seen(1)]
    assert len(set(yaws)) == 6 and max(map(abs, yaws)) <= math.radians(threedinv.YAW)
    same, other = (threedinv.frechet_of([seen(0, 1.0), seen(code)], right)["Frechet"] for code in (1, 2))
    assert abs(same) < 1e-6 and other > 0.05


def test_sides_of_a_camera_keep_what_else_was_found_of_it(monkeypatch):
    pytest.importorskip("anny")
    monkeypatch.syspath_prepend(str(FOLDER))
    inverting = importlib.import_module("inverting")
    yaw, pitch, roll = (torch.tensor([angle]) for angle in (0.3, 0.1, 0.05))
    found = look_at(yaw, pitch, roll=roll)
    found.intrinsics[:, 0, 2] += 0.04
    sides = inverting.sides_of(found)
    for side, turn in zip(sides, (-inverting.ASIDE, inverting.ASIDE), strict=True):
        assert torch.allclose(side.cam2world, look_at(yaw + turn, pitch, roll=roll).cam2world, atol=1e-5)
        assert torch.equal(side.intrinsics, found.intrinsics)


def test_photographs_of_one_person_are_inverted_once(monkeypatch):
    pytest.importorskip("anny")
    monkeypatch.syspath_prepend(str(FOLDER))
    methods = importlib.import_module("methods")
    photographs = {name: object() for name in ("a-1", "b-1", "b-2", "b-3", "c-1")}
    found = methods.by_person(photographs, "b-")
    assert list(found) == ["a-1", "b-1", "c-1"] and found["a-1"] == [photographs["a-1"]]
    assert found["b-1"] == [photographs[name] for name in ("b-1", "b-2", "b-3")]
    assert set(methods.by_person(photographs, None)) == set(methods.by_person(photographs, "d-")) == set(photographs)


@pytest.fixture(scope="module")
def shards(demo, tmp_path_factory):
    """A few small pictures of the generator's own, and as many that stand for the world's."""
    folder = tmp_path_factory.mktemp("shards")
    TINY.samples.draw(demo, folder, 1, lambda line: None)
    write_shard(folder / "images-0000.safetensors", replace(TINY.samples, seed=5).shard(demo, 0))
    return folder


def test_an_encoder_like_e4e_begins_with_one_code(demo, shards, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    e4e = importlib.import_module("e4e")
    trainer = e4e.e4e_trainer(demo, TINY, shards, torch.device("cpu"))
    added = {}
    for trainer.step in (0, 9, 10, 11, 18, 99):
        losses = trainer.losses(torch.Generator().manual_seed(0))
        added[trainer.step] = trainer.adding
        assert ("code" not in losses) and {"pixel", "added", "adversarial"} <= losses.keys()
        assert (float(losses["added"].detach()) > 0.0) == (trainer.adding > 0)
        codes, real = (each.detach() for each in trainer._judged)
        apart = (codes - codes[:, :1]).abs().amax((0, 2)) > 0.0
        assert apart.tolist() == [0 < row <= trainer.adding for row in range(codes.shape[1])]
        assert real.shape == codes.shape
    assert added == {0: 0, 9: 0, 10: 1, 11: 2, 18: 9, 99: 90}


def test_the_discriminator_of_codes_learns_along(demo, shards, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    e4e = importlib.import_module("e4e")

    def weights(name, stops):
        def make():
            return e4e.e4e_trainer(demo, replace(TINY, steps=3), shards, torch.device("cpu"))

        training = trained(make, tmp_path / name, stops)
        return [*training.average.state_dict().values(), *training.adversary.network.state_dict().values()]

    whole, parts = weights("whole", [3]), weights("parts", [1, 3])
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))
    torch.manual_seed(TINY.seed)
    assert any(not torch.equal(a, b) for a, b in zip(whole, weights("none", [1]), strict=True))


def test_variants_of_e3dge_begin_alike_and_lack_what_their_names_say(demo, shards, monkeypatch, tmp_path):
    pytest.importorskip("anny")
    monkeypatch.syspath_prepend(str(FOLDER))
    ablation = importlib.import_module("e3dge_ablation")
    trainers = {name: ablation.global_trainer(demo, shards, 0.001, left_out) for name, left_out in ablation.GLOBAL.items()}
    assert [(bool(each.recipe.code), bool(each.recipe.geometry)) for each in trainers.values()] == [(False, False), (True, False), (True, True)]
    assert len({each.steps for each in trainers.values()}) == 1
    first, *others = (each.network.state_dict() for each in trainers.values())
    assert all(torch.equal(first[name], other[name]) for other in others for name in first)

    branches = {name: ablation.local_trainer(demo, None, 0.001, left_out) for name, left_out in ablation.LOCAL.items()}
    kinds = {
        name: (each.recipe.aligns, each.network.config.aligns, each.network.config.projects, each.recipe.novel_views > 0, each.adversary is not None)
        for name, each in branches.items()
    }  # fmt: skip
    assert kinds == {
        "+ local features": (False, False, True, False, True),
        "+ 2D alignment": (True, True, False, True, True),
        "+ 3D alignment": (False, False, True, True, True),
        "hybrid alignment": (True, True, True, True, True),
        "hybrid without novel views": (True, True, True, False, True),
        "hybrid without the adversarial term": (True, True, True, True, False),
    }
    first, *others = (each.network.state_dict() for each in branches.values())
    assert all(torch.equal(first[name], other[name]) for other in others for name in first)
    rows = ablation.tables(dict.fromkeys(("pSp-like", *trainers)), dict.fromkeys(branches))
    assert [row.name for row in rows["Codes"] if row.encoder == row.name] == ["pSp-like", *trainers]
    assert not any(row.detail for row in rows["Codes"] if row.encoder in trainers)
    figures = {row.name: {"LPIPS": 0.2, "ID": 0.2} for each in rows.values() for row in each}
    figures[ablation.OWN] = {"LPIPS": 0.1, "ID": 0.1}
    answers = [ablation.Claim("", column, ablation.OWN, ablation.OWN_CODES).checked(figures)[-1] for column in ("LPIPS", "ID")]
    assert answers == ["yes (0.1, 0.2)", "no (0.1, 0.2)"]
    # those are rows that there are
    assert {name for claim in ablation.CLAIMS for name in (claim.better, claim.worse)} <= {*figures, "e4e-like"}
    assert [row.detail for row in rows["Local features"]] == [False, *[True] * (len(branches) + 1)]


def test_depths_of_own_heads_are_compared_head_by_head(demo, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    own = importlib.import_module("own_heads")
    heads = own.own_heads(demo, 2)
    assert len({head.view.images.sum().item() for head in heads}) == 2

    def knowing(view, bundle):
        return Start(next(head.code for head in heads if head.view is view))

    def guessing(view, bundle):
        return Start(bundle.generator.code_space.repeat(bundle.mean_code[None]))

    assert own.depth_errors(knowing, demo, 2) == [0.0, 0.0]
    assert min(own.depth_errors(guessing, demo, 2)) > 5.0
    errors, more, uncertain = "depth error", "more", "standard error of that"
    assert own.beside("a", {"a": [1.0, 2.0], "b": [2.0, 5.0]}) == {
        "a": {errors: 1.5, more: None, uncertain: None},
        "b": {errors: 3.5, more: 2.0, uncertain: pytest.approx(1.0)},
    }
