from pathlib import Path

import numpy as np
import pytest
import torch

from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Detail, LocalFeatures
from inv3d.core.generator.detail import ENCODED, DetailFilm, FeatureFusion, positional_encoding, together
from tests.core.formula import filled, unit

CAMERA = look_at(torch.tensor([0.3]), torch.tensor([0.1]))
REFERENCES = np.load(Path(__file__).parents[2] / "data" / "encoders" / "references_e3dge.npz")


def ramp(size: int = 32) -> torch.Tensor:
    """A feature map [1,2,size,size] that holds the image points (u, v) of its cells."""
    at = (torch.arange(size) + 0.5) / size
    v, u = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([u, v])[None]


def local(camera: Camera = CAMERA, depth: float = 3.0, value: float = 0.5) -> LocalFeatures:
    """A picture whose surface lies at one depth; its residual is of one value."""
    return LocalFeatures(torch.full((1, 3, 8, 8), value), ramp(), torch.full((1, 1, 4, 4), depth), camera)


def test_points_of_a_ray_read_the_feature_of_its_pixel():
    uv = 0.2 + 0.6 * torch.rand(1, 5, 2, generator=torch.Generator().manual_seed(0))
    origins, directions = CAMERA.rays_through(uv)
    for depth in (2.3, 2.7, 3.0):
        read, visible = local().at(origins + depth * directions)
        assert torch.allclose(read[..., 3:], uv, atol=1e-4) and bool((visible == 1).all())
        assert torch.allclose(read[..., :3], torch.tensor(0.5))


def test_points_outside_the_picture_read_nothing():
    origins, directions = CAMERA.rays_through(torch.tensor([[[1.3, 0.5]]]))
    read, visible = local().at(origins + 2.7 * directions)
    assert read.abs().max() == visible.max() == 0


def test_points_behind_the_surface_read_nothing():
    origins, directions = CAMERA.rays_through(torch.tensor([[[0.5, 0.5]]]))
    seen = [local(depth=2.7).at(origins + depth * directions) for depth in (2.6, 2.7, 2.71, 2.73, 2.8)]
    assert [round(float(visible), 3) for _, visible in seen] == [1.0, 1.0, 1.0, 0.5, 0.0]
    assert float(seen[-1][0].abs().max()) == 0 < float(seen[0][0].abs().max())


def test_points_are_read_where_they_face_the_camera():
    left, right = (look_at(torch.tensor([yaw]), torch.zeros(1)) for yaw in (-0.8, 0.8))
    both = [local(left, value=-1.0), local(right, value=1.0)]
    points = torch.tensor([[[-0.2, 0.0, 0.2], [0.2, 0.0, 0.2], [0.0, 0.0, 0.3]]])
    read, visible = together(both, points)
    assert read[0, 0, 0] < -0.8 and read[0, 1, 0] > 0.8 and abs(float(read[0, 2, 0])) < 1e-4
    assert torch.allclose(visible, torch.ones(()))
    hidden, _ = together([local(left, value=-1.0), local(right, depth=2.0)], points)
    assert float(hidden[0, 1, 0]) == pytest.approx(-1.0, abs=1e-3)  # what one picture hides the other shows
    alone, expected = together(both[:1], points), both[0].at(points)
    assert all(torch.equal(a, b) for a, b in zip(alone, expected, strict=True))


def test_the_positional_encoding_is_the_public_one():
    points, expected = (torch.from_numpy(REFERENCES[name]).float() for name in ("pe/in", "pe/out45"))
    assert torch.allclose(positional_encoding(points), expected, atol=1e-5) and expected.shape[-1] == ENCODED


def test_the_fusion_is_the_public_one():
    fusion = FeatureFusion(257, 256, 256)
    fusion.load_state_dict({name: filled(name, tuple(t.shape)) for name, t in fusion.state_dict().items()})
    a, b = (
        torch.from_numpy(2.0 * unit(name, 3 * width).reshape(3, width) - 1.0).float()
        for name, width in (("sft_a", 257), ("sft_b", 256))
    )
    with torch.no_grad():
        found = fusion(a, b)
    expected = torch.from_numpy(REFERENCES["sft/out"]).float()
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_the_fusion_starts_as_the_identity():
    torch.manual_seed(0)
    a, b = torch.randn(2, 4, 5)
    assert torch.equal(FeatureFusion(5, 5, 8)(a, b), b)


@pytest.fixture(scope="module")
def scene_of(demo):
    """The scene of one head with a detail."""
    codes = demo.generator.mapping(torch.randn(1, demo.generator.z_dim, generator=torch.Generator().manual_seed(1)))
    return lambda detail: demo.generator.scene(codes, detail, guide_cells=20)


def test_a_detail_changes_colours_alone_once_its_networks_have_learned(demo, scene_of):
    generator = demo.generator
    torch.manual_seed(0)
    film = DetailFilm(5, generator.decoded_features, 16).requires_grad_(False)
    plain = generator.render(scene_of(None), CAMERA, 16)
    for aligned in ((), (local(),)):
        untrained = generator.render(scene_of(Detail(local(), film, aligned)), CAMERA, 16)
        assert torch.equal(untrained.image, plain.image)
    film.out.weight.normal_(0.0, 0.3)
    learned = generator.render(scene_of(Detail(local(), film)), CAMERA, 16)
    assert (learned.image - plain.image).abs().mean() > 1e-3
    assert torch.equal(learned.depth, plain.depth) and torch.equal(learned.alpha, plain.alpha)


def test_what_aligned_pictures_show_matters_once_the_fusion_has_learned(demo, scene_of):
    torch.manual_seed(0)
    film = DetailFilm(5, demo.generator.decoded_features, 16).requires_grad_(False)
    film.out.weight.normal_(0.0, 0.3)
    alone, fused = (Detail(local(), film, aligned) for aligned in ((), (local(value=-0.5),)))
    points = torch.rand(1, 7, 3) * 0.2
    features = torch.randn(1, 7, demo.generator.decoded_features)
    assert torch.equal(alone.added(features, points), fused.added(features, points))
    film.get_parameter("fusion.shift.2.weight").normal_(0.0, 0.3)
    assert not torch.allclose(alone.added(features, points), fused.added(features, points), atol=1e-3)


def test_a_detail_for_another_generator_is_refused(demo, scene_of):
    film = DetailFilm(5, demo.generator.decoded_features + 1, 16)
    with pytest.raises(ValueError, match="belongs to another generator"):
        scene_of(Detail(local(), film))
