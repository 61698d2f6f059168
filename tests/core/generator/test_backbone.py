import json
from dataclasses import replace

import pytest
import torch

from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.backbone import MappingNetwork, normalize_second_moment
from inv3d.core.generator.config import GeneratorConfig, eg3d_ffhq, eg3d_shapenet_cars
from tests.tiny import CONFIG

from ..conftest import DATA, relative


def test_mapping_matches_reference(tiny, reference):
    z, c = reference("mapping/z"), reference("mapping/c")
    assert relative(tiny.mapping(z, c)[:, 0], reference("mapping/w_psi1")) < 1e-4
    assert relative(tiny.mapping(z, c, truncation=0.7)[:, 0], reference("mapping/w_psi0.7")) < 1e-4


def test_truncation_cutoff_pulls_the_first_codes_only(tiny, reference):
    z, c = reference("mapping/z"), reference("mapping/c")
    codes = tiny.mapping(z, c, truncation=0.5, truncation_cutoff=7)
    expected = reference("mapping/ws_psi0.5_cutoff7")
    assert relative(codes[:, [0, 6, 7, 13]], expected) < 1e-4


def test_camera_embedding_matches_reference(tiny, reference):
    assert relative(tiny.backbone.mapping.embed(reference("mapping/c")), reference("mapping/embed_c")) < 1e-4


def test_blocks_match_reference(tiny, reference):
    outputs = tiny.backbone.synthesis.blocks(reference("backbone/ws"), "const")
    for (x, image), resolution in zip(outputs, (4, 8, 16, 32, 64, 128, 256), strict=True):
        if resolution <= 16:
            assert relative(x, reference(f"backbone/b{resolution}_x")) < 1e-4
            assert relative(image, reference(f"backbone/b{resolution}_img")) < 1e-4
        elif resolution <= 128:
            stats = torch.stack([x.mean((0, 2, 3)), x.std((0, 2, 3), correction=0)])
            assert relative(stats, reference(f"backbone/b{resolution}_x_stats")) < 1e-3


@pytest.mark.parametrize("mode", ["const", "none"])
def test_planes_match_reference(tiny, reference, mode):
    planes = tiny.backbone.synthesis(reference("backbone/ws"), mode)
    assert relative(planes[:, :, 3::8, 3::8], reference(f"backbone/planes_{mode}_stride8_off3")) < 1e-4


def test_gradient_of_planes_matches_reference(tiny, reference):
    codes = reference("backbone/ws").clone().requires_grad_()
    planes = tiny.backbone.synthesis(codes)
    phase = torch.arange(planes.numel(), dtype=torch.float64).mul(0.37).cos().float().reshape(planes.shape)
    (planes * phase).mean().backward()
    assert relative(codes.grad, reference("backbone/grad_ws_of_mean_planes_times_cos0.37i")) < 1e-4


def planes_of(generator, codes):
    return generator.backbone.synthesis(codes).chunk(3, 1)


def test_planes_with_equal_vectors_are_those_of_w_plus(tiny, reference):
    codes = reference("backbone/ws")
    wide = tiny.wtri_space.widened(codes)
    assert torch.equal(tiny.backbone.synthesis(wide), tiny.backbone.synthesis(codes))


@pytest.mark.parametrize(("span", "plane"), [("xy", 0), ("xz", 1), ("yz", 2)])
def test_every_plane_keeps_its_own_third_of_a_block_evaluated_with_its_own_vectors(tiny, reference, span, plane):
    space, codes = tiny.wtri_space, reference("backbone/ws")
    other = codes.clone()
    other[:, -3:] += 0.5
    mixed = space.widened(codes)
    mixed[:, space.spans[span]] = other[:, -3:]
    # the block before reads the first of these vectors, too: it keeps its own
    whole = space.widened(other)
    whole[:, space.spans["shared"]] = codes[:, :12]
    found, before, all_of_them = (planes_of(tiny, each) for each in (mixed, space.widened(codes), whole))
    for i in range(3):
        assert torch.equal(found[i], all_of_them[i] if i == plane else before[i])
    assert not torch.allclose(found[plane], before[plane], atol=1e-3)


