import dataclasses

import pytest
import torch

from inv3d.core.camera import Camera
from inv3d.core.editing.edits import make_edit
from inv3d.core.generator import Hull
from inv3d.core.head import Head
from inv3d.core.hulls import hull_of
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views

SIZE = 256


def view_of(head: Head, yaw: float = 0.0) -> Views:
    camera = head.camera(torch.tensor([yaw]), torch.zeros(1))
    render = head.render(camera, 64)
    return Views(render.image, camera, (0,), (0.0,), (render.alpha > 0.5).float())


def with_square(**others: torch.Tensor) -> Views:
    """A matte that covers the middle of a picture."""
    matte = torch.zeros(1, 1, SIZE, SIZE)
    matte[..., 100:150, 100:150] = 1.0
    still = torch.eye(4)[None], torch.eye(3)[None]
    return Views(torch.zeros(1, 3, SIZE, SIZE), Camera(*still), (0,), (0.0,), matte, **others)


def known_hull(views: Views) -> Hull:
    found = hull_of(views)
    assert found is not None
    return found


def test_a_hull_is_a_little_wider_than_a_matte():
    covered = known_hull(with_square()).covered[0, 0]
    assert float(covered[99:151, 99:151].min()) == 1.0
    assert float(covered[95:155, 95:155].sum()) == float(covered.sum()) < 58**2


def test_nothing_is_known_of_what_was_not_filmed():
    outside = torch.zeros(1, 1, SIZE, SIZE)
    outside[..., 200:, :] = 0.1
    covered = known_hull(with_square(outside=outside)).covered[0, 0]
    assert float(covered[201:].min()) == 1.0 and float(covered[160:198].max()) == 0.0


def test_without_mattes_there_is_no_hull():
    assert hull_of(dataclasses.replace(with_square(), mattes=None)) is None


def longer(head: Head, strength: float, name: str = "hair-length") -> Head:
    assert head.bundle.directions is not None
    direction = next(each for each in head.bundle.directions if each.name == name)
    return head.edited([*head.edits, make_edit(direction, strength, head.wplus, head.generator.code_space)])


@pytest.fixture(scope="module")
def short(demo):
    """A head with short hair."""
    mean = Head(demo.generator, LatentTrack(demo.generator.code_space.repeat(demo.mean_code[None]), torch.zeros(1)), demo, (-0.5, 0.5))
    return dataclasses.replace(longer(mean, -2.0), origin=None, edits=())


def covered(head: Head, yaw: float) -> float:
    camera = head.camera(torch.tensor([yaw]), torch.zeros(1))
    return float(head.render(camera, 64, frames=False).alpha.mean())


def test_hair_that_a_photo_does_not_show_is_gone_from_other_sides_too(short):
    """The photo shows shorter hair than its generator gives the head."""
    grown = dataclasses.replace(longer(short, 3.0), origin=None, edits=())
    shown = dataclasses.replace(grown, hull=hull_of(view_of(short)))
    for yaw in (0.0, 0.4):
        less, more = covered(short, yaw), covered(grown, yaw)
        assert less < more - 0.1 and covered(shown, yaw) < more - 0.5 * (more - less)


@pytest.mark.parametrize(("name", "strength", "opens"), [("smile", 1.5, False), ("hair-length", 3.0, True)])
def test_edits_make_room_for_what_they_add(short, name, strength, opens):
    shown = dataclasses.replace(short, hull=hull_of(view_of(short)))
    edited = longer(shown, strength, name)
    assert edited.hull is not None and float(edited.hull.covered.min()) == float(opens)
    assert edited.edited([]).hull is shown.hull
    if opens:
        assert covered(edited, 0.4) == pytest.approx(covered(longer(short, strength), 0.4), abs=1e-4)
