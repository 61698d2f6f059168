import dataclasses

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.generator import Bend, Detail
from tests.core.test_head import with_detail

SIDE = 1.0


def up(height: float, middle: tuple[float, float, float] = (0.0, 0.0, 0.0), wide: float = 0.15) -> Bend:
    """What is around a place goes up."""

    def move(points):
        near = torch.exp(-0.5 * ((points - torch.tensor(middle)) / wide).square().sum(1))
        return near[:, None] * torch.tensor([0.0, height, 0.0])

    return Bend.of(move, SIDE, "cpu")


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.floats(-0.3, 0.3)] * 3), st.floats(-0.05, 0.05))
def test_a_place_has_what_was_further_back(middle, height):
    at = torch.tensor(middle)
    assert torch.allclose(up(height, middle).origin(at[None, None])[0, 0], at - torch.tensor([0.0, height, 0.0]), atol=2e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50))
def test_outside_of_the_cube_space_is_as_it_was(seed):
    far = torch.nn.functional.normalize(torch.randn(40, 3, generator=torch.Generator().manual_seed(seed)), dim=1)
    assert torch.equal(up(0.05).origin(far), far)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.floats(-0.04, 0.04), st.floats(-0.04, 0.04))
def test_two_bends_as_one_are_one_after_the_other(seed, first, second):
    one, other = up(first, (0.1, 0.0, 0.0)), up(second, (-0.05, 0.1, 0.0))
    points = 0.6 * torch.rand(50, 3, generator=torch.Generator().manual_seed(seed)) - 0.3
    assert torch.allclose(other.after(one).origin(points), one.origin(other.origin(points)), atol=2e-3)


def test_a_bent_scene_has_at_a_place_what_it_had_elsewhere(head):
    bend = up(0.03)
    scene = head.generator.scene(head.track.codes[:1])
    points = torch.rand(1, 200, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    bent, plain = (head.generator.surface(*each) for each in ((scene.bent(bend), points), (scene, bend.origin(points))))
    assert torch.equal(bent.level, plain.level) and torch.equal(bent.colors, plain.colors)
    assert not torch.equal(bent.level, head.generator.surface(scene, points).level)


def test_detail_lies_where_its_picture_shows_it_also_on_a_bent_head(head, monkeypatch):
    points = torch.rand(1, 20, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    asked, added = [], Detail.added

    def noted(self, features, places):
        asked.append(places)
        return added(self, features, places)

    monkeypatch.setattr(Detail, "added", noted)
    scene = head.generator.scene(head.track.codes[:1], with_detail(head).detail)
    head.generator.surface(scene.bent(up(0.03)), points)
    assert len(asked) == 1 and torch.equal(asked[0], points)


def test_the_part_of_a_bent_scene_is_bent(head):
    bend, points = up(0.03), torch.zeros(1, 1, 3) + torch.tensor([0.0, 0.02, 0.14])
    scenes = (head.generator.scene(head.track.codes), head.generator.scene(head.track.codes[1:2]))
    whole, part = (head.generator.surface(scene.bent(bend)[[i]], points).level for scene, i in zip(scenes, (1, 0), strict=True))
    assert torch.allclose(whole, part, atol=1e-4)


def test_a_bent_head_renders_its_face_elsewhere(head):
    """Also where only its guide knows that there is something."""
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    before, after = (each.render(camera, 128).image[0] for each in (head, dataclasses.replace(head, bend=up(0.03, wide=10.0))))
    rows = round(float(0.03 / 2.7 * camera.intrinsics[0, 1, 1] * 128))
    part = slice(52, 76)
    risen = before[:, part, part]
    assert float((after[:, 52 - rows : 76 - rows, part] - risen).abs().mean()) < 0.3 * float((after[:, part, part] - risen).abs().mean())


def test_what_is_saved_makes_the_same_bend():
    bend, points = up(0.03), torch.rand(100, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    saved = bend.state()["moved"]
    assert saved.dtype == torch.float16
    assert torch.equal(Bend(saved.float(), SIDE).origin(points), bend.origin(points))
