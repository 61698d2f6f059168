import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import Camera
from inv3d.core.generator.rays import box_limits, importance_depths, march, sample_pdf, stratified_depths

from ..conftest import relative


def test_rays_match_reference(reference):
    camera = Camera(reference("rays/cam2world"), reference("rays/intrinsics"))
    for resolution in (5, 8):
        origins, directions = camera.rays(resolution)
        assert relative(origins, reference(f"rays/origins_{resolution}")) < 1e-5
        assert relative(directions, reference(f"rays/directions_{resolution}")) < 1e-5


def test_box_intersection_matches_reference(reference):
    origins, directions = Camera(reference("rays/cam2world"), reference("rays/intrinsics")).rays(64)
    near, far = (depths[:, ::61] for depths in box_limits(origins, directions, 1.0))
    assert relative(near, reference("rays/auto_start_box1_res64_stride61")) < 1e-4
    assert relative(far, reference("rays/auto_end_box1_res64_stride61")) < 1e-4


def test_rays_that_miss_the_box_go_from_the_nearest_to_the_farthest_entry():
    origins = torch.tensor([[[0.0, 0.0, 2.0], [0.0, 0.0, 3.0], [0.0, 2.0, 3.0]]])
    near, far = box_limits(origins, torch.tensor([0.0, 0.0, -1.0]).expand(1, 3, 3), 1.0)
    assert near.flatten().tolist() == [1.5, 2.5, 1.5]
    assert far.flatten().tolist() == [2.5, 3.5, 2.5]


def test_rays_that_all_miss_the_box_have_no_length():
    near, far = box_limits(torch.tensor([[[0.0, 2.0, 3.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]), 1.0)
    assert torch.equal(near, far) and bool(torch.isfinite(near).all())


def test_stratified_depths_match_reference(reference):
    jitter = torch.full((48,), 0.5)
    assert relative(stratified_depths(2.25, 3.3, jitter), reference("stratified/depths_jitter0.5_2.25_3.3_48")) < 1e-6
    disparity = stratified_depths(2.25, 3.3, jitter, disparity=True)
    assert relative(disparity, reference("stratified/disparity_jitter0.5_2.25_3.3_48")) < 1e-6


def test_pdf_samples_match_reference(reference):
    u = torch.linspace(0, 1, 16).expand(5, 16)
    assert (
        relative(sample_pdf(reference("pdf/bins"), reference("pdf/weights"), u), reference("pdf/samples_det_16")) < 1e-4
    )


def test_importance_depths_match_reference(reference):
    depths, weights = reference("importance/z_vals")[..., 0], reference("importance/weights")[..., 0]
    u = torch.linspace(0, 1, 48).expand(2, 6, 48)
    assert relative(importance_depths(depths, weights, u), reference("importance/fine_det_48")[..., 0]) < 1e-4


def test_marching_matches_reference(reference):
    colors, raw, depths = (reference(f"marcher/{name}") for name in ("colors", "densities", "depths"))
    raw, depths = raw[..., 0], depths[..., 0]
    density = torch.nn.functional.softplus(0.5 * (raw[..., 1:] + raw[..., :-1]) - 1)
    for white in (0, 1):
        background = torch.ones(2, 1, 5) if white else None
        color, depth, weights = march(colors, density, depths, background)
        assert relative(color * 2 - 1, reference(f"marcher/rgb_whiteback{white}")) < 1e-4
        depth = depth.clamp(depths.min(), depths.max())
        assert relative(depth, reference(f"marcher/depth_whiteback{white}")[..., 0]) < 1e-4
        assert relative(weights, reference(f"marcher/weights_whiteback{white}")[..., 0]) < 1e-4


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_weights_and_what_is_left_over_make_one(seed):
    generator = torch.Generator().manual_seed(seed)
    depths = torch.rand(1, 4, 9, generator=generator).cumsum(-1)
    density = 50 * torch.rand(1, 4, 8, generator=generator) ** 4
    _, depth, weights = march(torch.rand(1, 4, 9, 3, generator=generator), density, depths, far=20.0)
    passed = torch.exp(-(density * depths.diff(dim=-1)).sum(-1))
    assert torch.allclose(weights.sum(-1) + passed, torch.ones(1, 4), atol=1e-5)
    assert (depth <= 20.0 + 1e-4).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_pdf_samples_stay_within_the_bins_and_keep_their_order(seed):
    generator = torch.Generator().manual_seed(seed)
    bins = torch.rand(3, 9, generator=generator).cumsum(-1)
    samples = sample_pdf(bins, torch.rand(3, 8, generator=generator), torch.linspace(0, 1, 20).expand(3, 20))
    assert (samples >= bins[:, :1] - 1e-5).all() and (samples <= bins[:, -1:] + 1e-5).all()
    assert (samples.diff(dim=-1) >= -1e-5).all()
