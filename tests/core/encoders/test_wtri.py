from dataclasses import replace

import pytest
import torch

from inv3d.core.encoders.inverter import WtriInverter, load_inverter
from inv3d.core.encoders.pyramid import EncoderConfig, build_encoder
from inv3d.core.encoders.store import check_encoder, load_encoder, load_wtri, save_encoder
from inv3d.core.encoders.wtri import Wtri, WtriConfig, public_config, small_config
from inv3d.core.errors import ModelError
from inv3d.core.views import Views

PART = EncoderConfig("coarsest", 3, 8, 64, widths=(16, 16, 16, 16), units=(1, 1, 1, 1), style_width=16, code_width=16)
TINY = WtriConfig(PART, replace(PART, kind="finest", num_ws=1), passes=3, render_size=16)


@pytest.fixture
def encoder(demo):
    """An encoder for the embedded model, as small as can be."""
    torch.manual_seed(0)
    space = demo.generator.wtri_space
    part = replace(PART, num_ws=space.num_ws, w_dim=space.w_dim)
    made = Wtri(WtriConfig(part, passes=3, render_size=16)).eval()
    made.mean_code = demo.mean_code.expand_as(made.mean_code)
    return made


def views(demo, *yaws):
    images = torch.rand(len(yaws), 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    cameras = demo.info.camera(torch.tensor(yaws), torch.zeros(len(yaws)))
    return Views(images, cameras, tuple(range(len(yaws))), (0.0,) * len(yaws))


def test_updates_of_all_passes_are_added_to_the_mean_code(demo, encoder, monkeypatch):
    seen = []

    def drawn(generator, scene, cameras):
        seen.append(scene.codes)
        return torch.zeros(2, 3, 16, 16)

    monkeypatch.setattr(encoder, "drawn", drawn)
    monkeypatch.setattr(encoder, "forward", lambda images, renders: torch.full((2, 18, 256), 0.5))
    two = views(demo, 0.1, -0.3)
    found = encoder.encoded(demo.generator, two.images, two.cameras)
    assert torch.allclose(found, encoder.mean_code + 1.5)
    assert torch.equal(encoder.encoded(demo.generator, two.images, two.cameras, passes=0)[0], encoder.mean_code)
    # every pass reads the render of what was read before it
    assert [float((codes - encoder.mean_code).mean()) for codes in seen] == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)


def test_the_gradient_is_that_of_one_pass(demo, encoder):
    """It reaches the weights, and not the codes that the render shows."""
    codes, one = encoder.mean_code[None].clone().requires_grad_(), views(demo, 0.0)
    update = encoder.update(demo.generator, encoder.scene(demo.generator, codes), one.images, one.cameras)
    update.square().sum().backward()
    assert codes.grad is None and float(encoder.backbone.input_layer[0].weight.grad.abs().sum()) > 0
    assert not encoder.encoded(demo.generator, one.images, one.cameras).requires_grad


def test_a_render_is_seen_from_the_views_own_side(demo, encoder):
    """The mean head, of one code, from the cameras of two views."""
    two = views(demo, 0.6, -0.6)
    mean = encoder.scene(demo.generator, encoder.mean_code[None])
    left, right = encoder.drawn(demo.generator, mean, two.cameras)
    front = encoder.drawn(demo.generator, mean, views(demo, 0.0).cameras)[0]
    assert left.shape == (3, 16, 16)
    assert min(float((left - right).abs().mean()), float((left - front).abs().mean())) > 0.05


def test_what_a_pass_reads_depends_on_the_render(demo, encoder):
    image, other = views(demo, 0.0).images, torch.zeros(1, 3, 16, 16)
    with torch.no_grad():
        assert not torch.allclose(encoder(image, other), encoder(image, other + 0.5), atol=1e-3)


def test_a_render_like_the_picture_changes_nothing(demo, encoder):
    image, other = views(demo, 0.0).images, torch.zeros(1, 3, 32, 32)
    with torch.no_grad():
        assert float(encoder(image, image).abs().max()) < 1e-5 < float(encoder(image, other).abs().max())


@pytest.mark.parametrize("finer", [True, False])
def test_it_can_begin_as_an_encoder_into_w_plus(demo, finer):
    torch.manual_seed(0)
    plain, finest = demo.generator.code_space, demo.generator.wtri_space
    part = replace(PART, kind="pyramid", num_ws=plain.num_ws, w_dim=plain.w_dim)
    start = build_encoder(part).eval()
    space = finest if finer else plain
    made = Wtri(WtriConfig(replace(part, num_ws=space.num_ws))).eval()
    assert made.begin_as(start, space.origins or range(space.num_ws))
    image, render = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(made(image, render), space.widened(start(image) - start(render)), atol=1e-5)


