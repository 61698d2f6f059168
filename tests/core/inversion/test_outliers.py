import math

import pytest
import torch

from inv3d.core.bundle import Bundle
from inv3d.core.camera import look_at
from inv3d.core.inversion.outliers import fidelity
from inv3d.core.metrics.image import psnr
from inv3d.core.views import Views


@pytest.fixture
def code(demo: Bundle) -> torch.Tensor:
    z = torch.randn(1, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(1))
    return demo.generator.mapping(z)


def test_fidelity_is_that_of_small_renders_of_the_code_from_each_camera(demo, code):
    cameras = look_at(torch.tensor([0.0, 0.5]), torch.zeros(2))
    with torch.no_grad():
        scene = demo.generator.scene(code)
        renders = torch.cat([demo.generator.render(scene, cameras[i], 64, sparse=True).image for i in range(2)])
    images = torch.stack([renders[0] + 0.02, renders[0]])  # the second view shows the head from another side
    values = fidelity(Views(images, cameras, (0, 1), (0.0, 0.1)), code, demo)
    expected = [20 * math.log10(2 / 0.02), float(psnr(renders[1:], renders[:1]))]
    assert values.tolist() == pytest.approx(expected, abs=0.1)
    assert values[0] > values[1] + 10


def test_views_are_as_near_whatever_was_made_up_around_them(demo, code):
    camera, outside = look_at(torch.zeros(1), torch.zeros(1)), torch.zeros(1, 1, 64, 64)
    outside[..., :20, :] = 0.1
    with torch.no_grad():
        image = demo.generator.render(demo.generator.scene(code), camera, 64, sparse=True).image + 0.02
    painted = torch.where(outside > 0.0, 1.0, image)
    found = [fidelity(Views(each, camera, (0,), (0.0,), outside=outside), code, demo) for each in (image, painted)]
    assert torch.equal(*found)
    assert fidelity(Views(painted, camera, (0,), (0.0,)), code, demo) < found[0] - 10


def test_no_views_have_no_fidelity(demo, code):
    none = Views(torch.empty(0, 3, 8, 8), look_at(torch.zeros(0), torch.zeros(0)), (), ())
    assert fidelity(none, code, demo).shape == (0,)
