import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.inversion.poses import correct
from inv3d.core.inversion.warping import depth_smoothness, surface_points, warp

angle = st.floats(-1.2, 1.2)


@settings(deadline=None)
@given(angle, angle)
def test_projection_undoes_the_rays(yaw, pitch):
    camera = look_at(torch.tensor([yaw]), torch.tensor([pitch]))
    uv = torch.rand(1, 9, 2, generator=torch.Generator().manual_seed(0))
    origins, directions = camera.rays_through(uv)
    found, distance = camera.project(origins + 2.5 * directions)
    assert torch.allclose(found, uv, atol=1e-4)
    assert torch.allclose(distance, torch.full_like(distance, 2.5), atol=1e-4)


@pytest.fixture(scope="module")
def scene(demo):
    """A head seen by a camera at 20 degrees, and from the front."""
    codes = demo.generator.mapping(
        torch.randn(1, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(3))
    )
    camera, front = (look_at(torch.tensor([yaw]), torch.zeros(1)) for yaw in (0.35, 0.0))
    with torch.no_grad():
        return camera, front, demo.generator(codes, camera, 64), demo.generator(codes, front, 64)


def mismatch(scene, offset: float) -> torch.Tensor:
    camera, front, seen, canonical = scene
    offsets = torch.zeros(1, 6, requires_grad=True)
    moved = correct(camera, offsets + torch.tensor([[0.0, offset, 0.0, 0.0, 0.0, 0.0]]))
    warped = warp(seen.image_raw, seen, moved, canonical, front)
    error = (warped - canonical.image_raw).abs().mean()
    (gradient,) = torch.autograd.grad(error, offsets)
    return torch.stack([error.detach(), gradient[0, 1]])


def test_the_right_camera_warps_best_and_the_gradient_points_to_it(scene):
    right, left, too_far = (mismatch(scene, offset) for offset in (0.0, -0.08, 0.08))
    assert right[0] < 0.7 * min(left[0], too_far[0])
    assert left[1] < 0 < too_far[1]


def test_surface_points_lie_on_the_rays(scene):
    camera, _, seen, _ = scene
    distance = (surface_points(seen, camera) - camera.position[:, None]).norm(dim=-1)
    assert torch.allclose(distance.reshape_as(seen.depth), seen.depth, atol=1e-4)


def test_smoothness_sees_steps_on_the_head_but_not_its_outline():
    depth, alpha = torch.full((1, 1, 8, 8), 2.6), torch.ones(1, 1, 8, 8)
    assert depth_smoothness(depth, alpha) == 0
    depth[..., 4:] = 3.1
    assert depth_smoothness(depth, alpha) > 0.01
    alpha[..., 4:] = 0.0
    assert depth_smoothness(depth, alpha) == 0