def test_it_cannot_begin_as_an_encoder_of_other_sizes(demo, encoder):
    before = {name: each.clone() for name, each in encoder.state_dict().items()}
    space = demo.generator.wtri_space
    own = replace(PART, num_ws=10, w_dim=space.w_dim)
    wide = Wtri(WtriConfig(replace(own, kind="pyramid", num_ws=space.num_ws)))
    assert not encoder.begin_as(build_encoder(replace(own, kind="pyramid")), space.origins)
    assert not encoder.begin_as(build_encoder(own), space.origins)  # no pyramid
    assert not wide.begin_as(build_encoder(replace(own, kind="pyramid", code_width=32)), space.origins)
    assert all(torch.equal(each, before[name]) for name, each in encoder.state_dict().items())


def test_views_are_encoded_each_on_its_own(demo, encoder):
    two = views(demo, 0.3, -0.2)
    inverter = WtriInverter(encoder)
    start = inverter(two, demo)
    assert start.codes.shape == (2, 18, 256) and not start.codes.requires_grad
    assert torch.allclose(inverter(two[[1]], demo).codes, start.codes[[1]], atol=1e-3)


def test_super_resolution_has_an_encoder_of_its_own():
    made = Wtri(TINY).eval()
    assert made.superresolution is not None
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = made(image, -image)
        for parameter in made.superresolution.parameters():
            parameter.mul_(1.5)
        after = made(image, -image)
    assert before.shape == (1, 4, 8)
    assert torch.equal(before[:, :3], after[:, :3]) and not torch.allclose(before[:, 3], after[:, 3])


def test_sizes_are_the_models():
    public, baseline, small = public_config(22, 512, True), public_config(14, 512, False), small_config(18, 256)
    assert (public.backbone.num_ws, public.num_ws, baseline.num_ws, small.num_ws) == (21, 22, 14, 18)
    assert public.superresolution is not None and public.superresolution.kind == "finest"
    assert baseline.superresolution is small.superresolution is None
    assert public.passes == small.passes == 5 and public.backbone.input_size == 256
    assert sum(parameter.numel() for parameter in Wtri(small).parameters()) < 1_600_000


def test_the_shipped_encoder_meets_heads_of_demo_from_pass_to_pass(demo):
    """Heads that demo draws itself: nearer after all passes than after one, and than what PREIM3D reads."""
    shipped, space = load_wtri("demo"), demo.generator.wtri_space
    z = torch.randn(4, demo.generator.z_dim, generator=torch.Generator().manual_seed(3))
    cameras = demo.info.camera(torch.linspace(-0.5, 0.5, 4), torch.zeros(4))

    def drawn(codes):
        return demo.generator.render(demo.generator.scene(codes), cameras, 64, superresolution=False).image

    with torch.no_grad():
        images = drawn(demo.generator.mapping(z))
        codes = [shipped.encoded(demo.generator, images, cameras, passes) for passes in (1, 5)]
        found = [float((drawn(each) - images).square().mean()) for each in (*codes, load_encoder("demo", "preim3d")(images))]
    assert found[1] < found[0] and found[1] < found[2]
    xy, yz = (space.take(codes[1], name) for name in ("xy", "yz"))
    assert not torch.allclose(xy, yz, atol=1e-3)  # planes have learned apart
    assert float((shipped.mean_code - demo.mean_code).abs().max()) < 1e-2


def test_renders_between_passes_have_any_number_of_rays(folder):
    encoder = Wtri(replace(TINY, render_size=24))
    save_encoder(encoder, folder / "wtri.safetensors")
    assert load_wtri("small").config.render_size == 24


def test_the_encoder_comes_back_from_its_file(folder):
    encoder = Wtri(TINY).eval()
    encoder.mean_code = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    save_encoder(encoder, folder / "wtri.safetensors", torch.float32)
    again, image = load_wtri("small"), torch.rand(1, 3, 64, 64)
    assert again.config == TINY and torch.equal(again.mean_code, encoder.mean_code)
    assert torch.equal(again(image, -image), encoder(image, -image))


def test_encoders_whose_codes_do_not_go_together_are_refused(folder):
    encoder = Wtri(TINY)
    object.__setattr__(encoder.config.superresolution, "w_dim", 16)
    save_encoder(encoder, folder / "wtri.safetensors")
    object.__setattr__(encoder.config.superresolution, "w_dim", 8)
    with pytest.raises(ModelError, match="w_dim should be the same"):
        load_wtri("small")


def test_a_missing_encoder_is_told_with_the_command_that_trains_it(demo, tmp_path, monkeypatch):
    monkeypatch.setattr("inv3d.core.encoders.store.encoder_file", lambda model, name: tmp_path / name)
    with pytest.raises(ModelError, match="has no encoder 'wtri'") as caught:
        load_inverter(demo, "wtri")
    assert "inv3d train encoder --recipe wtri --model demo" in caught.value.hint


def test_codes_of_w_tri_and_of_the_baseline_fit_and_others_do_not(demo):
    wide, plain = demo.generator.wtri_space, demo.generator.code_space
    for space in (wide, plain):
        check_encoder(small_config(space.num_ws, space.w_dim), demo)
    with pytest.raises(ModelError, match="gives 12 codes of 256 numbers, not 18 of 256"):
        check_encoder(small_config(12, 256), demo)
