from dataclasses import replace

import pytest
import torch

from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.store import load_encoder
from inv3d.core.encoders.wtri import Wtri
from inv3d.core.errors import InputError
from inv3d.core.training import wtri
from inv3d.core.training.dataset import write_shard
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.renders import Renders
from inv3d.core.training.wtri import SMALL_WTRI, WtriTrainer, config_for, recipe_for
from tests.core.training.stopping import trained

CPU = torch.device("cpu")
TINY = replace(
    SMALL_WTRI,
    steps=3,
    batch=2,
    cycled=2,
    whole=1,
    fit=replace(SMALL_WTRI.fit, rays_per_view=16, samples=4, whole_resolution=16),
)


@pytest.fixture(scope="module")
def folder(demo, tmp_path_factory):
    """A few small pictures."""
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder / "images-0000.safetensors", Renders("images", 5, 3, 2, 24, 0.7, 0.3, 1.0).shard(demo, 0))
    return folder


def trainer(demo, folder, recipe=TINY):
    torch.manual_seed(0)
    config = config_for(demo, recipe.planes)
    part = replace(config.backbone, input_size=64, widths=(16,) * 4, units=(1,) * 4, style_width=16, code_width=16)
    encoder = Wtri(replace(config, backbone=part, passes=2, render_size=16))
    return WtriTrainer(demo, encoder, recipe, Pictures.read(folder, "images", own=False), CPU)


def test_the_losses_are_those_of_the_paper(demo, folder):
    full = {"pixel", "absolute", "perceptual", "identity", "similarity", "regularisation", "cycle"}
    found = trainer(demo, folder).losses(torch.Generator().manual_seed(1))
    assert found.keys() == full and all(bool(loss.isfinite()) for loss in found.values())
    assert trainer(demo, folder, replace(TINY, cycle=0.0)).losses(torch.Generator().manual_seed(1)).keys() == full - {"cycle"}


def test_all_weights_learn_and_the_generator_does_not(demo, folder):
    training = trainer(demo, folder)
    torch.stack(list(training.losses(torch.Generator().manual_seed(1)).values())).sum().backward()
    assert [name for name, each in training.network.named_parameters() if each.grad is None] == []
    assert all(each.grad is None for each in demo.generator.parameters())


def test_the_distance_to_the_mean_code_is_a_root_mean_square(demo, folder, monkeypatch):
    training = trainer(demo, folder, replace(TINY, cycle=0.0))
    monkeypatch.setattr(training.network, "encoded", lambda *arguments: training.network.mean_code[None] + 0.1)
    monkeypatch.setattr(training.network, "update", lambda *arguments: torch.full((2, 18, 256), 0.2))
    found = training.losses(torch.Generator().manual_seed(1))
    assert float(found["regularisation"]) == pytest.approx(0.3 * TINY.regularisation, rel=1e-4)


def test_every_pass_is_learned(demo, folder, monkeypatch):
    training, seen = trainer(demo, folder, replace(TINY, cycle=0.0)), set()
    encoded = training.network.encoded

    def counted(generator, images, cameras, passes):
        seen.add(passes)
        return encoded(generator, images, cameras, passes)

    monkeypatch.setattr(training.network, "encoded", counted)
    for seed in range(8):
        training.losses(torch.Generator().manual_seed(seed))
    assert seen == {0, 1}  # those before the one that is learned


def test_the_cycle_compares_codes_with_those_of_their_renders_from_other_sides(demo, folder, monkeypatch):
    training = trainer(demo, folder)
    encoder, seen = training.network, []
    before, codes = encoder.mean_code[None] + 0.1, (encoder.mean_code + 0.3).expand(2, -1, -1)
    shown, scene = (encoder.scene(demo.generator, each) for each in (before, codes))

    def update(generator, scene, images, cameras):
        seen.append((scene, images, cameras.yaw))
        return torch.full((2, 18, 256), 0.05)

    monkeypatch.setattr(encoder, "update", update)
    found = training._cycle(before, shown, codes, scene, torch.Generator().manual_seed(3))
    assert float(found) == pytest.approx(0.15, rel=1e-4)
    compared, images, yaw = seen[0]
    sides = training.pictures.yaw
    assert compared is shown and all(bool(((each - sides).abs() < 1e-4).any()) for each in yaw)
    expected = encoder.drawn(demo.generator, scene, demo.info.camera(yaw, torch.zeros(2)))
    assert images.shape == expected.shape and float((images - expected).abs().mean()) < 0.1


def test_the_training_begins_as_the_models_encoder_into_w_plus(demo, folder):
    training = wtri.make_trainer(demo, TINY, folder, CPU)
    start, statistics = load_encoder("demo", PREIM3D), dict(training.network.named_buffers())
    image, render = torch.rand(2, 1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = demo.generator.wtri_space.widened(start(image) - start(render))
        assert torch.allclose(training.average(image, render), expected, atol=1e-4)
    kept = {name: each.clone() for name, each in statistics.items()}
    training.advance()
    assert all(torch.equal(each, kept[name]) for name, each in training.network.named_buffers())


def test_without_such_an_encoder_norms_learn_their_statistics(demo, folder, monkeypatch, tmp_path):
    monkeypatch.setattr("inv3d.core.encoders.store.encoder_file", lambda model, name: tmp_path / name)
    assert not wtri.begin(Wtri(config_for(demo)), demo)
    training = trainer(demo, folder)
    kept = {name: each.clone() for name, each in training.network.named_buffers() if name.endswith("running_mean")}
    training.advance()
    assert kept and not any(torch.equal(each, dict(training.network.named_buffers())[name]) for name, each in kept.items())


def test_a_stopped_training_ends_with_the_same_weights(demo, folder, tmp_path):
    whole, parts = (
        trained(lambda: trainer(demo, folder), tmp_path / name, stops).average.state_dict().values()
        for name, stops in (("whole", [3]), ("parts", [1, 3]))
    )
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_training_brings_renders_nearer_to_a_picture(demo, folder):
    recipe = replace(TINY, steps=60, lr=2e-2, cycle=0.0, fit=replace(TINY.fit, perceptual=0.0, identity=0.0, similarity=0.0))
    training = trainer(demo, folder, recipe)
    training.pictures = Pictures(*(each[:1] for each in (training.pictures.images, training.pictures.yaw, training.pictures.pitch)))
    losses = [float(training.advance()["pixel"].detach()) for _ in range(12)]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_the_grid_shows_pictures_and_heads(demo, folder):
    assert trainer(demo, folder).grid(pictures=1, sides=(0.0,)).shape == (3, 24, 3 * 24)


def test_ingredients_can_be_left_out(demo):
    plain, full = (recipe_for(demo, 0.5, frozenset(left_out)) for left_out in ({"planes", "cycle"}, set()))
    assert full == SMALL_WTRI.scaled(0.5) and (full.steps, full.shards) == (800, 2)
    assert plain.cycle == 0.0 and not plain.planes
    assert config_for(demo, planes=False).num_ws == 10 and config_for(demo).num_ws == 18


def test_missing_pictures_are_named(demo, tmp_path):
    with pytest.raises(InputError, match="no images shards"):
        wtri.make_trainer(demo, TINY, tmp_path, CPU)
