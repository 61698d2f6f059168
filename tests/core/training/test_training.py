"""A smoke version of every part of the recipe: it runs, learns a little, and goes on after a stop."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from inv3d.core.bundle import PARTS
from inv3d.core.errors import UsageError
from inv3d.core.library import model_folder
from inv3d.core.networks.perceptual import PerceptualNetwork
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, head_parameters
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training import dataset
from inv3d.core.training.generator import Recipe, Shards, Trainer, patch_batch, point_batch
from inv3d.core.training.networks import (
    AlignerTrainer,
    IdentityTrainer,
    JudgeTrainer,
    PerceptualTrainer,
    beyond_the_frame,
)
from inv3d.core.training.recipe import HELPERS, assemble, train_helper
from inv3d.core.training.source import PEOPLE, TOONS, source_of
from tests.pretend import DEVICE, ordered, pretended

TINY = Recipe(
    point_steps=6, ray_steps=2, patch_steps=2, mapping_steps=2, point_heads=2, points=96, queries=48, ray_heads=2, rays=24, ray_samples=6,
    mapping_batch=16, checkpoint_every=3,
)  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    source, artist = TOONS, TOONS.artist(compiled=False)
    dataset.write_shard(folder / "points-0000.safetensors", dataset.point_shard(source, artist, 0, heads=8, points=240))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "RAYS_PER_VIEW", 48)
        dataset.write_shard(folder / "rays-0000.safetensors", dataset.ray_shard(source, artist, 0, heads=4))
        patch.setattr(dataset, "PATCH_SIDE", 8)
        dataset.write_shard(folder / "patches-0000.safetensors", dataset.patch_shard(source, artist, 0, heads=3))
        patch.setattr(dataset, "IMAGE_RESOLUTION", 32)
        patch.setattr(dataset, "WIDE_RESOLUTION", 48)
        dataset.write_shard(folder / "images-0000.safetensors", dataset.image_shard(source, artist, 0, heads=4))
        dataset.write_shard(folder / "wide-0000.safetensors", dataset.wide_shard(source, artist, 0, heads=4))
        dataset.write_shard(folder / "twins-0000.safetensors", dataset.twin_shard(source, artist, 0, heads=4))
    return folder


def test_shards_are_reproducible(data):
    again = dataset.point_shard(TOONS, TOONS.artist(compiled=False), 0, heads=8, points=240)
    stored = load_file(data / "points-0000.safetensors")
    assert all(torch.equal(stored[name], again[name]) for name in stored)


def test_a_trial_draws_a_little_of_everything_that_is_needed():
    assert dataset.DataPlan(points=40, rays=3, images=0, wide=0, twins=0, patches=1).scaled(0.05) == dataset.DataPlan(
        points=2, rays=1, images=0, wide=0, twins=0, patches=1
    )


def test_generation_goes_on_where_it_stopped(data):
    lines: list[str] = []
    dataset.generate(data, dataset.DataPlan(1, 1, 1, 1, 1, 1), compiled=False, report=lines.append, source=TOONS)
    assert lines == []


def test_all_stages_run_and_a_resumed_training_equals_an_unbroken_one(data, tmp_path):
    whole = Trainer(TINY, data, CPU)
    assert list(whole.run(tmp_path / "whole.pt", print)) == list(range(1, 13))
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
    assert whole.result().mean_w.abs().sum() > 0


def test_all_parts_learn_on_a_device_whose_sums_have_an_order(data):
    with pretended(), ordered():
        trainer = Trainer(TINY, data, DEVICE)
        names = {name for _ in range(12) for name in trainer.advance()}
        for kind, _ in HELPERS.values():
            names |= set(type("Tiny", (kind,), {"batch": 4, "heads": 4})(data, 1, DEVICE).advance())
    assert {"distance", "colour", "matte", "contrast"} <= names


def test_points_teach_the_generator_something(data):
    recipe = Recipe(point_steps=25, ray_steps=0, patch_steps=0, mapping_steps=0, point_heads=2, points=96, queries=48)
    trainer = Trainer(recipe, data, CPU)
    random = torch.Generator().manual_seed(0)
    batch = point_batch(Shards(data, "points"), recipe, 8, random, CPU)

    def colour() -> float:
        return float(trainer.point_losses(batch, torch.Generator().manual_seed(1))["colour"].detach())

    before = colour()
    for _ in trainer.run(data / "learn.pt", print):
        pass
    assert colour() < 0.7 * before


def test_rays_of_a_patch_meet_what_it_shows(data):
    """The exact renderer along the batch's rays gives the patch again."""
    shards = Shards(data, "patches")
    batch = patch_batch(shards, TINY, torch.Generator().manual_seed(0), CPU)
    colours, _, _ = HeadRenderer().render_rays(batch.parameters, batch.origins, batch.directions)
    again = colours.transpose(1, 2).reshape(batch.pictures.shape)
    # the patch has four rays a pixel, this one: outlines differ
    assert (again - batch.pictures).abs().median() < 0.01
    assert (again.flip(-1) - batch.pictures).abs().mean() > 2.0 * (again - batch.pictures).abs().mean()


