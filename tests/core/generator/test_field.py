import dataclasses

import pytest
import torch
from torch.nn import functional as F

from inv3d.core.generator.config import CanonicalConfig, DecoderConfig, GeneratorConfig, RenderingConfig
from inv3d.core.generator.field import (
    CanonicalPlanes,
    Decoder,
    TriPlanes,
    back_of,
    background_colors,
    layout_of_axes,
    normalise,
    project,
    sample_planes,
    summed_features,
)

from ..conftest import relative


def test_projection_matches_reference(reference):
    coordinates = reference("sampling/coordinates")
    uv = project(normalise(coordinates, RenderingConfig()), RenderingConfig())
    assert relative(uv, reference("sampling/projected_uv_boxwarp1")) < 1e-6


def test_plane_lookup_matches_reference(reference):
    planes, coordinates = reference("sampling/planes"), reference("sampling/coordinates")
    for box in (1, 1.6):
        uv = project(normalise(coordinates, RenderingConfig(box=box)), RenderingConfig())
        assert relative(sample_planes(planes, uv).transpose(2, 3), reference(f"sampling/features_boxwarp{box}")) < 1e-4


def test_decoder_matches_reference(tiny, reference):
    features = reference("sampling/features_boxwarp1").mean(1)
    sigma, color = tiny.decoder(features)
    assert relative(sigma[..., None], reference("sampling/decoder_sigma")) < 1e-4
    assert relative(color, reference("sampling/decoder_rgb")) < 1e-4


def test_film_scales_and_shifts_the_hidden_values_of_each_code():
    torch.manual_seed(0)
    decoder = Decoder(6, GeneratorConfig(w_dim=8, color_channels=3, decoder=DecoderConfig(hidden_dim=5, film=True)))
    features, film = torch.randn(2, 7, 6), torch.randn(2, 10)
    hidden = decoder.net[0](features) * (1 + film[:, None, :5]) + film[:, None, 5:]
    out = decoder.net[2](F.softplus(hidden))
    sigma, color = decoder(features, film)
    assert torch.allclose(sigma, out[..., 0], atol=1e-5)
    assert torch.allclose(color, torch.sigmoid(out[..., 1:]) * 1.002 - 0.001, atol=1e-5)


def test_warped_coordinates_are_the_inverse_hyperbolic_sine():
    points = torch.linspace(-0.5, 0.5, 21)
    expected = torch.asinh(points * 2 * 1.5) / torch.asinh(torch.tensor(1.5))
    assert torch.allclose(normalise(points, RenderingConfig(box=1.0, coordinate_warp=1.5)), expected, atol=1e-6)


def test_field_matches_reference(tiny, reference):
    planes = tiny.planes(reference("backbone/ws"))
    sigma, color = tiny.field(planes, reference("sample_mixed/coordinates"))
    assert relative(sigma[..., None], reference("sample_mixed/sigma")) < 1e-4
    assert relative(color, reference("sample_mixed/rgb")) < 1e-4


def test_legacy_layout_ignores_swapping_y_between_planes_but_the_full_one_does_not():
    points = torch.tensor([[[0.1, 0.2, 0.3], [0.1, 0.2, -0.3]]])
    legacy = project(points, RenderingConfig())
    full = project(points, RenderingConfig(plane_layout="xy-xz-yz"))
    assert torch.equal(legacy[0, 2, 0].flip(0), legacy[0, 1, 0])
    assert torch.allclose(full[0, 2], torch.tensor([[0.3, 0.2], [-0.3, 0.2]]))


def axes(*planes):
    """The bases whose first two rows are unit vectors along the named axes."""
    unit = {name: tuple(float(i == k) for i in range(3)) for k, name in enumerate("xyz")}
    return tuple(tuple(unit[name] for name in plane) for plane in planes)


