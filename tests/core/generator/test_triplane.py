from dataclasses import replace

import pytest
import torch

from inv3d.core.camera import Camera, Rays, look_at
from inv3d.core.generator import Scene, TriplaneGenerator
from inv3d.core.generator.config import GeneratorConfig, RenderingConfig, SuperResolutionConfig
from inv3d.core.generator.grid import grid_points
from inv3d.core.generator.volume import rays_at_once
from inv3d.core.training.demo import demo_config
from tests.tiny import CONFIG

from ..conftest import relative


@pytest.fixture(scope="module")
def small() -> TriplaneGenerator:
    torch.manual_seed(0)
    return TriplaneGenerator(demo_config()).requires_grad_(False)


def cameras(*yaws: float) -> Camera:
    return look_at(torch.tensor(yaws), torch.zeros(len(yaws)))


@pytest.mark.parametrize(("row", "resolution"), [(1, 64), (3, 32)])
def test_deterministic_synthesis_matches_reference(tiny, reference, row, resolution):
    camera = Camera.from_vector(reference("camera/c25")[row : row + 1])
    render = tiny(reference("backbone/ws"), camera, resolution)
    name = f"full_det/cam{row}_res{resolution}_image"
    for actual, expected in (
        (render.image_raw, reference(f"{name}_raw")),
        (render.depth, reference(f"{name}_depth")),
        (render.image[:, :, ::4, ::4], reference(f"{name}_stride4")),
    ):
        error = (actual - expected).abs()
        assert error.max() < 5e-3
        assert error.mean() < 1e-4


def test_gradient_of_synthesis_matches_reference(tiny, reference):
    codes = reference("backbone/ws").clone().requires_grad_()
    render = tiny(codes, Camera.from_vector(reference("camera/c25")[1:2]), 32)
    phase = torch.arange(render.image.numel(), dtype=torch.float64).mul(0.01).cos().float().reshape(render.image.shape)
    loss = (render.image * phase).mean() + render.image_raw.square().mean() + render.depth.mean()
    loss.backward()
    assert abs(float(loss.detach() - reference("full_det/grad_loss"))) < 1e-3
    # importance sampling amplifies rounding at bin borders, hence not the 1e-4 of single stages
    assert relative(codes.grad, reference("full_det/grad_ws_cam1_res32")) < 5e-3


def test_random_sampling_has_the_reference_mean(tiny, reference):
    camera = Camera.from_vector(reference("camera/c25")[1:2])
    scene = tiny.scene(reference("backbone/ws"))
    generator = torch.Generator().manual_seed(0)
    raws = [tiny.render(scene, camera, 64, generator, superresolution=False).image_raw for _ in range(4)]
    error = torch.stack(raws).mean(0) - reference("full_rand16/image_raw_mean")
    # the means of four and of sixteen seeds differ by this much if both sample the same distribution
    expected = reference("full_rand16/image_raw_std").square().mean().sqrt() * (1 / 4 + 1 / 16) ** 0.5
    assert error.square().mean().sqrt() < 1.15 * expected
    assert abs(float(error.mean())) < 1e-3


def test_several_cameras_share_one_codes_planes(small, monkeypatch):
    codes = small.mapping(torch.randn(1, 66))
    calls = []
    synthesis = small.backbone.synthesis.forward

    def forward(codes, *options):
        calls.append(len(codes))
        return synthesis(codes, *options)

    monkeypatch.setattr(small.backbone.synthesis, "forward", forward)
    together = small(codes, cameras(-0.5, 0.0, 0.5), 16)
    assert calls == [1]
    alone = torch.cat([small(codes, cameras(yaw), 16).image for yaw in (-0.5, 0.0, 0.5)])
    assert torch.allclose(together.image, alone, atol=1e-4)