def test_patches_are_compared_by_the_perceptual_network(data):
    class Counting(PerceptualNetwork):
        calls = 0

        def distance(self, a, b):
            Counting.calls += 1
            return (a - b).square().flatten(1).mean(1)

    recipe = replace(TINY, point_steps=0, ray_steps=0)
    trainer = Trainer(recipe, data, CPU, Counting(1))
    assert set(trainer.advance()) == {"patch", "perceptual", "distance", "colour", "background"}
    assert set(trainer.advance()) == {"patch", "perceptual", "ray", "alpha", "depth"}
    assert Counting.calls == 2 and "mapping" in trainer.advance()


def test_training_goes_on_from_a_finished_bundle(data, tmp_path):
    first = Trainer(TINY, data, CPU)
    (tmp_path / "generator.safetensors").write_bytes(save(first.generator.state_dict()))
    first.save_embedding(tmp_path)
    torch.manual_seed(9)
    second = Trainer(replace(TINY, seed=5), data, CPU)
    second.start_from(tmp_path)
    ours, theirs = first.generator.state_dict(), second.generator.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(FileNotFoundError):
        second.start_from(data)


def test_mixed_codes_take_shape_from_one_head_and_looks_from_another(data):
    trainer = Trainer(replace(TINY, mixed=1.0), data, CPU)
    z = torch.randn(3, IDENTITY_DIM, generator=torch.Generator().manual_seed(0))
    parameters = head_parameters(z, torch.zeros(3, EXPRESSION_DIM))
    codes = trainer._codes(parameters, torch.Generator().manual_seed(0))
    others = parameters.roll(1, 0)
    expected = trainer.embedding(TOONS.exchange_looks(parameters, others))
    assert torch.allclose(codes[:, 4], expected)
    expected = trainer.embedding(TOONS.exchange_looks(others, parameters))
    assert torch.allclose(codes[:, 5], expected)


def test_crops_beyond_the_frame_repeat_its_border():
    image = torch.arange(16.0).expand(4, 3, 16, 16)
    cut = beyond_the_frame(image, torch.zeros(4, 2), torch.ones(4), torch.Generator().manual_seed(3))
    changed = (cut != image).flatten(1).any(1)
    assert changed.any() and not changed.all()
    assert cut.amin() >= 0 and cut.amax() <= 15


def test_the_aligner_learns_the_matte_of_some_crops(data):
    trainer = type("Tiny", (AlignerTrainer,), {"batch": 6, "mattes": 2})(data, 60, CPU)
    losses = [float(trainer.advance()["matte"].detach()) for _ in range(60)]
    # a constant could only reach 0.93
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])
    matte = trainer.network.matte(torch.zeros(3, 3, 64, 64))
    assert matte.shape == (3, 1, 64, 64) and (matte > 0).all() and (matte < 1).all()


