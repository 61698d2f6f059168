import math

import pytest
import torch

pytest.importorskip("warp", reason="people are drawn with the extra `train`")

from inv3d.core.people.clip import _ENVIRONMENT, _KEY, PersonTurn, turned
from inv3d.core.people.light import harmonics


def environment(parameters: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    return harmonics(directions) @ parameters[0, _ENVIRONMENT].reshape(9, 3)


def test_turned_light_shines_from_the_turned_side():
    parameters = PersonTurn(3, lamp="head").parameters(0)
    c, s = math.cos(0.7), math.sin(0.7)
    rotation = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    lit = turned(parameters, rotation)
    directions = torch.nn.functional.normalize(torch.randn(20, 3), dim=1)
    assert torch.allclose(environment(lit, directions @ rotation.T), environment(parameters, directions), atol=1e-4)
    assert torch.allclose(lit[0, _KEY], rotation @ parameters[0, _KEY], atol=1e-5)
    kept = [i for i in range(lit.shape[1]) if i not in {*_KEY, *_ENVIRONMENT}]
    assert torch.equal(lit[:, kept], parameters[:, kept])


def test_a_lamp_in_the_room_stays_where_it_is_for_the_camera():
    turn = PersonTurn(5, frames=9)
    seen = [turn.parameters(f)[:, _KEY] @ turn.aligned_camera(f).cam2world[0, :3, :3] for f in (0, 4, 8)]
    assert torch.allclose(seen[0], seen[1], atol=1e-4) and torch.allclose(seen[0], seen[2], atol=1e-4)
    own = [PersonTurn(5, frames=9, lamp="head").parameters(f)[:, _KEY] for f in (0, 8)]
    assert torch.allclose(own[0], own[1])


def test_the_face_moves_and_the_person_stays():
    turn = PersonTurn(5, frames=9)
    (who, face, light, room), (same, other, *rest) = turn.latents(1), turn.latents(6)
    assert torch.equal(who, same) and torch.equal(light, rest[0]) and torch.equal(room, rest[1])
    assert (face - other).abs().amax() > 0.3
    still = PersonTurn(5, frames=9, talking=0.0)
    assert torch.equal(still.latents(1)[1], still.latents(6)[1])
