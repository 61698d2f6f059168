import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Hull
from tests.tiny import with_generator


def disc(camera: Camera, radius: float = 0.25, size: int = 64) -> Hull:
    """What is seen in the middle of a picture."""
    axis = (torch.arange(size) + 0.5) / size - 0.5
    return Hull((torch.hypot(axis[:, None], axis) < radius).float()[None, None], camera)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.floats(-0.25, 0.25)] * 3), st.floats(-1.5, 1.5))
def test_a_picture_allows_what_it_shows(point, yaw):
    camera = look_at(torch.tensor([yaw]), torch.zeros(1))
    at = torch.tensor(point)
    place = camera.project(at[None, None])[0][0, 0] - 0.5
    away = float(place.norm())
    if abs(away - 0.25) > 0.02 and float(place.abs().max()) < 0.47:
        assert float(disc(camera).at(at)) == pytest.approx(float(away < 0.25), abs=1e-5)


def test_a_body_that_the_border_cuts_off_goes_on_beyond_it():
    covered = torch.zeros(1, 1, 32, 32)
    covered[..., 24:, 8:] = 1.0  # at the lower and at the right border
    hull = Hull(covered, look_at(torch.zeros(1), torch.zeros(1)))
    below, right, left, above = torch.tensor([[0.0, -0.6, 0.0], [0.6, -0.25, 0.0], [-0.6, -0.25, 0.0], [0.0, 0.6, 0.0]])
    assert [round(float(hull.at(each))) for each in (below, right, left, above)] == [1, 1, 0, 0]


def test_every_picture_must_allow_it():
    front, side = (look_at(torch.tensor([yaw]), torch.zeros(1)) for yaw in (0.0, 1.5))
    both = Hull(
        torch.cat([disc(front).covered, disc(side).covered]),
        Camera(*(torch.cat(each) for each in zip(vars(front).values(), vars(side).values(), strict=True))),
    )
    points = 0.5 * torch.rand(4, 50, 3, generator=torch.Generator().manual_seed(1)) - 0.25
    assert torch.equal(both.at(points), torch.minimum(disc(front).at(points), disc(side).at(points)))
    assert 0.1 < float(both.at(points).mean()) < float(disc(front).at(points).mean()) - 0.05


def test_what_is_saved_makes_the_same_hull():
    hull = disc(look_at(torch.tensor([0.3]), torch.zeros(1)))
    hull = dataclasses.replace(hull, covered=0.9 * hull.covered + 0.003).rounded()
    again = Hull.from_state(hull.state())
    assert torch.equal(again.covered, hull.covered) and torch.equal(again.camera.cam2world, hull.camera.cam2world)


@pytest.mark.parametrize(("share", "least"), [(0.0, 0.0), (0.4, 0.4), (1.0, 1.0)])
def test_an_opened_hull_has_room_outside(share, least):
    points = 0.4 * torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) - 0.2
    room = disc(look_at(torch.zeros(1), torch.zeros(1))).opened(share).at(points)
    assert float(room.min()) == pytest.approx(least, abs=1e-6) and float(room.max()) == pytest.approx(1.0)


def test_a_scene_is_empty_outside_of_a_hull_and_as_it_was_inside(head):
    hull = disc(head.camera(torch.zeros(1), torch.zeros(1)))
    scene = head.generator.scene(head.track.codes[:1])
    points = 0.3 * torch.rand(1, 500, 3, generator=torch.Generator().manual_seed(1)) - 0.15
    plain, cut = (head.generator.surface(each, points) for each in (scene, scene.within(hull)))
    room = hull.at(points)
    assert float((plain.level[room == 0.0] > 0.0).float().mean()) > 0.1 and not bool((cut.level[room == 0.0] > 0.0).any())
    assert torch.equal(cut.level[room == 1.0], plain.level[room == 1.0]) and torch.equal(cut.colors, plain.colors)


def test_renders_show_what_was_behind_what_a_hull_leaves_out(head):
    """The guide of a head knows of its hull: its samples would lie where the face was."""
    side = head.camera(torch.tensor([1.5]), torch.zeros(1))
    covered = torch.zeros(1, 1, 64, 64)
    covered[..., 34:] = 1.0  # the back of the head
    still = head.facing(head.camera(torch.zeros(1), torch.zeros(1)))
    cut = dataclasses.replace(still, hull=Hull(covered, side))
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    with torch.no_grad():
        exact = head.generator.render(cut.shaped(head.generator.scene(cut.track.codes)), camera, 48)
    seen = cut.render(camera, 48)
    inside = slice(12, 36)
    assert float((seen.alpha - exact.alpha)[..., inside, inside].abs().mean()) < 0.02
    assert float((seen.depth - still.render(camera, 48).depth)[..., inside, inside].median()) > 0.05


def test_nothing_is_outside_of_the_hull_of_a_public_model_either(demo):
    """Its raw density is another: what is empty for `demo` would be fog, and more than it has where it is empty itself."""
    generator = with_generator(demo).generator
    camera = look_at(torch.zeros(1), torch.zeros(1))
    nowhere = Hull(torch.zeros(1, 1, 8, 8), camera)
    scene = generator.scene(torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(1)).expand(1, generator.code_space.num_ws, 16))
    alpha, left = (generator.render(each, camera, 16).alpha for each in (scene, scene.within(nowhere)))
    assert float(alpha.mean()) > 0.1 and float(left.max()) < 1e-3
    sigma = torch.tensor([[-30.0, 5.0]])
    assert nowhere.emptied(sigma, torch.zeros(1, 2, 3), generator.empty).tolist() == [[-30.0, -10.0]]
