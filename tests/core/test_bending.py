import dataclasses

import pytest
import torch

from inv3d.core import bending
from inv3d.core.bending import bent
from inv3d.core.encoders.inverter import E3dgeInverter, load_inverter, read_detail
from inv3d.core.encoders.kinds import E3DGE
from inv3d.core.generator import Bend
from inv3d.core.head import Head
from inv3d.core.hulls import hull_of
from inv3d.core.inversion.invert import Footage
from inv3d.core.views import Views
from tests.core.test_head import with_detail


def footage_of(head: Head) -> Footage:
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    render = head.render(camera, 64)
    return Footage.of_one(Views(render.image, camera, (0,), (0.0,), render.alpha))


def up(points):
    return torch.tensor([0.0, 0.02, 0.0]).expand_as(points)


def wide(points):
    return 0.1 * points


@pytest.mark.parametrize(("face", "outline"), [(up, wide), (up, None), (None, wide), (None, None)])
def test_a_head_has_its_own_face_within_its_own_outline(head, monkeypatch, face, outline):
    """And what of them is not known is as it is."""
    first, second = (None if move is None else Bend.of(move, head.generator.box, "cpu") for move in (face, outline))
    monkeypatch.setattr(bending, "faced", lambda head, footage: (dataclasses.replace(head, bend=first), footage))
    monkeypatch.setattr(bending, "girded", lambda head, views: second)
    found, _ = bent(head, footage_of(head))
    points = 0.4 * torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) - 0.2
    expected = points if second is None else second.origin(points)
    expected = expected if first is None else first.origin(expected)
    assert (found.bend is None) is (face is None and outline is None)
    assert torch.allclose(points if found.bend is None else found.bend.origin(points), expected, atol=1e-4)


def test_a_head_is_within_what_its_targets_show(head):
    footage = footage_of(head)
    found, footage = bent(head, footage)
    expected = hull_of(footage.targets)
    assert found.hull is not None and expected is not None
    assert torch.equal(found.hull.covered, expected.covered) and torch.equal(found.hull.camera.cam2world, expected.camera.cam2world)


def moved_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face that goes up, within the outlines that are there."""
    monkeypatch.setattr(
        bending, "faced", lambda head, footage: (dataclasses.replace(head, bend=Bend.of(up, head.generator.box, "cpu")), footage)
    )
    monkeypatch.setattr(bending, "girded", lambda head, views: None)


def test_detail_is_what_a_picture_shows_beyond_the_bent_head(head, monkeypatch):
    moved_up(monkeypatch)
    head, footage = head.facing(head.camera(torch.zeros(1), torch.zeros(1))), footage_of(head)
    encoder = load_inverter(head.bundle, E3DGE)
    assert isinstance(encoder, E3dgeInverter)
    targets = footage.targets
    read = read_detail(encoder.encoder.local, head.bundle, targets, head.track.codes)
    found, _ = bent(dataclasses.replace(head, detail=read), footage)
    assert found.bend is not None and found.detail is not None
    seen, generator = found.detail.seen, head.bundle.generator
    with torch.no_grad():
        scenes = (each.shaped(generator.scene(head.track.codes)) for each in (found, head))
        anew, before = (encoder.encoder.local.drawn(generator, scene, targets.cameras).depth for scene in scenes)
    assert torch.allclose(seen.depth, anew, atol=2e-3) and not torch.allclose(before, anew, atol=0.1)
    assert not torch.equal(seen.residual, read.seen.residual)


def test_detail_that_nothing_could_read_anew_stays_where_it_lies(head, monkeypatch):
    moved_up(monkeypatch)
    detailed, footage = with_detail(head), footage_of(head)
    assert bent(detailed, footage) == (detailed, footage)
