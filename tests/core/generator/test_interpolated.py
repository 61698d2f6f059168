import math

import pytest
import torch

from inv3d.core.camera import Rays
from inv3d.core.generator.interface import RayColors
from inv3d.core.generator.interpolated import interpolated


def pixels(size: int) -> Rays:
    """Rays that say which pixel they belong to: x, y, 0."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    places = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(1, -1, 3).float()
    return Rays(places, places)


class Picture:
    """A smooth slope with one sharp edge, beyond which nothing covers the pixels; counts the rays that it is asked for."""

    def __init__(self, edge: float = math.inf) -> None:
        self.edge, self.asked = edge, 0

    def __call__(self, rays: Rays) -> RayColors:
        x, y, _ = rays.origins.unbind(-1)
        self.asked += x.shape[1]
        covered = (x < self.edge).float()
        features = torch.stack([0.01 * x, 0.02 * y, 0.01 * x - 0.01 * y], -1) * covered[..., None]
        return RayColors(features, 2.0 + 0.003 * x, covered)


@pytest.mark.parametrize("size", [5, 8, 13, 30, 64])
def test_a_slope_is_interpolated(size):
    picture = Picture()
    found, exact = interpolated(picture, pixels(size), size), Picture()(pixels(size))
    for ours, theirs in zip(vars(found).values(), vars(exact).values(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert picture.asked < 0.3 * size * size or size < 30


def test_edges_are_rendered():
    picture = Picture(edge=33.0)
    found, exact = interpolated(picture, pixels(64), 64), Picture(edge=33.0)(pixels(64))
    assert torch.equal(found.alpha, exact.alpha)
    assert torch.allclose(found.features, exact.features, atol=1e-5)
    assert picture.asked < 0.5 * 64 * 64


def test_noise_is_rendered_whole():
    values = torch.rand(1, 32 * 32, 3)

    def noise(rays: Rays) -> RayColors:
        x, y, _ = rays.origins.long().unbind(-1)
        return RayColors(values[:, (y * 32 + x)[0]], torch.ones_like(x), torch.ones_like(x))

    found = interpolated(noise, pixels(32), 32)
    assert (found.features - values).abs().amax(-1).gt(0.01).float().mean() < 0.02