@pytest.mark.parametrize("config", [demo_config(), CONFIG], ids=["demo", "super-resolution"])
def test_a_held_scene_gathers_gradients_and_sends_them_on(config):
    """Two backward passes through one scene are worth two scenes, for codes and for weights."""
    torch.manual_seed(0)
    generator = TriplaneGenerator(config)
    codes = generator.mapping(torch.randn(1, generator.z_dim)).detach().requires_grad_()
    learned = {"codes": codes, **dict(generator.named_parameters())}

    def gradients() -> dict[str, torch.Tensor]:
        found = {name: tensor.grad.clone() for name, tensor in learned.items() if tensor.grad is not None}
        for tensor in learned.values():
            tensor.grad = None
        return found

    def look(scene: Scene, yaw: float) -> None:
        generator.render(scene, cameras(yaw), 8).image.square().mean().backward()

    for yaw in (-0.4, 0.4):
        look(generator.scene(codes), yaw)
    expected = gradients()
    scene, send_on = generator.scene(codes).held()
    for yaw in (-0.4, 0.4):
        look(scene, yaw)
    assert codes.grad is None
    send_on()
    found = gradients()
    assert found.keys() == expected.keys() and "codes" in found
    # sums of many numbers in another order
    assert all(torch.allclose(found[name], expected[name], rtol=1e-3, atol=1e-6) for name in found)


def test_a_held_scene_without_gradients_sends_nothing(small):
    scene, send_on = small.scene(small.mapping(torch.randn(1, 66))).held()
    assert not small.render(scene, cameras(0.0), 8).image.requires_grad
    send_on()


def test_cameras_are_grouped_by_code(small):
    codes = small.mapping(torch.randn(2, 66, generator=torch.Generator().manual_seed(1)))
    both = small(codes, cameras(-0.3, 0.3, -0.3, 0.3), 16)
    second = small(codes[1:], cameras(-0.3, 0.3), 16)
    assert torch.allclose(both.image[2:], second.image, atol=1e-4)
    with pytest.raises(ValueError, match="divided evenly"):
        small(codes, cameras(0.0, 0.1, 0.2), 16)


@pytest.mark.parametrize(("raw", "given", "first"), [(32, 32, True), (32, 32, False), (16, 32, True), (32, 16, True)])
def test_a_window_of_an_image_is_what_the_image_shows_there(raw, given, first):
    torch.manual_seed(0)
    upper = SuperResolutionConfig((8, 8), given, upsample_first=first)
    generator = TriplaneGenerator(replace(CONFIG, raw_resolution=raw, superresolution=upper)).requires_grad_(False)
    scene = generator.scene(generator.mapping(torch.randn(1, generator.z_dim)))
    whole = generator.render(scene, cameras(0.3)).image
    margin, scale = generator.window_margin, generator.resolution // raw
    assert margin is not None
    side, left, top = 2 * margin + 4, raw - 2 * margin - 4, 0
    seen = cameras(0.3).window(torch.tensor([left, top]) / raw, side / raw)
    window = generator.render(scene, seen, side, window=True).image
    inner = window[..., margin * scale : -margin * scale, margin * scale : -margin * scale]
    rows, columns = ((corner + margin) * scale for corner in (top, left))
    assert inner.shape[-1] == 4 * scale
    assert relative(inner, whole[..., rows : rows + 4 * scale, columns : columns + 4 * scale]) < 1e-4


def test_windows_are_for_super_resolution_that_is_alike_everywhere(small):
    assert small.window_margin is None
    noisy = replace(CONFIG, superresolution=SuperResolutionConfig((8, 8), 16, noise_mode="const"))
    assert TriplaneGenerator(noisy).window_margin is None
    assert TriplaneGenerator(replace(CONFIG, raw_resolution=8)).window_margin is None


