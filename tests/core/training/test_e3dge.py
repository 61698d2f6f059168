from dataclasses import replace

import pytest
import torch

from inv3d.core.encoders.e3dge import Encoded
from inv3d.core.training import e3dge_recipe
from inv3d.core.training.e3dge import SMALL_GLOBAL, GlobalRecipe
from inv3d.core.training.renders import Renders
from tests.core.training.stopping import trained

CPU = torch.device("cpu")
TINY = replace(
    SMALL_GLOBAL,
    steps=4,
    batch=4,
    rendered=2,
    fit=replace(SMALL_GLOBAL.fit, rays_per_view=24, samples=4, whole_resolution=16),
    geometry_rays=16,
    samples=Renders("samples", 80_000, 3, 2, 24, 0.7, 0.3, 1.0),
)


@pytest.fixture(scope="module")
def shards(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    TINY.samples.draw(demo, folder, 1, lambda line: None)
    return folder


def trainer(demo, shards, recipe=TINY):
    encoder = e3dge_recipe.make_encoder(demo, recipe)
    return e3dge_recipe.make_global_trainer(demo, encoder, recipe, shards, CPU)


class Known(torch.nn.Module):
    """Gives the same for whatever it sees."""

    def __init__(self, codes, pose):
        super().__init__()
        self.found = Encoded(codes, pose)

    def forward(self, images):
        return self.found


def test_the_defaults_are_the_papers():
    paper = GlobalRecipe()
    assert (paper.fit.pixel, paper.fit.perceptual, paper.fit.identity) == (1.0, 0.8, 0.1)
    assert (paper.lr, paper.steps, paper.batch) == (5e-5, 500_000, 4)


def test_true_codes_and_sides_leave_little_to_lose(demo, shards):
    training = trainer(demo, shards)
    rows = torch.randint(len(training.pictures), (TINY.batch,), generator=torch.Generator().manual_seed(7))
    true = TINY.samples.codes(demo, training.pictures.z[rows])
    pose = torch.stack([training.pictures.yaw[rows], training.pictures.pitch[rows]], 1)
    found = {}
    for name, codes in (("true", true), ("mean", demo.mean_code.expand_as(true))):
        training.network = Known(codes, pose)
        found[name] = training.losses(torch.Generator().manual_seed(7))
    assert float(found["true"]["code"]) == 0.0 and float(found["true"]["pose"]) < 1e-4
    # gradients are taken through bfloat16 where that is fast, targets are not
    assert float(found["true"]["surface"]) < 1e-3 * float(found["mean"]["surface"])
    assert float(found["true"]["pixel"]) < 0.25 * float(found["mean"]["pixel"])


def test_geometry_can_be_left_out(demo, shards):
    recipe = e3dge_recipe.global_recipe(demo, 1.0, frozenset(["geometry"]))
    assert recipe.geometry is None and e3dge_recipe.global_recipe(demo, 1.0, frozenset()).geometry is not None
    names = trainer(demo, shards, replace(TINY, geometry=None)).losses(torch.Generator()).keys()
    assert not {"surface", "depth", "around"} & names and {"pixel", "perceptual", "identity", "code", "pose"} <= names


def test_a_stopped_training_ends_with_the_same_weights(demo, shards, tmp_path):
    whole, parts = (
        trained(lambda: trainer(demo, shards), tmp_path / name, stops).average.state_dict().values()
        for name, stops in (("whole", [4]), ("parts", [1, 3, 4]))
    )
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_the_grid_shows_the_pictures_from_several_sides(demo, shards):
    assert trainer(demo, shards).grid(pictures=1).shape == (3, 24, 5 * 24)


def test_the_encoder_of_a_small_model_is_small(demo, shards):
    network = trainer(demo, shards).network
    assert 2 * sum(p.numel() for p in network.parameters()) < 6_000_000
