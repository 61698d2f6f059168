"""Needs warp, which traces the rays (extra `train`); the basis is a stand-in."""

import functools

import pytest
import torch

from inv3d.core.camera import look_at
from tests.core.people.standin import standin_basis

pytest.importorskip("warp")

from inv3d.core.people.oddities import Oddities, OddPeopleRenderer
from inv3d.core.people.renderer import PeopleRender, PeopleRenderer
from tests.core.people.test_renderer import person

BASIS = standin_basis()
BARE = {"glasses": 0.0, "hat": 0.0, "scarf": 0.0, "earring": 0.0, "hair_density": 0.0}
HAIRY = {"hat": 0.0, "scarf": 0.0, "hair_density": 1.0, "hair_top": 0.06, "hair_side": 0.06, "hair_back": 0.06}


@functools.cache
def picture(oddities: Oddities | None, hairy: bool = False, yaw: float = 0.0) -> PeopleRender:
    renderer = PeopleRenderer(BASIS) if oddities is None else OddPeopleRenderer(BASIS, oddities)
    parameters = person(7, **(HAIRY if hairy else BARE))
    return renderer.render(parameters, look_at(torch.tensor([yaw]), torch.zeros(1)), 40, supersample=1)


@pytest.mark.parametrize(
    ("oddities", "hairy"),
    [(Oddities(paint=True), False), (Oddities(birthmark=True), False), (Oddities(streaks=True), True)],
)
def test_paint_birthmarks_and_streaks_change_colours_alone(oddities, hairy):
    odd, plain = picture(oddities, hairy), picture(None, hairy)
    assert torch.allclose(odd.depth, plain.depth, atol=1e-4)
    changed = (odd.image - plain.image).abs().amax(1) > 0.05
    assert 5 < changed.sum() < 0.5 * changed.numel()


def test_paint_stays_on_its_side_of_the_head():
    behind = picture(Oddities(paint=True), yaw=3.14159)
    assert (behind.image - picture(None, yaw=3.14159).image).abs().amax() < 0.02


@pytest.mark.parametrize("oddities", [Oddities(headband=True), Oddities(skew=0.03)])
def test_what_is_worn_or_crooked_changes_the_surface_and_depth_stays_exact(oddities):
    camera, renderer = look_at(torch.zeros(1), torch.zeros(1)), OddPeopleRenderer(BASIS, oddities)
    odd = picture(oddities)
    assert (odd.depth - picture(None).depth).abs().max() > 0.005
    origins, directions = camera.rays(40)
    points = (origins + directions * odd.depth.reshape(1, -1, 1))[0, odd.alpha.flatten() > 0]
    assert renderer.scene(person(7, **BARE)).distance(points).abs().max() < 0.003


def test_a_crooked_face_moves_one_eye_and_the_mouth():
    parameters = person(7, **BARE)
    plain = PeopleRenderer(BASIS).builder.shapes.surface(parameters)
    crooked = OddPeopleRenderer(BASIS, Oddities(skew=0.02)).builder.shapes.surface(parameters)
    assert torch.equal(crooked.eyes[1], plain.eyes[1]) and crooked.eyes[0, 1] < plain.eyes[0, 1]
    assert crooked.mouth[0] > plain.mouth[0]


def test_no_oddity_is_the_plain_person():
    assert torch.equal(picture(Oddities()).image, picture(None).image)