def test_a_gpu_counts_samples_and_a_cpu_rays():
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert rays_at_once(gpu, None, 96) > 128 * 128  # a whole view of EG3D's full size
    assert rays_at_once(gpu, None, 192) == pytest.approx(rays_at_once(gpu, None, 96) / 2, abs=1)
    assert rays_at_once(gpu, 100, 96) == 100 and rays_at_once(gpu, 1 << 20, 96) == rays_at_once(gpu, None, 96)
    assert rays_at_once(cpu, None, 96) == rays_at_once(cpu, None, 192) and rays_at_once(cpu, 1 << 20, 96) == 1 << 20


def test_chunks_change_nothing(small):
    codes = small.mapping(torch.randn(1, 66)).requires_grad_()
    whole = small(codes, cameras(0.2), 16, chunk=1 << 20)
    (gradient,) = torch.autograd.grad(whole.image.square().mean(), codes)
    parts = small(codes, cameras(0.2), 16, chunk=50)
    (chunked,) = torch.autograd.grad(parts.image.square().mean(), codes)
    assert torch.allclose(whole.image, parts.image, atol=1e-5)
    assert relative(chunked, gradient) < 1e-3


def test_rays_that_miss_the_head_cost_nothing_and_change_nothing(demo, monkeypatch):
    generator = demo.generator
    codes = generator.mapping(torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(3))).detach().requires_grad_()
    evaluated = []
    evaluate = generator.volume._evaluate

    def noted(planes, origins, *rest):
        evaluated.append(origins.shape[1])
        return evaluate(planes, origins, *rest)

    monkeypatch.setattr(generator.volume, "_evaluate", noted)

    def shown():
        render = generator(codes, cameras(0.9, 0.2), 48, chunk=1 << 20)
        return render, torch.autograd.grad(render.image.square().mean(), codes)[0]

    sparse, gradient = shown()
    assert sum(evaluated) < 48 * 48 * 0.7
    assert 0.2 < float((sparse.alpha == 0).float().mean()) < 0.9
    monkeypatch.setattr(generator.volume, "_visible", lambda sigma: torch.ones(sigma.shape[:-1], dtype=torch.bool))
    dense, expected = shown()
    assert sum(evaluated) > 48 * 48 * 1.4
    assert (dense.image - sparse.image).abs().max() < 0.03
    assert (dense.image - sparse.image).abs().mean() < 1e-3
    assert (dense.alpha - sparse.alpha).abs().max() < 0.03
    assert relative(gradient, expected) < 0.02


def test_a_camera_that_looks_away_sees_the_background(demo):
    generator = demo.generator
    front = cameras(0.0)
    away = Camera(front.cam2world @ torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0])), front.intrinsics)
    codes = generator.mapping(torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(2)))
    with torch.no_grad():
        render = generator(codes, away, 80)
    assert float(render.alpha.max()) == 0.0
    assert bool((render.depth == generator.config.rendering.far).all())


def test_seed_decides_sampling(small):
    codes = small.mapping(torch.randn(1, 66))
    first, again, other = (
        small(codes, cameras(0.2), 16, random=torch.Generator().manual_seed(seed)).image for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(small(codes, cameras(0.2), 16).image, small(codes, cameras(0.2), 16).image)


def test_depth_render_skips_superresolution(tiny, reference, monkeypatch):
    def fail(*_: object) -> None:
        raise AssertionError("super-resolution ran")

    monkeypatch.setattr(tiny.superresolution, "forward", fail)
    camera = Camera.from_vector(reference("camera/c25")[1:2])
    render = tiny(reference("backbone/ws"), camera, 8, superresolution=False)
    assert render.image.shape == (1, 3, 8, 8)


def test_gradients_reach_codes_weights_and_cameras():
    torch.manual_seed(0)
    generator = TriplaneGenerator(demo_config())
    codes = generator.mapping(torch.randn(1, generator.z_dim)).detach().requires_grad_()
    yaw = torch.zeros(1, requires_grad=True)
    generator(codes, look_at(yaw, torch.zeros(1)), 16).image.square().mean().backward()
    assert codes.grad is not None and codes.grad.abs().sum() > 0
    assert yaw.grad is not None and yaw.grad.abs().sum() > 0
    unused = [n for n, p in generator.named_parameters() if p.grad is None and "mapping" not in n]
    assert unused == []


def test_codes_of_w_tri_with_equal_planes_render_as_those_of_w_plus(demo):
    generator = demo.generator
    codes = generator.mapping(torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(3)))
    codes = codes + 0.1 * torch.randn(codes.shape, generator=torch.Generator().manual_seed(4))
    wide = generator.wtri_space.widened(codes)
    assert generator.space_of(codes) is not None and generator.space_of(wide) == generator.wtri_space
    with torch.no_grad():
        expected, found = (generator(each, cameras(0.4), 32) for each in (codes, wide))
    assert torch.equal(found.image, expected.image) and torch.equal(found.depth, expected.depth)


