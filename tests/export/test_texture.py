import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import trimesh
from numpy.typing import NDArray

from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Render
from inv3d.export.raster import Raster, project, rasterise, sample
from inv3d.export.texture import Shot, bake, bake_vertices, own_shot, photo_shot
from inv3d.export.unwrap import Unwrapped, unwrap
from tests.export.textures import ball

Triple = tuple[float, float, float]
Surface = tuple[trimesh.Trimesh, Unwrapped]
RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def camera(yaw: float) -> Camera:
    return look_at(torch.tensor([yaw]).deg2rad(), torch.zeros(1))


def plain(color: tuple[float, float, float], yaw: float, trust: float = 1.0) -> Shot:
    """A picture that has one colour everywhere."""
    return Shot(np.full((32, 32, 3), color, np.float32), camera(yaw), np.full((32, 32), trust, np.float32))


def render(image: torch.Tensor, alpha: torch.Tensor) -> Render:
    return Render(image[None], image[None], torch.ones_like(alpha)[None, None], alpha[None, None])


@pytest.fixture(scope="module")
def surface() -> Surface:
    mesh = ball()
    return mesh, unwrap(mesh)


def colors_at(surface: Surface, texture: NDArray[np.uint8], points: Sequence[Triple]) -> NDArray[np.float64]:
    """The texture's colours [N,3] in [0,1] at the vertices of the surface nearest to `points`."""
    mesh, opened = surface
    nearest = [
        np.linalg.norm(mesh.vertices[opened.origin] - 0.2 * np.array(point), axis=1).argmin() for point in points
    ]
    return sample(texture, opened.uv[nearest] * [1, -1] + [0, 1]) / 255


def test_without_pictures_the_colours_are_those_of_the_vertices(surface):
    mesh, opened = surface
    texture = bake(mesh, opened, [], 128)
    colors = sample(texture, opened.uv * [1, -1] + [0, 1])
    expected = mesh.visual.vertex_colors[opened.origin, :3]
    assert texture.shape == (128, 128, 3) and np.abs(colors - expected).max() < 12


def test_every_side_takes_the_picture_that_sees_it_best(surface: Surface) -> None:
    texture = bake(*surface, [plain(RED, -60), plain(GREEN, 60)], 128)
    left, right, behind = colors_at(surface, texture, [(-0.9, 0, 0.4), (0.9, 0, 0.4), (0, 0, -1)])
    assert left == pytest.approx(RED, abs=0.05) and right == pytest.approx(GREEN, abs=0.05)
    assert behind == pytest.approx((0.5, 0.5, 0.5 - 0.4), abs=0.06)  # the field's own


def test_a_picture_that_is_preferred_reaches_further(surface: Surface) -> None:
    middle, shots = [(0, 0, 1)], [plain(RED, -50), plain(GREEN, 10)]
    assert colors_at(surface, bake(*surface, shots, 128), middle)[0, 1] > 0.6
    shots[0] = dataclasses.replace(shots[0], preference=12.0)
    assert colors_at(surface, bake(*surface, shots, 128), middle)[0, 1] < 0.4


def test_detail_comes_from_the_best_picture_and_coarse_colours_from_all(surface: Surface) -> None:
    """The better picture has stripes finer than what pictures share; the other is plain and brighter."""
    stripes = np.broadcast_to(np.where(np.arange(256) // 4 % 2, 0.7, 0.3)[None, :, None], (256, 256, 3))
    best = Shot(stripes.astype(np.float32), camera(10), np.ones((32, 32), np.float32))
    texture = bake(*surface, [best, plain((0.8, 0.8, 0.8), -40)], 512)
    mesh, opened = surface
    front = mesh.vertices[opened.origin] @ [0, 0, 1] > 0.19
    colors = sample(texture, opened.uv[front] * [1, -1] + [0, 1])[:, 0] / 255
    assert 0.55 < colors.mean() < 0.68 and np.ptp(np.quantile(colors, [0.1, 0.9])) > 0.3


def test_vertices_have_the_colours_of_the_texture(surface):
    mesh, opened = surface
    shots = [plain(RED, -60), plain(GREEN, 60)]
    at_texels = sample(bake(mesh, opened, shots, 512), opened.uv * [1, -1] + [0, 1])
    off = np.abs(bake_vertices(mesh, shots)[opened.origin] - at_texels)
    assert np.quantile(off, 0.9) < 12
    assert (bake_vertices(mesh, []) == mesh.visual.vertex_colors[:, :3]).all()  # the field's own


def test_what_cannot_be_trusted_is_not_used(surface: Surface) -> None:
    shots = [plain(RED, 0, trust=0.0), plain(GREEN, 0)]
    assert colors_at(surface, bake(*surface, shots, 64), [(0, 0, 1)])[0] == pytest.approx(GREEN, abs=0.02)


def test_what_another_part_hides_is_not_painted():
    front = ball(2).apply_scale(0.5).apply_translation([0, 0, 0.4])
    mesh = ball() + front
    pair = mesh, unwrap(mesh)
    texture = bake(*pair, [plain(RED, 0)], 128)
    hidden, seen = colors_at(pair, texture, [(0, 0, 1), (0, 0, 2.5)])
    assert seen == pytest.approx(RED, abs=0.05) and np.abs(hidden - RED).max() > 0.3


def test_the_texture_goes_on_beyond_the_seam(surface):
    mesh = surface[0].copy()
    mesh.visual.vertex_colors[:, :3] = 200
    assert (bake(mesh, surface[1], [], 64) == 200).all()


def test_a_picture_lands_where_its_camera_saw_it(surface):
    """A picture that shows places in the world as colours gives each texel its own place."""
    mesh, opened = surface
    seen = project(np.asarray(mesh.vertices), camera(20))
    raster: Raster = rasterise(seen.places * 256, mesh.faces, (256, 256), seen.depth)
    image = np.zeros((256, 256, 3), np.float32)
    image[raster.covered] = raster.interpolate(mesh.faces, mesh.vertices) * 2 + 0.5
    texture = bake(mesh, opened, [Shot(image, camera(20), np.ones((8, 8), np.float32))], 256)
    front = mesh.vertices[opened.origin] @ [np.sin(0.35), 0, np.cos(0.35)] > 0.14
    colors = sample(texture, opened.uv[front] * [1, -1] + [0, 1]) / 255
    assert np.abs((colors - 0.5) / 2 - mesh.vertices[opened.origin][front]).max() < 0.006


def test_own_renders_are_not_trusted_at_the_background():
    alpha = torch.zeros(32, 32)
    alpha[8:24, 8:24] = torch.linspace(0.93, 1.0, 16)  # a matte is not wholly opaque inside
    trust = own_shot(render(torch.zeros(3, 32, 32), alpha), camera(0)).trust
    assert trust[16, 16] == pytest.approx(0.4) and trust[8, 16] == 0 and trust[2, 2] == 0


def test_photos_are_trusted_where_they_agree_with_the_head():
    image = torch.zeros(3, 64, 64)
    photo = image.clone()
    photo[:, :, 32:] += 0.8
    photo[:, ::2, :16] += 0.3  # fine detail, which the head lacks
    photo[:, 1::2, :16] -= 0.3
    trust = photo_shot(photo, render(image, torch.ones(64, 64)), camera(0)).trust
    assert trust[32, 8] > 0.8 and trust[32, 24] > 0.9 and trust[32, 48] < 0.01
