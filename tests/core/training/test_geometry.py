import pytest
import torch

from inv3d.core.camera import Rays
from inv3d.core.training.geometry import GeometryWeights, geometry_losses


@pytest.fixture(scope="module")
def scenes(demo):
    """Two scenes, and rays of the middle of a picture."""
    codes = demo.generator.mapping(torch.randn(2, demo.generator.z_dim, generator=torch.Generator().manual_seed(3)))
    rays = demo.info.camera(torch.tensor([0.2]), torch.zeros(1)).rays(16)
    with torch.no_grad():
        yield [demo.generator.scene(code[None], guide_cells=20) for code in codes], Rays(*(r[:, 64:192] for r in rays))


def losses(demo, predicted, true, rays, **weights):
    depth = demo.generator.render_rays(predicted, rays).depth
    return geometry_losses(
        demo.generator, predicted, true, rays, depth, GeometryWeights(**weights), torch.Generator().manual_seed(1)
    )


def test_the_same_shape_has_no_loss_but_noise_of_sampling(demo, scenes):
    (one, other), rays = scenes
    same, apart = losses(demo, one, one, rays), losses(demo, other, one, rays)
    assert float(same["surface"]) == float(same["around"]) == 0.0
    assert float(same["depth"]) < 0.2 * float(apart["depth"])
    assert all(float(apart[name]) > 0 for name in ("surface", "depth", "around"))


def test_weights_scale_their_terms(demo, scenes):
    (one, other), rays = scenes
    plain = losses(demo, other, one, rays, surface=1.0, depth=1.0, around=1.0)
    heavy = losses(demo, other, one, rays, surface=2.0, depth=3.0, around=0.0)
    assert float(heavy["surface"]) == pytest.approx(2 * float(plain["surface"]), rel=1e-4)
    assert float(heavy["depth"]) == pytest.approx(3 * float(plain["depth"]), rel=1e-4)
    assert float(heavy["around"]) == 0.0


def test_rays_that_meet_nothing_say_nothing_of_the_surface(demo, scenes):
    (one, other), _ = scenes
    away = Rays(torch.tensor([[[0.0, 2.0, 2.7]]]).expand(-1, 8, -1), torch.tensor([[[0.0, 1.0, 0.0]]]).expand(-1, 8, -1))
    found = losses(demo, other, one, away)
    assert float(found["surface"]) == float(found["depth"]) == 0.0