@pytest.mark.parametrize("kind", [AlignerTrainer, IdentityTrainer, PerceptualTrainer, JudgeTrainer])
def test_helper_networks_train_and_resume(data, tmp_path, kind):
    kind = type("Tiny", (kind,), {"batch": 4, "heads": 4})
    first = kind(data, 2, CPU)
    assert list(first.run(tmp_path / "net.pt", print)) == [1, 2]
    again = kind(data, 2, CPU)
    assert list(again.run(tmp_path / "net.pt", print)) == []
    assert all(torch.equal(a, b) for a, b in zip(first.network.parameters(), again.network.parameters(), strict=True))


def test_a_network_learns_on_from_the_weights_of_a_model(data, tmp_path, demo):
    (tmp_path / "data").symlink_to(data)
    train_helper("aligner", tmp_path, 1 / 5000, CPU, print, model_folder("demo"))
    learned = torch.load(tmp_path / "aligner.pt", weights_only=True)["network"]
    changes = [float((learned[name] - own).abs().max()) for name, own in demo.aligner.state_dict().items()]
    assert 0 < max(changes) < 1e-5  # one step of a hundredth of a quarter of the rate


def test_finished_parts_become_a_bundle(data, tmp_path, monkeypatch):
    monkeypatch.setattr("inv3d.core.world._RENDERS", 10)
    (tmp_path / "data").symlink_to(data)
    for _ in Trainer(TINY, data, CPU).run(tmp_path / "generator.pt", print):
        pass
    for name, (kind, _) in HELPERS.items():
        for _ in type("Tiny", (kind,), {"batch": 4, "heads": 4})(data, 1, CPU).run(tmp_path / f"{name}.pt", print):
            pass
    bundle = assemble(tmp_path)
    files = {path.name for path in bundle.iterdir()}
    assert files == {f"{part}.safetensors" for part in (*PARTS, "embedding", "world")} | {"model.json"}
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 20e6
    (tmp_path / "aligner.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"aligner\.pt"):
        assemble(tmp_path)


def test_the_source_is_told_by_the_shards(data, tmp_path):
    assert source_of(data) is TOONS and source_of(tmp_path) is TOONS
    dataset.write_shard(tmp_path / "encoder.safetensors", {"weight": torch.zeros(1)})
    dataset.write_shard(tmp_path / "inside-0000.safetensors", {"z": torch.zeros(2, 7)})  # a generator's own pictures
    assert source_of(tmp_path, PEOPLE) is PEOPLE
    dataset.generate(tmp_path, dataset.DataPlan(0, 0, 0, 0, 0, 0), False, print, PEOPLE)  # may be drawn beside them
    dataset.write_shard(tmp_path / "points-0000.safetensors", {"z": torch.zeros(2, PEOPLE.identity_dim)})
    assert source_of(tmp_path) is PEOPLE
    with pytest.raises(UsageError):
        dataset.generate(tmp_path, dataset.DataPlan(1, 1, 1, 1, 1, 1), False, print, TOONS)


def test_lookalikes_of_people_share_hair_and_colours_but_not_the_face():
    z, rest = (
        torch.randn(2, n, generator=torch.Generator().manual_seed(1))
        for n in (PEOPLE.identity_dim, PEOPLE.expression_dim)
    )
    one, other = PEOPLE.parameters(z, rest).split(1)
    mixed = dict(zip(PEOPLE.parameter_names, PEOPLE.lookalikes(one, other)[0], strict=True))
    own, theirs = (dict(zip(PEOPLE.parameter_names, row[0], strict=True)) for row in (one, other))
    assert all(mixed[name] == own[name] for name in ("hair_top", "curl", "glasses", "melanin", "key_x", "cloth_r"))
    assert all(mixed[name] == theirs[name] for name in ("shape_0", "sex", "brow_thickness"))
