import math

import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.renderer import FAR, HeadRenderer
from inv3d.core.procedural.samples import sample_heads

from .test_surface import draw


@pytest.fixture(scope="module")
def renderer() -> HeadRenderer:
    return HeadRenderer()


def test_depth_lands_on_the_surface(renderer):
    parameters = draw(2, 1)
    camera = look_at(torch.tensor([0.5]), torch.tensor([0.1]))
    render = renderer.render(parameters, camera, 32, supersample=1)
    origins, directions = camera.rays(32)
    points = origins + directions * render.depth.reshape(1, -1, 1)
    on_head = render.alpha.reshape(1, -1) > 0
    assert renderer.distance(points, parameters)[on_head].abs().max() < 0.006
    assert (render.depth.reshape(1, -1)[~on_head] == FAR).all()


def test_the_background_is_the_parameters_colour(renderer):
    parameters = draw(3, 1)
    render = renderer.render(parameters, look_at(torch.zeros(1), torch.zeros(1)), 16, supersample=1)
    expected = torch.cat(Parameters(parameters).colour("background"), 1)[0] * 2 - 1
    assert torch.allclose(render.image[0, :, 0, 0], expected, atol=1e-5)


def test_normals_point_outwards(renderer):
    parameters = draw(4, 1)
    back = torch.tensor([[[0.0, 0.1, -0.3]]])
    assert float(renderer.normals(back, parameters)[0, 0, 2]) < -0.5


def test_a_wide_frame_shows_the_aligned_picture_at_its_place(renderer):
    turn = HeadTurn(seed=9, frames=3, width=320, height=180, crop=120.0)
    frame = turn.render(renderer, 1).image[0]
    aligned = turn.render_aligned(renderer, 1, 120).image[0]
    x, y, side = turn.placement(1)
    cut = frame[:, round(y - side / 2) :, round(x - side / 2) :][:, :120, :120]
    assert (cut - aligned).abs().mean() < 0.06


def test_the_turn_goes_from_side_to_side_while_the_face_moves():
    turn = HeadTurn(seed=9, frames=11)
    yaws = [turn.yaw(i) for i in range(11)]
    assert yaws == sorted(yaws)
    assert math.degrees(yaws[0]) == pytest.approx(-70) and math.degrees(yaws[-1]) == pytest.approx(70)
    assert torch.equal(turn.latents(0)[0], turn.latents(7)[0])
    assert not torch.equal(turn.latents(0)[1], turn.latents(7)[1])


def test_samples_are_exact_and_reproducible(renderer):
    parameters = draw(6, 2)
    first, again = (sample_heads(renderer, parameters, 60, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.colours, again.colours)
    assert first.queries.shape == (2, 50, 3)
    surface = renderer.distance(first.points, parameters)[first.hit]
    assert first.hit.float().mean() > 0.5
    assert surface.abs().max() < 0.006
