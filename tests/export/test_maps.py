import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Render
from inv3d.export.maps import MAPS, normals, picture, write_depth

RADIUS = 0.2


@pytest.fixture(scope="module")
def ball() -> tuple[Render, Camera]:
    """A sphere, seen from its upper right."""
    camera = look_at(torch.tensor([0.5]), torch.tensor([0.3]))
    rays = camera.rays(64)
    along = -(rays.origins * rays.directions).sum(-1)
    missed = (rays.origins + along[..., None] * rays.directions).norm(dim=-1)
    hit = missed < RADIUS
    depth = torch.where(hit, along - (RADIUS**2 - missed**2).clamp(min=0).sqrt(), torch.full_like(along, 3.12))
    maps = (depth.reshape(1, 1, 64, 64), hit.float().reshape(1, 1, 64, 64))
    image = torch.zeros(1, 3, 64, 64)
    return Render(image, image, *maps), camera


def test_normals_are_those_of_the_camera_space(ball):
    render, camera = ball
    found = normals(render, camera)
    rays = camera.rays(64)
    points = (rays.origins + rays.directions * render.depth.reshape(1, -1, 1))[0] / RADIUS
    right, down, forward = camera.cam2world[0, :3, :3].T
    expected = torch.stack([points @ right, -points @ down, -points @ forward]).reshape(3, 64, 64)
    inner = torch.nn.functional.max_pool2d(1 - render.alpha, 5, 1, 2)[0, 0] == 0
    assert inner.sum() > 500 and ((found - expected).norm(dim=0)[inner] < 0.1).all()
    assert found[2, 32, 32] > 0.99 and found[0, 32, 42] > 0.3 and found[1, 22, 32] > 0.3


@pytest.mark.parametrize("kind", MAPS)
def test_maps_are_pictures(ball, kind):
    image = picture(kind, *ball)
    assert image.shape == (3, 64, 64) and image.min() >= -1.0001 and image.max() <= 1.0001
    if kind != "color":
        assert image[:, 0, 0].tolist() == [-1, -1, -1] and image[:, 32, 32].max() > 0.8


def test_depth_is_brighter_where_it_is_closer(ball):
    image = picture("depth", *ball)[0]
    assert image[32, 32] == pytest.approx(1.0, abs=0.02) and image[32, 32] > image[32, 42] > image[32, 0]


def test_a_depth_map_keeps_distances(ball, tmp_path):
    render, _ = ball
    write_depth(tmp_path / "depth.png", render.depth[0], render.alpha[0])
    with Image.open(tmp_path / "depth.png") as file:
        assert isinstance(file, PngImageFile)
        values, text = np.asarray(file).astype(float), file.text["Description"]
    assert values[32, 32] / 10_000 == pytest.approx(2.7 - RADIUS, abs=1e-3)
    assert values[0, 0] == 0 and "10000 is one world unit" in text and values.max() > 255


def test_an_empty_picture_has_maps_too(ball):
    render, camera = ball
    empty = Render(render.image, render.image_raw, render.depth, torch.zeros_like(render.alpha))
    assert all(bool(picture(kind, empty, camera).isfinite().all()) for kind in MAPS)
