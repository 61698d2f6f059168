import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Render
from inv3d.core.inversion.poses import correct
from inv3d.core.inversion.reconstruction import Reconstruction
from inv3d.core.inversion.settings import FAST
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


def mismatch(scene: tuple[Camera, Camera, Render, Render], offset: float) -> torch.Tensor:
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


def test_the_warping_loss_draws_a_camera_to_where_the_front_fits_the_image(demo):
    """Equation 11; the render that says where the surface is comes from the wrong camera, too."""
    code = demo.generator.mapping(torch.randn(1, demo.generator.z_dim, generator=torch.Generator().manual_seed(3)))
    camera = demo.info.camera(torch.tensor([0.25]), torch.zeros(1))
    compared = Reconstruction(demo, FAST, torch.Generator())
    with torch.no_grad():
        image, scene = demo.generator(code, camera, 48).image, demo.generator.scene(code)

    def loss(offset: float) -> tuple[float, float]:
        offsets = torch.tensor([[0.0, offset, 0.0, 0.0, 0.0, 0.0]], requires_grad=True)
        moved = correct(camera, offsets)
        seen = demo.generator.render(scene, moved, 48, superresolution=False)
        found = compared.warping(demo.generator, scene, moved, image, seen).sum()
        (gradient,) = torch.autograd.grad(found, offsets)
        return float(found.detach()), float(gradient[0, 1])

    right, left, too_far = (loss(offset) for offset in (0.0, -0.1, 0.1))
    assert right[0] < 0.6 * min(left[0], too_far[0])
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


def test_smoothness_is_the_mean_square_of_steps_across_and_down():
    depth = torch.tensor([[1.0, 1.5, 1.5], [1.2, 1.5, 1.5]]).reshape(1, 1, 2, 3)
    alpha = torch.ones_like(depth)
    across, down = (0.5**2 + 0.3**2) / 4, 0.2**2 / 3
    assert float(depth_smoothness(depth, alpha)) == pytest.approx(across + down)
    alpha[..., 1, 0] = 0.5  # a translucent pixel counts in neither direction
    assert float(depth_smoothness(depth, alpha)) == pytest.approx(0.5**2 / 4)


def flat(depth: float, alpha: float, value: float) -> Render:
    """A picture of one colour on a surface at one distance from its camera."""
    image = torch.full((1, 3, 8, 8), value)
    return Render(image, image, torch.full((1, 1, 8, 8), depth), torch.full((1, 1, 8, 8), alpha))


@pytest.mark.parametrize(
    ("seen", "alpha", "expected"),
    [(2.7, 1.0, 0.5), (2.68, 1.0, 0.5), (2.6, 1.0, -0.5), (2.7, 0.85, -0.5)],
    ids=["shown", "barely in front", "hidden", "translucent"],
)
def test_only_what_the_image_shows_is_warped(seen, alpha, expected):
    """The canonical surface lies at 2.7; where another one before it is seen, or it is thin, its own colour stays."""
    front = look_at(torch.zeros(1), torch.zeros(1))
    warped = warp(torch.full((1, 3, 8, 8), 0.5), flat(seen, 1.0, 0.0), front, flat(2.7, alpha, -0.5), front)
    assert torch.allclose(warped, torch.full_like(warped, expected))


def test_what_lies_outside_the_image_is_not_warped():
    front = look_at(torch.zeros(1), torch.zeros(1))
    offsets = torch.zeros(1, 6)
    offsets[0, 3] = 0.5  # the right half of the canonical picture leaves the image
    image = torch.full((1, 3, 8, 8), 0.5)
    warped = warp(image, flat(2.7, 1.0, 0.0), correct(front, offsets), flat(2.7, 1.0, -0.5), front)
    assert (warped[..., :4] == 0.5).all() and (warped[..., 4:] == -0.5).all()
