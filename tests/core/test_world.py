"""What a model's own networks have seen."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import load_bundle
from inv3d.core.errors import ModelError
from inv3d.core.library import model_folder
from inv3d.core.networks.identity import IdentityNetwork
from inv3d.core.world import OUTSIDE, Gaussian, Measured, World

REAL = Path(__file__).parents[3] / "shared" / "real"


def picture(pixels: NDArray[np.uint8]) -> Tensor:
    """Of square pixels [S,S,3]."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(image, (128, 128), mode="area")


def refuse(why: str) -> ModelError:
    return ModelError(why, "")


def test_the_distance_of_a_gaussian_is_that_of_mahalanobis():
    """One main direction of variance 4, and 0.25 for the rest."""
    side = torch.tensor([[0.6], [0.8], [0.0]])
    gaussian = Gaussian(
        torch.tensor([1.0, 0.0, 0.0]), torch.tensor([2.0, 1.0, 1.0]), side, torch.tensor([4.0]), torch.tensor(0.25)
    )
    standard = torch.tensor([0.6, 0.8, 0.0]) * 3.0 + torch.tensor([-0.8, 0.6, 0.0]) * 0.5
    features = standard * torch.tensor([2.0, 1.0, 1.0]) + torch.tensor([1.0, 0.0, 0.0])
    expected = ((9.0 / 4.0 + 0.25 / 0.25) / 3) ** 0.5
    assert gaussian.distance(features[None]).tolist() == pytest.approx([expected], abs=1e-5)


def test_features_of_the_fitted_kind_are_near_and_others_far():
    random = torch.Generator().manual_seed(0)
    mix = torch.randn(64, 64, generator=random)
    features = torch.randn(400, 64, generator=random) @ mix
    gaussian = Gaussian.fitted(features[:300])
    assert gaussian.directions.shape == (64, 40)
    assert 0.8 < float(gaussian.distance(features[300:]).mean()) < 1.3
    assert float(gaussian.distance(features[300:].flip(1)).mean()) > 1.5


def plain(border: float) -> Measured:
    """Two stages of two features around 0 with variance 1."""
    one = Gaussian(torch.zeros(2), torch.ones(2), torch.tensor([[1.0], [0.0]]), torch.ones(1), torch.tensor(1.0))
    return Measured((one, one), border, 0.1)


def test_strangeness_is_the_geometric_mean_of_distances_over_the_border():
    first, second = torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0]])
    expected = (12.5 * 0.5) ** 0.25 / 2.0
    assert plain(2.0).strangeness((first, second)).tolist() == pytest.approx([expected])


def test_what_was_measured_is_read_again_only_for_the_same_weights(demo, tmp_path):
    judge = demo.world.judge
    measured = demo.world.measured
    measured.save(tmp_path / "world.safetensors", "these")
    again = Measured.load(tmp_path / "world.safetensors", "these", judge, refuse)
    assert again is not None and again.border == pytest.approx(measured.border)
    assert torch.allclose(again.stages[2].directions, measured.stages[2].directions, atol=1e-3)
    assert Measured.load(tmp_path / "world.safetensors", "others", judge, refuse) is None
    assert Measured.load(tmp_path / "missing.safetensors", "these", judge, refuse) is None
    (tmp_path / "world.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        Measured.load(tmp_path / "world.safetensors", "these", judge, refuse)


def test_the_world_of_the_embedded_model_was_measured_with_its_weights(monkeypatch):
    """Otherwise every run would measure it again: save the bundle once, as its training does."""

    def measured(*arguments: object) -> Measured:
        raise AssertionError("world.safetensors is not of these weights: run `python benchmarks/photographs.py --save`")

    monkeypatch.setattr("inv3d.core.bundle.measure_world", measured)
    world = load_bundle("demo").world
    assert world is not None and world.measured.border > 0
    assert (model_folder("demo") / "world.safetensors").stat().st_size < 60_000


def test_renders_lie_inside_and_noise_outside(demo, head):
    cameras = head.camera(torch.tensor([-0.6, 0.0, 0.6]), torch.zeros(3))
    renders = torch.cat(head.render_each(cameras, lambda render: render.image, 64))
    assert demo.strangeness(renders) < OUTSIDE
    noise = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert demo.strangeness(noise) > OUTSIDE
    assert demo.strangeness(F.interpolate(renders, (256, 256))) < OUTSIDE


def test_several_pictures_are_judged_by_their_median(monkeypatch):
    sides = torch.tensor([2.0, 4.0, 18.0])[:, None] * torch.ones(3, 2)
    monkeypatch.setattr("inv3d.core.world._features", lambda judge, images: [sides, sides])
    assert World(IdentityNetwork(), lambda: plain(2.0)).strangeness(torch.zeros(3, 3, 64, 64)) == pytest.approx(2.0)


@pytest.mark.skipif(not REAL.exists(), reason="the photos are not here")
def test_photographs_of_people_lie_inside_and_of_other_things_outside(demo):
    for i in range(1, 7):
        assert demo.strangeness(picture(np.array(Image.open(REAL / f"photo-{i}.jpg").convert("RGB")))) < OUTSIDE, i
    assert demo.strangeness(picture(data.rocket()[:427, :427])) > OUTSIDE
    assert demo.strangeness(picture(data.chelsea()[:, :300])) > OUTSIDE
