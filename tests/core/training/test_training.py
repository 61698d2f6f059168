"""A smoke version of every part of the recipe: it runs, learns a little, and goes on after a stop."""

from pathlib import Path

import pytest
import torch

from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training import dataset
from inv3d.core.training.generator import Recipe, Trainer
from inv3d.core.training.networks import AlignerTrainer, IdentityTrainer, PerceptualTrainer

TINY = Recipe(
    point_steps=6, ray_steps=2, mapping_steps=2, point_heads=2, points=96, queries=48, ray_heads=2, rays=24, ray_samples=6,
    mapping_batch=16, checkpoint_every=3,
)  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    renderer = HeadRenderer()
    dataset.write_shard(folder / "points-0000.safetensors", dataset.point_shard(renderer, 0, heads=8, points=240))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "IMAGE_RESOLUTION", 32)
        patch.setattr(dataset, "WIDE_RESOLUTION", 48)
        dataset.write_shard(folder / "images-0000.safetensors", dataset.image_shard(renderer, 0, heads=4))
        dataset.write_shard(folder / "wide-0000.safetensors", dataset.wide_shard(renderer, 0, heads=4))
    return folder


def test_shards_are_reproducible(data):
    again = dataset.point_shard(HeadRenderer(), 0, heads=8, points=240)
    stored = dataset.load_file(data / "points-0000.safetensors")
    assert all(torch.equal(stored[name], again[name]) for name in stored)


def test_generation_goes_on_where_it_stopped(data):
    lines: list[str] = []
    dataset.generate(data, 1, 1, 1, compiled=False, report=lines.append)
    assert lines == []


def test_all_stages_run_and_a_resumed_training_equals_an_unbroken_one(data, tmp_path):
    whole = Trainer(TINY, data, CPU)
    assert list(whole.run(tmp_path / "whole.pt", print)) == list(range(1, 11))
    stopped = Trainer(TINY, data, CPU)
    for step in stopped.run(tmp_path / "part.pt", print):
        if step == 3:
            break
    resumed = Trainer(TINY, data, CPU)
    resumed.load(tmp_path / "part.pt")
    assert resumed.step == 3
    for _ in resumed.run(tmp_path / "part.pt", print):
        pass
    ours, theirs = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert whole.result().backbone.mapping.w_avg.abs().sum() > 0


def test_points_teach_the_generator_something(data):
    recipe = Recipe(point_steps=25, ray_steps=0, mapping_steps=0, point_heads=2, points=96, queries=48)
    trainer = Trainer(recipe, data, CPU)
    random = torch.Generator().manual_seed(0)
    from inv3d.core.training.generator import PointShards

    batch = PointShards(data).batch(recipe, 8, random, CPU)
    before = float(trainer.point_losses(batch)["colour"].detach())
    for _ in trainer.run(data / "learn.pt", print):
        pass
    assert float(trainer.point_losses(batch)["colour"].detach()) < 0.7 * before


@pytest.mark.parametrize("kind", [AlignerTrainer, IdentityTrainer, PerceptualTrainer])
def test_helper_networks_train_and_resume(data, tmp_path, kind):
    kind = type("Tiny", (kind,), {"batch": 4, "heads": 4})
    first = kind(data, 2, CPU)
    assert list(first.run(tmp_path / "net.pt", print)) == [1, 2]
    again = kind(data, 2, CPU)
    assert list(again.run(tmp_path / "net.pt", print)) == []
    assert all(torch.equal(a, b) for a, b in zip(first.network.parameters(), again.network.parameters(), strict=True))
