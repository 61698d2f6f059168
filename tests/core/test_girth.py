import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.generator import Bend
from inv3d.core.girth import _DIRECTIONS, _Rims, _scales, girded
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views


@pytest.fixture(scope="module")
def plain(demo, head):
    codes = demo.generator.mean_w.expand(1, *head.track.codes.shape[1:]).clone()
    return dataclasses.replace(head, generator=demo.generator, track=LatentTrack(codes, torch.zeros(1)))


def wider(head: Head, times: float) -> Head:
    """A head with so many times the width."""
    less = torch.tensor([1.0 - 1.0 / times, 0.0, 0.0])
    return dataclasses.replace(head, bend=Bend.of(lambda points: points * less, head.generator.box, "cpu"))


def view_of(head: Head, yaw: float, outside: torch.Tensor | None = None) -> Views:
    camera = head.camera(torch.tensor([yaw]), torch.zeros(1))
    render = head.render(camera, 128)
    return Views(render.image, camera, (0,), (0.0,), render.alpha, outside=outside)


def width(head: Head, yaw: float, row: int = 45) -> int:
    """Pixels that the head covers of a row above the face, of 128."""
    return int((head.render(head.camera(torch.tensor([yaw]), torch.zeros(1)), 128).alpha[0, 0, row] > 0.5).sum())


@pytest.mark.parametrize(("times", "yaw"), [(1.2, 0.0), (0.9, 0.0), (1.15, 0.5)])
def test_a_head_becomes_as_wide_as_its_photo_shows_it_from_other_sides_too(plain, times, yaw):
    person = wider(plain, times)
    bend = girded(plain, view_of(person, yaw))
    assert bend is not None
    found = dataclasses.replace(plain, bend=bend)
    for side in (yaw, -yaw, yaw - 0.3):
        before, after, truth = (width(each, side) for each in (plain, found, person))
        assert abs(after - truth) <= 0.45 * abs(before - truth) + 1


def test_the_face_stays(plain):
    bend = girded(plain, view_of(wider(plain, 1.3), 0.0))
    face = plain.bundle.face
    assert bend is not None and face is not None
    assert float((bend.origin(face) - face).norm(dim=1).amax()) < 0.004
    assert float(bend.moved.abs().amax()) > 0.02


def test_a_head_that_is_right_hardly_changes(plain):
    bend = girded(plain, view_of(plain, 0.4))
    assert bend is not None and float(bend.moved.abs().amax()) < 0.006


def test_what_was_not_filmed_tells_nothing(plain):
    person = wider(plain, 1.3)
    made_up = torch.full((1, 1, 128, 128), 0.1)
    bend = girded(plain, view_of(person, 0.0, made_up))
    assert bend is not None and float(bend.moved.abs().amax()) == 0.0


def test_without_mattes_or_a_known_face_nothing_is_scaled(plain, demo):
    view = view_of(plain, 0.0)
    assert girded(plain, dataclasses.replace(view, mattes=None)) is None
    thing = dataclasses.replace(plain, bundle=dataclasses.replace(demo, face=None))
    assert girded(thing, view) is None


def ball(radius: float, size: int = 128) -> torch.Tensor:
    at = (torch.arange(size) + 0.5) / size - 0.5
    return (at[:, None].square() + at.square() < radius**2).float()[None, None]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.15, 0.3), st.floats(0.9, 1.3))
def test_outlines_tell_how_many_times_wider_a_head_is(radius, times):
    """But not those of the neck."""
    scales = _scales(ball(radius), ball(radius * times), torch.zeros(1, 1, 128, 128), look_at(torch.zeros(1), torch.zeros(1)))[0]
    angles = (torch.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS * math.tau
    upper = angles.sin() > 0.3
    assert torch.allclose(scales[upper], torch.full_like(scales[upper], times), atol=0.03 + 0.05 * abs(times - 1.0))
    assert abs(float(scales[angles.sin().argmin()]) - 1.0) < 0.25 * abs(times - 1.0) + 1e-3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.floats(-0.8, 0.8))
def test_mirror_images_move_mirrored_points_alike(seed, yaw):
    random = torch.Generator().manual_seed(seed)
    rims = _Rims(look_at(torch.tensor([yaw]), torch.tensor([0.1])), 1.0 + 0.2 * torch.rand(1, _DIRECTIONS, generator=random))
    points, flip = 0.6 * torch.rand(40, 3, generator=random) - 0.3, torch.tensor([-1.0, 1.0, 1.0])
    (one, share), (other, same) = rims.moved(points), rims.mirrored().moved(points * flip)
    assert torch.allclose(one, other * flip, atol=1e-5) and torch.allclose(share, same, atol=1e-5)
