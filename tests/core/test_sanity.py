import dataclasses

import pytest
import torch

from inv3d.core.bundle import ModelInfo
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.config import GeneratorConfig, RenderingConfig
from inv3d.core.sanity import look_at_mean

CONFIG = GeneratorConfig(
    z_dim=4, w_dim=4, plane_resolution=8, channel_base=32, channel_max=4, raw_resolution=16, superresolution=None,
    rendering=RenderingConfig(coarse_samples=24, fine_samples=8),
)  # fmt: skip


@pytest.fixture
def info():
    return ModelInfo(name="x", description="", license="", radius=2.7, focal=4.26, known_yaw=60.0, generator=CONFIG)


@pytest.fixture
def generator():
    """One whose density and colours are those of its decoder's biases."""
    network = TriplaneGenerator(CONFIG).eval()
    network.get_parameter("decoder.net.2.weight").data.zero_()
    return network


def with_density(generator, raw):
    generator.decoder.net[2].bias.data[0] = raw
    return generator


def test_the_embedded_generator_is_as_it_should_be(demo):
    look = look_at_mean(demo.generator, demo.info)
    assert look.oddities == () and look.pictures.shape == (3, 3, 64, 64)
    assert not torch.allclose(look.pictures[0], look.pictures[2], atol=0.05)


def test_space_without_anything_is_told(generator, info):
    (oddity, *_) = look_at_mean(with_density(generator, -20.0), info).oddities
    assert oddity.startswith("it has no surface")


def test_fog_is_told(generator, info):
    found = look_at_mean(with_density(generator, 1.0), info).oddities
    assert any("transparent" in oddity for oddity in found)


def test_a_wall_is_told(generator, info):
    found = look_at_mean(with_density(generator, 300.0), info).oddities
    assert any("flat" in oddity for oddity in found)
    assert any("one colour" in oddity for oddity in found)


def test_a_surface_in_the_wrong_place_is_told(generator, info):
    far = dataclasses.replace(CONFIG, rendering=dataclasses.replace(CONFIG.rendering, near=7.0, far=8.0))
    other = TriplaneGenerator(far).eval()
    other.load_state_dict(with_density(generator, 300.0).state_dict())
    assert any("from the camera" in oddity for oddity in look_at_mean(other, info).oddities)


def test_numbers_that_are_not_finite_are_told(generator, info):
    generator.decoder.net[2].bias.data[1] = torch.nan
    look = look_at_mean(with_density(generator, 300.0), info)
    assert look.oddities == ("its pictures contain NaN or infinity",) and torch.isfinite(look.pictures).all()