def test_a_backbone_of_one_block_has_planes_of_their_own():
    config = GeneratorConfig(z_dim=4, w_dim=4, plane_resolution=4, channel_base=32, channel_max=4, superresolution=None)
    generator = TriplaneGenerator(config)
    codes = torch.randn(2, generator.code_space.num_ws, 4)
    wide = generator.wtri_space.widened(codes)
    assert torch.equal(generator.backbone.synthesis(wide), generator.backbone.synthesis(codes))


@pytest.mark.parametrize(
    ("model", "config"),
    [("ffhq512-128", eg3d_ffhq()), ("afhqcats512-128", eg3d_ffhq()), ("shapenetcars128-64", eg3d_shapenet_cars())],
)
def test_public_configurations_have_the_public_names_and_shapes(model, config):
    listing = json.loads((DATA / "state_dict_real.json").read_text())
    expected = next(value for name, value in listing.items() if name.startswith(model))
    with torch.device("meta"):
        generator = TriplaneGenerator(config)
    ours = {name: list(tensor.shape) for name, tensor in generator.state_dict().items()}
    assert ours == {name: entry["shape"] for name, entry in expected["state_dict"].items()}
    assert {name for name, _ in generator.named_parameters()} == {
        name for name, entry in expected["state_dict"].items() if entry["kind"] == "parameter"
    }
    assert generator.code_space.num_ws == expected["num_ws"]


def test_mapping_without_its_camera_says_so(tiny, reference):
    with pytest.raises(ValueError, match="conditioning cameras"):
        tiny.mapping(reference("mapping/z"))


def test_configuration_survives_json():
    for config in (eg3d_ffhq(), eg3d_shapenet_cars()):
        assert GeneratorConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_fixed_camera_replaces_the_given_one():
    config = GeneratorConfig(z_dim=8, w_dim=8, channel_base=256, channel_max=4, superresolution=None)
    fixed = tuple(float(i) / 25 for i in range(25))
    torch.manual_seed(0)
    plain = MappingNetwork(config, 2)
    other = MappingNetwork(replace(config, mapping=replace(config.mapping, fixed_camera=fixed)), 2)
    other.load_state_dict(plain.state_dict())
    z, camera = torch.randn(3, 8), torch.randn(3, 25)
    assert torch.equal(other(z, camera), plain(z, torch.tensor(fixed).expand(3, -1)))
    assert not torch.allclose(other(z, camera), plain(z, camera))


def test_activations_of_mapping_and_backbone_are_those_of_the_configuration():
    config = GeneratorConfig(z_dim=8, w_dim=8, channel_base=256, channel_max=4, superresolution=None)
    generator = TriplaneGenerator(
        replace(config, activation="relu", mapping=replace(config.mapping, activation="linear", lr_multiplier=1.0))
    )
    z, camera = torch.randn(2, 8), torch.randn(2, 25)
    mapping = generator.backbone.mapping
    joined = torch.cat([normalize_second_moment(z), normalize_second_moment(mapping.embed(camera))], 1)
    first, second = mapping.get_submodule("fc0"), mapping.get_submodule("fc1")
    assert torch.allclose(mapping(z, camera)[:, 0], second(first(joined)))
    assert torch.allclose(first(-joined), -first(joined), atol=1e-5)  # the biases are zero
    x, _ = generator.backbone.synthesis.blocks(mapping(z, camera), "const")[0]
    assert x.min() >= 0.0


def test_half_precision_is_for_gradients_and_loses_little():
    torch.manual_seed(0)
    generator = TriplaneGenerator(replace(CONFIG, inject_resolution=8))
    network, codes = generator.backbone.synthesis, torch.randn(1, generator.code_space.num_ws, 16, requires_grad=True)
    learned = [codes, network.get_parameter("b4.const"), network.get_parameter("b16.conv1.weight")]
    weights = torch.randn(1, 12, 16, 16)

    def look() -> tuple[torch.Tensor, list[torch.Tensor]]:
        image = network(codes)
        return image, list(torch.autograd.grad((image * weights).mean(), learned))

    image, gradients = look()
    generator.compute_in_half_precision(True, False)
    half, of_half = look()
    assert half.dtype == torch.float32 and 1e-5 < relative(half.detach(), image.detach()) < 0.02
    for one, other in zip(of_half, gradients, strict=True):  # of few channels, some of which change their sign
        assert torch.cosine_similarity(one.flatten(), other.flatten(), 0) > 0.98
    with torch.no_grad():
        assert network(codes).equal(image)
