from dataclasses import replace

import pytest
import torch

from inv3d.core.inversion.settings import FAST, PAPER
from inv3d.core.training.likeness import beside, likeness

SAMPLED = replace(FAST, rays_per_view=32, samples=6, whole_resolution=16)


@pytest.fixture(scope="module")
def heads(demo):
    """Codes of two heads, their cameras, and their pictures."""
    codes = demo.generator.mapping(torch.randn(2, demo.generator.z_dim, generator=torch.Generator().manual_seed(3)))
    cameras = demo.info.camera(torch.tensor([0.3, -0.2]), torch.zeros(2))
    with torch.no_grad():
        return codes, cameras, demo.generator(codes, cameras, 32).image


def pixel(demo, fit, codes, cameras, images, few=1):
    scene = demo.generator.scene(codes)
    with torch.no_grad():
        return float(likeness(demo, fit, scene, cameras, images, few, torch.Generator().manual_seed(0))["pixel"])


@pytest.mark.parametrize("fit", [SAMPLED, replace(PAPER, whole_resolution=32)])
def test_pictures_are_met_by_their_own_codes(demo, heads, fit):
    codes, cameras, images = heads
    right, wrong = (pixel(demo, fit, each, cameras, images) for each in (codes, codes.flip(0)))
    assert right < 0.1 * wrong


def test_pixels_are_drawn_of_all_pictures_and_few_are_compared_whole(demo, heads, monkeypatch):
    codes, cameras, images = heads
    sizes = []
    render = type(demo.generator).render

    def watched(self, scene, *others, **named):
        sizes.append(len(scene))
        return render(self, scene, *others, **named)

    monkeypatch.setattr(type(demo.generator), "render", watched)
    pixel(demo, SAMPLED, codes, cameras, images, few=1)
    pixel(demo, replace(PAPER, whole_resolution=16), codes, cameras, images, few=1)
    assert sizes == [1, 2]
    # the second picture counts although it is not compared whole
    spoiled = torch.cat([images[:1], -images[1:]])
    assert pixel(demo, SAMPLED, codes, cameras, spoiled) > 5 * pixel(demo, SAMPLED, codes, cameras, images)


def test_a_picture_is_shown_beside_its_head_from_its_own_side_first(demo, heads):
    codes, cameras, images = heads
    shown = beside(demo, images, codes, cameras.yaw, cameras.pitch, (0.0,))
    assert shown.shape == (3, 2 * 32, 3 * 32)
    assert torch.allclose(shown[:, :32, 32:64], images[0], atol=0.05)
