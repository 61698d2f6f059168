import dataclasses

import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.core.generator import Detail, TriplaneGenerator
from inv3d.core.generator.detail import positional_encoding
from inv3d.core.training.demo import demo_config

CAMERA = look_at(torch.tensor([0.3]), torch.tensor([0.1]))


def ramp(size: int = 32) -> torch.Tensor:
    """A feature map [1,2,size,size] that holds the image points (u, v) of its cells."""
    at = (torch.arange(size) + 0.5) / size
    v, u = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([u, v])[None]


def test_points_of_a_ray_read_the_feature_of_its_pixel():
    uv = 0.2 + 0.6 * torch.rand(1, 5, 2, generator=torch.Generator().manual_seed(0))
    origins, directions = CAMERA.rays_through(uv)
    for depth in (2.3, 2.7, 3.0):
        assert torch.allclose(Detail(ramp(), CAMERA).at(origins + depth * directions), uv, atol=1e-4)


def test_outside_the_picture_there_is_no_feature():
    origins, directions = CAMERA.rays_through(torch.tensor([[[1.3, 0.5]]]))
    assert Detail(ramp(), CAMERA).at(origins + 2.7 * directions).abs().max() == 0


def test_points_of_a_ray_are_told_apart():
    near, far = positional_encoding(torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.0, 0.2]]))
    assert (near - far).abs().max() > 0.1


@pytest.fixture(scope="module")
def generator() -> TriplaneGenerator:
    torch.manual_seed(0)
    return TriplaneGenerator(dataclasses.replace(demo_config(), detail_channels=2)).requires_grad_(False)


def test_a_detail_changes_the_render_once_its_module_has_learned(generator):
    codes = generator.mapping(torch.randn(1, 66, generator=torch.Generator().manual_seed(1)))
    detail = Detail(ramp(), CAMERA)
    plain = generator.render(generator.scene(codes), CAMERA, 16).image
    assert torch.equal(generator.render(generator.scene(codes, detail), CAMERA, 16).image, plain)
    generator.detail.out.weight.normal_(generator=torch.Generator().manual_seed(2))
    changed = generator.render(generator.scene(codes, detail), CAMERA, 16).image
    generator.detail.out.weight.zero_()
    assert (changed - plain).abs().mean() > 1e-3


def test_a_model_without_the_module_refuses_a_detail(demo):
    with pytest.raises(ValueError, match="does not support local features"):
        demo.generator.scene(demo.generator.code_space.repeat(demo.mean_code[None]), Detail(ramp(), CAMERA))
