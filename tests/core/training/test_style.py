from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytest.importorskip("warp", reason="people are drawn with the extra `train`")

from inv3d.core.bundle import Bundle
from inv3d.core.editing.styles import load_style, save_style, style_file
from inv3d.core.errors import ModelError
from inv3d.core.library import model_folder
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training import dataset, style
from inv3d.core.training.generator import PointBatch, Recipe, Shards, point_batch
from inv3d.core.training.source import PEOPLE
from inv3d.core.training.style import StyleTrainer
from inv3d.core.training.stylised import StylisedArtist
from tests.core.people.standin import standin_basis
from tests.core.training.test_stylised import Measured

CPU = torch.device("cpu")
TINY = Recipe(
    point_steps=3, ray_steps=2, patch_steps=1, mapping_steps=0, point_heads=2, points=64, queries=32, ray_heads=1, rays=16, ray_samples=4,
    patch_heads=1, checkpoint_every=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toons")
    artist = StylisedArtist(Measured(standin_basis()), HeadRenderer())
    dataset.write_shard(folder / "points-0000.safetensors", dataset.point_shard(PEOPLE, artist, 0, heads=2, points=120))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "RAYS_PER_VIEW", 24)
        dataset.write_shard(folder / "rays-0000.safetensors", dataset.ray_shard(PEOPLE, artist, 0, heads=1))
        patch.setattr(dataset, "PATCH_SIDE", 8)
        dataset.write_shard(folder / "patches-0000.safetensors", dataset.patch_shard(PEOPLE, artist, 0, heads=1))
    return folder


def trainer(data: Path, demo: Bundle, recipe: Recipe = TINY) -> StyleTrainer:
    return StyleTrainer(recipe, data, CPU, demo.perceptual, model_folder("demo"))


def test_a_resumed_training_equals_an_unbroken_one_and_its_style_is_saved(data, demo, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "_HALFWAY", 0.5)
    whole, stopped, resumed = (trainer(data, demo) for _ in range(3))
    assert list(whole.run(tmp_path / "whole.pt", print)) == list(range(1, 7))
    for step in stopped.run(tmp_path / "part.pt", print):
        if step == 4:
            break
    for _ in resumed.run(tmp_path / "part.pt", print):
        pass
    changes, again = whole.changes(), resumed.changes()
    assert all(torch.equal(changes[name], again[name]) for name in changes)
    names = set(dict(demo.generator.named_parameters()))
    assert set(changes) == {name for name in names if not name.startswith("backbone.mapping")}
    assert changes["canonical.planes"].shape == (3, 16, 256, 256)
    save_style(style_file(tmp_path, "toon"), "", changes, "0" * 16)
    found = load_style(tmp_path, "toon", demo.generator, "0" * 16, lambda why: ModelError(why, ""))
    for name in ("decoder.net.2.weight", "background.bias"):
        own = changes[name]  # of which narrow products may leave out a share
        assert float(own.norm()) > 0.0 and float((found.changes[name] - own).norm()) < 0.42 * float(own.norm())


def test_without_changes_it_is_the_model(data, demo):
    own = trainer(data, demo)
    codes = demo.generator.mapping(torch.randn(1, demo.generator.z_dim, generator=torch.Generator().manual_seed(3)))
    points = 0.2 * torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = demo.generator.surface(demo.generator.scene(codes), points)
    for name, weight in own.generator.named_parameters():
        if name.endswith(".original"):
            weight.data.add_(0.1)
    with own._styled(0.0), torch.no_grad():
        assert torch.allclose(own.generator.surface(own.generator.scene(codes), points).level, expected.level, atol=1e-4)
    with torch.no_grad():
        changed = own.generator.surface(own.generator.scene(codes), points).level
    assert not torch.allclose(changed, expected.level, atol=0.1)


def test_halfway_heads_lie_between(data, demo):
    own, random = trainer(data, demo), torch.Generator().manual_seed(0)
    batch = point_batch(Shards(data, "points"), TINY, 2, random, CPU)
    half, whole = (own._halfway(batch, share, torch.Generator().manual_seed(1)) for share in (0.5, 1.0))
    none = own._halfway(batch, 0.0, torch.Generator().manual_seed(1))
    assert torch.allclose(whole.targets, batch.targets) and torch.allclose(whole.colours, batch.colours)
    assert torch.allclose(half.targets, 0.5 * (none.targets + batch.targets), atol=1e-6)
    own.recipe = replace(own.recipe, mixed=0.0)
    # the unchanged model already makes the heads of strength 0
    losses = distance_loss(own, own._halfway(batch, 0.0, torch.Generator().manual_seed(1)))
    assert losses < 0.2 * distance_loss(own, batch)


def distance_loss(own: StyleTrainer, batch: PointBatch) -> float:
    with own._styled(0.0), torch.no_grad():
        return float(super(StyleTrainer, own).point_losses(batch, torch.Generator().manual_seed(1))["distance"])
