"""A ball that is painted all over, below a head's neck, before cameras that turn about that head."""

import pytest
import torch
from torch import Tensor

from inv3d.core.body import body_of, body_stays, stayed
from inv3d.core.camera import Camera, look_at

SIZE, CENTRE, RADIUS = 64, (0.0, -0.35, 0.05), 0.2
YAWS = torch.tensor([-0.5, -0.3, -0.1, 0.1, 0.3, 0.5])


def body(cameras: Camera, stays: bool) -> tuple[Tensor, Tensor]:
    """Pictures [K,4,SIZE,SIZE] of the body, in colours that change fast over it, and the depths [K,1,SIZE,SIZE] of its surface as it
    is while the head looks into the camera. It turns with the head, or `stays` before the camera."""
    rays = cameras.rays(SIZE)
    origins = rays.origins - torch.tensor(CENTRE)
    middle = -(origins * rays.directions).sum(-1)
    root = middle.square() - origins.square().sum(-1) + RADIUS**2
    depth = middle - root.clamp(min=0.0).sqrt()
    points = rays.origins + rays.directions * depth[..., None]
    material = (points if not stays else points @ cameras.cam2world[:, :3, :3]).mT
    colours = 0.5 + 0.4 * torch.sin(30.0 * material + torch.arange(3.0)[:, None])
    covered = (root > 0)[:, None]
    shape = (len(cameras), -1, SIZE, SIZE)
    return torch.cat([colours * covered, covered], 1).reshape(shape), depth.reshape(shape)


@pytest.mark.parametrize("stays", [False, True])
def test_pictures_tell_whether_the_body_stays(stays):
    cameras = look_at(YAWS, torch.zeros(len(YAWS)))
    pictures, depth = body(cameras, stays)
    assert body_stays(pictures, cameras, depth) is stays


def test_of_one_picture_nobody_knows():
    cameras = look_at(torch.zeros(1), torch.zeros(1))
    pictures, depth = body(cameras, stays=True)
    assert body_stays(pictures, cameras, depth) is False


def test_what_stays_is_at_the_same_place_of_all_pictures():
    points = torch.randn(3, 20, generator=torch.Generator().manual_seed(0)) * 0.2
    camera, cameras = look_at(torch.tensor([0.7]), torch.tensor([0.2])), look_at(YAWS, torch.zeros(len(YAWS)))
    seen, others = camera.project(points.T[None])[0], cameras.project(stayed(points, camera, cameras).mT)[0]
    assert torch.allclose(others, seen.expand_as(others), atol=1e-5)


def test_the_body_is_what_lies_below_the_neck():
    heights = torch.tensor([0.3, -0.1, -0.22, -0.3, -0.5])
    points = torch.stack([torch.zeros(5), heights, torch.zeros(5)])
    assert body_of(points).tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])
