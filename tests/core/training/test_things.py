"""A smoke version of the recipe of things: from cats or chairs to a model that finds them and reads their codes."""

from dataclasses import replace

import pytest
import torch

from inv3d.core.bundle import load_folder
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.pyramid import Encoder
from inv3d.core.training import dataset, encoders, preim3d, recipe
from inv3d.core.training.generator import Recipe
from inv3d.core.training.prepare import Plan
from inv3d.core.training.renders import Renders
from inv3d.core.training.source import CATS, CHAIRS, Source, source_of

CPU = torch.device("cpu")
TINY = Recipe(
    point_steps=4, ray_steps=2, patch_steps=2, mapping_steps=2, point_heads=2, points=96, queries=48, ray_heads=2, rays=24, ray_samples=6,
    mapping_batch=16, checkpoint_every=3,
)  # fmt: skip
SMALL = Renders("samples", 80_000, 6, 2, 32, 0.7, 0.3, 1.0)


@pytest.fixture(params=[CATS, CHAIRS], ids=lambda source: source.name)
def source(request: pytest.FixtureRequest) -> Source:
    found: Source = request.param
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch, source):
    """A folder with a little data, and recipes to match."""
    artist, data = source.artist(compiled=False), tmp_path / "data"
    data.mkdir()
    dataset.write_shard(data / "points-0000.safetensors", dataset.point_shard(source, artist, 0, heads=4, points=240))
    monkeypatch.setattr(dataset, "RAYS_PER_VIEW", 48)
    dataset.write_shard(data / "rays-0000.safetensors", dataset.ray_shard(source, artist, 0, heads=2))
    monkeypatch.setattr(dataset, "PATCH_SIDE", 8)
    dataset.write_shard(data / "patches-0000.safetensors", dataset.patch_shard(source, artist, 0, heads=2))
    monkeypatch.setattr(dataset, "IMAGE_RESOLUTION", 32)
    dataset.write_shard(data / "images-0000.safetensors", dataset.image_shard(source, artist, 0, heads=3))
    monkeypatch.setattr(recipe, "load_perceptual", lambda name, device: None)  # LPIPS, where it is, needs larger patches
    monkeypatch.setattr(recipe, "_DATA", {source.name: dataset.DataPlan(points=1, rays=1, images=1, wide=0, twins=0, patches=1)})
    monkeypatch.setattr(recipe, "_RECIPES", {source.name: TINY})
    monkeypatch.setattr(recipe, "_PREPARED", Plan(shards=1, heads=4, resolution=48, steps=2))
    few = replace(preim3d.SMALL, steps=2, batch=4, rendered=2, sample_shards=1, samples=SMALL)
    monkeypatch.setattr(encoders, "SMALL", few)
    monkeypatch.setattr(recipe, "_SAMPLES", 1)
    monkeypatch.setattr(preim3d.EncoderRecipe, "scaled", lambda recipe, factor: recipe)
    return tmp_path


def test_one_command_trains_a_small_model_that_finds_and_reads_things(folder, monkeypatch, source):
    assert source_of(folder / "data") is source
    lines: list[str] = []
    recipe.make_data(folder, 1.0, False, lines.append, source)
    assert lines == []  # the data is there
    out = recipe.train_all(folder, 1.0, CPU, lines.append)
    assert out == folder / source.name
    assert {path.name for path in out.iterdir()} == {
        "model.json", "generator.safetensors", "embedding.safetensors", "codes.safetensors", "aligner.safetensors",
        "preim3d.safetensors",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in out.iterdir()) <= 8_000_000
    bundle = load_folder(out)
    assert bundle.name == source.name and bundle.shows_things and bundle.info.drawn_from == source.name
    assert bundle.info.perceptual_outputs is None  # it borrows the networks that compare pictures
    assert bundle.aligner(torch.zeros(1, 3, 64, 64)).shift.shape == (1, 2)
    saved: list[Encoder] = []
    monkeypatch.setattr(recipe, "save_encoder", lambda encoder, path: saved.append(encoder))
    lines.clear()
    recipe.train_all(folder, 1.0, CPU, lines.append)
    assert not any(line.startswith(("generator", "aligner", PREIM3D)) for line in lines)  # nothing is trained again
    assert saved[0](torch.zeros(1, 3, 256, 256)).shape == (1, 10, 128)


def test_a_thing_has_no_identity_for_its_encoder_to_keep(demo):
    import dataclasses

    things = dataclasses.replace(demo, info=demo.info.changed(subject="things"))
    own, found = encoders.recipe_for(demo), encoders.recipe_for(things)
    assert own.fit.identity > 0 and found.fit.identity == 0
    assert own.around_weight(own.steps - 1) > 0 and found.around_weight(found.steps - 1) == 0
