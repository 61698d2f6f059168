import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.generator import Bend


def face(seed: int = 0) -> torch.Tensor:
    return 0.2 * torch.rand(60, 3, generator=torch.Generator().manual_seed(seed)) - 0.1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.tuples(*[st.floats(-0.02, 0.02)] * 3))
def test_points_that_move_together_come_from_where_they_were(seed, moved):
    points = face(seed)
    bend = Bend(points, torch.tensor(moved).expand(60, 3))
    assert torch.allclose(bend.origin(points[None])[0], points - torch.tensor(moved), atol=2e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50))
def test_far_from_its_points_space_is_as_it_was(seed):
    """Though grids end somewhere."""
    bend = Bend(face(seed), torch.full((60, 3), 0.02))
    far = torch.nn.functional.normalize(torch.randn(40, 3, generator=torch.Generator().manual_seed(seed)), dim=1)
    assert torch.equal(bend.origin(0.6 * far), 0.6 * far)
    near = torch.linspace(0.1, 0.6, 200)[:, None] * far[:1]
    steps = (bend.origin(near) - near).norm(dim=1).diff()
    assert float(steps.amax()) < 1e-3 and float(steps.abs().amax()) < 2e-3


def test_different_moves_are_told_apart():
    """One cheek goes up, and the other one down."""
    points = torch.cat([face() * 0.3 - torch.tensor([0.08, 0.0, 0.0]), face() * 0.3 + torch.tensor([0.08, 0.0, 0.0])])
    moved = torch.zeros(120, 3)
    moved[:60, 1], moved[60:, 1] = 0.01, -0.01
    found = points - Bend(points, moved).origin(points)
    assert torch.allclose(found, moved, atol=2e-3)


def test_a_bent_scene_has_at_a_place_what_it_had_elsewhere(head):
    bend = Bend(face(), torch.full((60, 3), 0.015))
    scene = head.generator.scene(head.track.codes[:1])
    points = torch.rand(1, 200, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    bent, plain = (head.generator.surface(*each) for each in ((scene.bent(bend), points), (scene, bend.origin(points))))
    assert torch.equal(bent.level, plain.level) and torch.equal(bent.colors, plain.colors)
    assert not torch.equal(bent.level, head.generator.surface(scene, points).level)


def test_a_bent_head_renders_its_face_elsewhere(head):
    """Also where only its guide knows that there is something."""
    assert head.bundle.face is not None
    camera, up = head.camera(torch.zeros(1), torch.zeros(1)), torch.tensor([0.0, 0.03, 0.0])
    bent = dataclasses.replace(head, bend=Bend(head.bundle.face + up, up.expand(468, 3)))
    before, after = (each.render(camera, 128).image[0] for each in (head, bent))
    rows = round(float(0.03 / 2.7 * camera.intrinsics[0, 1, 1] * 128))
    part = slice(52, 76)
    risen = before[:, part, part]
    assert float((after[:, 52 - rows : 76 - rows, part] - risen).abs().mean()) < 0.3 * float((after[:, part, part] - risen).abs().mean())


@pytest.mark.parametrize("name", ["points", "moved"])
def test_what_is_saved_makes_the_same_bend(name):
    bend = Bend(face(), 0.1 * face(1))
    bend.origin(bend.points)
    assert set(bend.state()) == {"points", "moved"}
    assert torch.equal(Bend(**bend.state()).origin(face(2)), bend.origin(face(2)))