def test_super_resolution_reads_a_vector_of_its_own(tiny, reference):
    space, camera = tiny.wtri_space, Camera.from_vector(reference("camera/c25")[1:2])
    codes = space.widened(reference("backbone/ws")[:1])
    other = codes.clone()
    other[:, space.spans["sr"]] += 1.0
    expected = tiny(reference("backbone/ws")[:1], camera, 8)
    found, changed = tiny(codes, camera, 8), tiny(other, camera, 8)
    assert torch.equal(found.image, expected.image)
    assert torch.equal(changed.image_raw, found.image_raw) and not torch.allclose(changed.image, found.image)


def test_codes_of_no_space_are_refused(demo):
    with pytest.raises(ValueError, match=r"\(1, 11, 256\) are not"):
        demo.generator.space_of(torch.zeros(1, 11, 256))


def test_rays_that_the_box_cuts_are_sampled_within_it():
    """Through fog of one density a ray loses what the length of its way through the box says."""
    config = GeneratorConfig(
        z_dim=4, w_dim=4, plane_resolution=8, channel_base=32, channel_max=4, superresolution=None,
        rendering=RenderingConfig(cut_by_box=True, near=1.0, far=9.0, coarse_samples=12, fine_samples=12, box=1.6),
    )  # fmt: skip
    fog = TriplaneGenerator(config).requires_grad_(False)
    fog.get_parameter("decoder.net.2.weight").zero_()
    fog.get_parameter("decoder.net.2.bias")[0] = 1.0  # density log(2) everywhere
    straight, edge = torch.tensor([[0.0, 0.0, -1.0]]), torch.tensor([[1.0, 0.0, -1.0]]) / 2**0.5
    rays = Rays(torch.tensor([[[0.0, 0.0, 2.0], [-1.2, 0.0, 1.6]]]), torch.stack([straight[0], edge[0]])[None])
    found = fog.render_rays(fog.scene(torch.randn(1, fog.code_space.num_ws, 4)), rays, chunk=1)
    lengths = torch.tensor([1.6, 1.2 * 2**0.5])  # the second enters by the front and leaves by a side
    assert torch.allclose(found.alpha[0], 1.0 - 2.0**-lengths, atol=1e-4)


def test_levels_are_exact_near_the_surface_and_of_the_right_sign_elsewhere(demo, monkeypatch):
    generator, size = demo.generator, 49
    z = torch.randn(2, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(3))
    scene, surface, asked = generator.scene(generator.mapping(z)), generator.surface, []

    def counted(scene, points):
        asked.append(points.shape[1])
        return surface(scene, points)

    monkeypatch.setattr(generator, "surface", counted)
    level = generator.levels(scene, size)
    points = grid_points(size, generator.box, generator.device).expand(2, -1, -1)
    with torch.no_grad():
        exact = surface(scene, points).level.reshape(level.shape)
    near = exact.abs() < 0.1
    assert near.any() and torch.allclose(level[near], exact[near], atol=1e-4)
    assert torch.equal(level > 0, exact > 0)
    assert sum(asked) < 0.6 * size**3
