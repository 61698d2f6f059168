import dataclasses

import pytest
import torch

from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.head import Head
from inv3d.core.headfile import load_head, save_head
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.noise import free_noise, noise_regularisation, normalise, with_noise
from inv3d.core.inversion.settings import PAPER
from inv3d.core.views import Views


@pytest.fixture(scope="module")
def noisy(demo):
    """A small generator whose layers add noise, as the public ones do."""
    config = GeneratorConfig(
        z_dim=8, w_dim=8, c_dim=0, channel_base=256, channel_max=8, plane_resolution=32, superresolution=None,
        raw_resolution=16,
    )  # fmt: skip
    torch.manual_seed(0)
    generator = TriplaneGenerator(config).eval().requires_grad_(False)
    for name, strength in generator.named_parameters():
        if name.endswith("noise_strength"):
            strength.fill_(0.5)
    return dataclasses.replace(demo, generator=generator, statistics=None)


def test_freed_maps_are_those_of_a_copy(noisy):
    generator = noisy.generator
    copied, maps = free_noise(generator)
    assert len(maps) == 7 and all(each.requires_grad for each in maps.values())  # 4: one layer; 8, 16 and 32: two
    assert all(copied.noise_maps[name] is each for name, each in maps.items())
    assert not any(each.requires_grad for each in generator.noise_maps.values())


def test_a_generator_without_noise_is_not_copied(demo):
    assert free_noise(demo.generator) == (demo.generator, {})


def test_other_maps_make_another_scene_of_a_copy(noisy):
    generator, camera = noisy.generator, noisy.info.front
    flat = {name: torch.zeros_like(each) for name, each in generator.noise_maps.items()}
    code = generator.code_space.repeat(generator.mean_w[None])
    before = generator(code, camera).image
    assert not torch.equal(with_noise(generator, flat)(code, camera).image, before)
    assert torch.equal(generator(code, camera).image, before)


def test_the_regularisation_counts_every_scale_and_both_axes():
    """A map of ones correlates fully: products of 1, 4 and 16 at 32, 16 and 8 pixels."""
    assert float(noise_regularisation([torch.ones(32, 32)])) == pytest.approx(2 * (1 + 4**2 + 16**2))
    assert float(noise_regularisation([torch.ones(4, 4)])) == pytest.approx(2.0)
    across = torch.ones(8, 8)
    across[:, ::2] = 0.0  # no two neighbours across, all neighbours down
    assert float(noise_regularisation([across])) == pytest.approx(0.5**2)


def test_noise_itself_costs_next_to_nothing():
    noise = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    assert float(noise_regularisation([noise])) < 0.2 < 0.01 * float(noise_regularisation([torch.ones(64, 64)]))


def test_maps_are_normalised_in_place():
    noise = 3.0 + 5.0 * torch.rand(16, 16, generator=torch.Generator().manual_seed(0))
    normalise([noise])
    assert float(noise.mean()) == pytest.approx(0.0, abs=1e-5) and float(noise.square().mean()) == pytest.approx(1.0)


def test_an_inversion_finds_maps_that_its_head_keeps(noisy, tmp_path, monkeypatch):
    """Without any tuning, and also if the stage comes from an earlier run."""
    camera = noisy.info.front
    views = Views(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), camera, (0,), (0.0,))
    settings = dataclasses.replace(PAPER, wplus_steps=3, tuning_steps=0, identity=0.0, noise=1e5, space="w")
    kept, losses = {}, []

    def keep(name, make):
        if name not in kept:
            kept[name] = make()
        return kept[name]

    def made() -> Head:
        told = lambda stage, step, steps, values: losses.append(values["noise"])  # noqa: E731
        return invert(Footage.of_one(views), noisy, settings, keep=keep, progress=told).head

    head, again = made(), made()
    assert len(losses) == 3 and all(loss > 0 for loss in losses)
    own, base = head.generator.noise_maps, noisy.generator.noise_maps
    assert not any(torch.equal(own[name], base[name]) for name in base)
    assert torch.equal(again.render(camera).image, head.render(camera).image)
    save_head(head, tmp_path)
    monkeypatch.setattr("inv3d.core.headfile.load_bundle", lambda name, device: noisy)
    assert torch.equal(load_head(tmp_path).render(camera).image, head.render(camera).image)