@pytest.mark.parametrize(("layout", "third"), [("legacy", "zxy"), ("xy-xz-yz", "zyx")])
def test_axes_of_planes_say_the_same_as_the_layout_of_their_name(layout, third):
    points = torch.randn(2, 50, 3)
    planes = axes("xyz", "xzy", third)
    assert layout_of_axes(planes) == layout
    by_axes = project(points, RenderingConfig(plane_axes=planes))
    assert torch.allclose(by_axes, project(points, RenderingConfig(plane_layout=layout)))


def test_planes_may_lie_anyhow():
    slanted = ((1.0, 1.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, -1.0))
    u, v = project(torch.tensor([[[0.3, 0.7, 0.5]]]), RenderingConfig(plane_axes=(slanted,) * 3))[0, 1, 0]
    # the point is u (1,1,0) + v (0,2,0) + w (0,0,-1)
    assert (round(float(u), 6), round(float(v), 6)) == (0.3, 0.2)
    assert layout_of_axes((slanted,) * 3) is None


def test_canonical_lookup_moves_by_at_most_the_largest_offset():
    config = RenderingConfig(box=2.0, plane_layout="xy-xz-yz")
    canonical = CanonicalPlanes(CanonicalConfig(resolution=64, channels=1, max_offset=0.25))
    ramp = (torch.arange(64) + 0.5) / 32 - 1
    canonical.planes.data.zero_()
    canonical.planes.data[0] = ramp.expand(1, 64, 64)  # the (x, y) plane holds x itself
    points = torch.zeros(1, 1, 3)
    planes = canonical.laid_out()
    assert abs(canonical(planes, points, torch.zeros(1, 1, 3), config).item()) < 1e-5
    assert abs(canonical(planes, points, torch.full((1, 1, 3), 1e3), config).item() - 0.25) < 1e-4


def test_planes_know_how_many_codes_they_hold():
    assert len(TriPlanes(torch.zeros(5, 3, 2, 4, 4))) == 5


def test_backgrounds_go_from_the_lower_to_the_upper_colour():
    raw = torch.tensor([[9.0, -9.0, -9.0, -9.0, -9.0, 9.0, 0.2, 2.0]])
    colors = background_colors(raw, torch.tensor([[-1.0, 0.2, 1.0]]))[0]
    assert torch.allclose(colors[0], torch.tensor([1.0, 0.0, 0.0]), atol=0.02)
    assert torch.allclose(colors[1], torch.tensor([0.5, 0.0, 0.5]), atol=0.02)
    assert torch.allclose(colors[2], torch.tensor([0.0, 0.0, 1.0]), atol=0.02)


def test_the_back_of_a_head_has_the_means_of_the_plane_of_its_face():
    torch.manual_seed(0)
    planes, config = torch.randn(2, 3, 4, 32, 32), RenderingConfig(box=2.0)
    back = back_of(planes, 1)
    front, behind = (torch.tensor([0.1, 0.2, z]).expand(2, 5, 3) for z in (-0.1, -0.5))
    for points in (front, behind):
        uv = project(points, config)
        features = sample_planes(planes, uv)
        expected = features.sum(1)
        if points is behind:
            expected = features[:, 1:].sum(1) + planes[:, 0].mean((2, 3))[..., None]
        assert torch.allclose(summed_features(planes, uv, back), expected, atol=1e-5)


def test_a_head_has_a_back_only_where_its_model_says_so(demo):
    code = demo.generator.mapping(torch.zeros(1, demo.generator.z_dim))
    planes = demo.generator.planes(code)
    texels = demo.generator.config.rendering.back_texels
    assert planes.back.shape[-2:] == planes.canonical_back.shape[-2:] == (texels, texels)
    points = torch.rand(1, 400, 3, generator=torch.Generator().manual_seed(1)) * 0.6 - 0.3
    plain = dataclasses.replace(planes, back=None, canonical_back=None)
    _, told = demo.generator.field(planes, points)
    _, whole = demo.generator.field(plain, points)
    differ = (told - whole).abs().amax(-1) > 1e-3
    begins = normalise(points, demo.generator.config.rendering)[..., 2] < -0.2
    assert not differ[~begins].any() and differ[begins].float().mean() > 0.5
