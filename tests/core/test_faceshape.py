import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import Camera, look_at
from inv3d.core.faceshape import _between, _Face, _read, _Seen, _visible, faced
from inv3d.core.head import Head
from inv3d.core.inversion.invert import Footage
from inv3d.core.inversion.poses import correct
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views

FLIP = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def photographed(demo, head):
    """The head of a photo: one code."""
    codes = demo.generator.mean_w.expand(1, *head.track.codes.shape[1:]).clone()
    return dataclasses.replace(head, generator=demo.generator, track=LatentTrack(codes, torch.zeros(1)))


def photo_of(head: Head, camera: Camera) -> Views:
    return Views(head.render(camera).image.clamp(-1.0, 1.0), camera, (0,), (0.0,))


def longer(head: Head) -> Head:
    """The head of somebody with eyes further up, and nose and mouth further down."""
    face = head.bundle.face
    assert face is not None
    moved = torch.zeros_like(face)
    moved[:, 1] = 0.015 * ((face[:, 1] - face[:, 1].mean()) / 0.03).tanh()
    return dataclasses.replace(head, bend=_between(face + moved, moved, head))


def apart(one: Views, other: Views, face: torch.Tensor) -> float:
    """How far two faces are from each other, in widths of the pictures, which are about where `face` [P,3] is."""
    first, second = (_read(each.images[0], each.cameras, face) for each in (one, other))
    assert first is not None and second is not None
    return float((first - second).norm(dim=1).mean())


@pytest.mark.parametrize("yaw", [0.0, 0.6])
def test_a_face_comes_to_where_its_photo_shows_it_from_other_sides_too(photographed, yaw):
    person, face = longer(photographed), photographed.bundle.face
    view = photo_of(person, photographed.camera(torch.tensor([yaw]), torch.zeros(1)))
    found, footage = faced(photographed, Footage.of_one(view))
    camera = footage.targets.cameras
    assert found.bend is not None and float((camera.yaw - yaw).abs()) < 0.03
    for side in (camera, photographed.camera(torch.tensor([yaw - 0.5]), torch.zeros(1))):
        truth, before, after = (photo_of(each, side) for each in (person, photographed, found))
        assert apart(truth, after, face) < 0.5 * apart(truth, before, face)


def test_the_face_of_a_head_that_is_right_stays_and_a_camera_that_errs_moves(photographed):
    camera = photographed.camera(torch.tensor([0.5]), torch.zeros(1))
    view = photo_of(photographed, camera)
    same, kept = faced(photographed, Footage.of_one(view))
    assert same.bend is not None and float(same.bend.moved.norm(dim=1).amax()) < 0.01
    assert torch.allclose(kept.targets.cameras.cam2world, camera.cam2world, atol=0.02)
    off = correct(camera, torch.tensor([[0.0, 0.0, 0.08, 0.0, 0.0, 0.0]]))
    _, mended = faced(photographed, Footage.of_one(dataclasses.replace(view, cameras=off)))
    far, near = ((each.cam2world - camera.cam2world).norm() for each in (off, mended.targets.cameras))
    assert near < 0.5 * far


def test_several_photos_show_a_face_together_and_one_of_another_thing_is_no_matter(photographed):
    person, face = longer(photographed), photographed.bundle.face
    cameras = photographed.camera(torch.tensor([-0.5, 0.0, 0.5]), torch.zeros(3))
    views = photo_of(person, cameras[0]).followed_by(photo_of(person, cameras[1])).followed_by(photo_of(person, cameras[2]))
    views.images[1] = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found, footage = faced(photographed, Footage(views, views[[]], views[[]]))
    truth, before, after = (photo_of(each, cameras[1]) for each in (person, photographed, found))
    assert apart(truth, after, face) < 0.5 * apart(truth, before, face)
    assert torch.allclose(footage.targets.cameras.cam2world[1], cameras.cam2world[1], atol=1e-5)


def test_the_far_side_of_a_face_is_guessed(photographed):
    face = photographed.bundle.face.double()
    view = photo_of(photographed, photographed.camera(torch.tensor([1.0]), torch.zeros(1)))
    seen = _visible(photographed, view, face)[0]
    right, left = (face[:, 0].argsort(descending=down)[:60] for down in (True, False))
    assert float(seen[right].mean()) > 0.8 and float(seen[left].mean()) < 0.2


def test_what_shows_no_face_bends_nothing(photographed, demo):
    camera = photographed.camera(torch.zeros(1), torch.zeros(1))
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 2 - 1
    view = photo_of(photographed, camera)
    thing = dataclasses.replace(photographed, bundle=dataclasses.replace(demo, face=None))
    for head, seen in ((photographed, dataclasses.replace(view, images=noise)), (thing, view)):
        footage = Footage.of_one(seen)
        found, kept = faced(head, footage)
        assert found is head and kept is footage


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.floats(0.3, 1.0))
def test_points_lie_where_a_photo_and_its_mirror_image_see_them(seed, yaw):
    """Though the head has them elsewhere."""
    random = torch.Generator().manual_seed(seed)
    half = 0.2 * torch.rand(20, 3, generator=random).double() - 0.1
    points = torch.cat([half, half * FLIP])
    face = _Face(points + 0.01, torch.arange(40).roll(20))
    camera = look_at(torch.tensor([yaw]), torch.tensor([0.1]))
    camera = Camera(camera.cam2world.double(), camera.intrinsics.double())
    seen = camera.project(points[None])[0][0]
    found, off = face.placed(_Seen(seen[None], torch.full((1, 40), 1e4, dtype=torch.float64), camera))
    assert torch.allclose(found, points, atol=1e-4) and float(off.abs().max()) < 1e-4


def test_where_a_photo_shows_nothing_a_face_is_where_the_head_has_it():
    points = 0.2 * torch.rand(20, 3, generator=torch.Generator().manual_seed(3)).double() - 0.1
    camera = look_at(torch.zeros(1), torch.zeros(1))
    camera = Camera(camera.cam2world.double(), camera.intrinsics.double())
    nothing = _Seen(torch.rand(1, 20, 2).double(), torch.zeros(1, 20).double(), camera)
    found, _ = _Face(points, torch.arange(20)).placed(nothing)
    assert torch.allclose(found, points)
