import math

import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.parameters import PARAMETER_NAMES, Parameters
from inv3d.core.procedural.renderer import FAR, HeadRenderer
from inv3d.core.procedural.samples import sample_heads, sample_pixels
from inv3d.core.procedural.toon import TOON
from tests.core.procedural.figures import draw


@pytest.fixture(scope="module")
def renderer() -> HeadRenderer:
    return HeadRenderer()


def test_depth_lands_on_the_surface(renderer):
    parameters = draw(TOON, 2, 1)
    camera = look_at(torch.tensor([0.5]), torch.tensor([0.1]))
    render = renderer.render(parameters, camera, 32, supersample=1)
    origins, directions = camera.rays(32)
    points = origins + directions * render.depth.reshape(1, -1, 1)
    on_head = render.alpha.reshape(1, -1) > 0
    assert renderer.distance(points, parameters)[on_head].abs().max() < 0.006
    assert (render.depth.reshape(1, -1)[~on_head] == FAR).all()


def test_the_background_has_one_colour_above_another(renderer):
    parameters = draw(TOON, 3, 1)
    for name, value in (("backdrop_height", 0.0), ("backdrop_edge", 30.0)):
        parameters[:, PARAMETER_NAMES.index(name)] = value
    image = renderer.render(parameters, look_at(torch.zeros(1), torch.zeros(1)), 16, supersample=1).image[0]
    for name, pixel in (("backdrop", image[:, 0, 0]), ("background", image[:, 10, 0])):
        expected = torch.cat(Parameters(parameters).colour(name), 1)[0] * 2 - 1
        assert torch.allclose(pixel, expected, atol=1e-3)


def test_lenses_darken_only_what_is_seen_through_them(renderer):
    parameters = draw(TOON, 3, 1)
    for name, value in (
        ("glasses", 0.004),
        ("glasses_shape", 0.0),
        ("glasses_size", 0.04),
        ("lens", 0.0),
        ("hat", -0.07),
    ):
        parameters[:, PARAMETER_NAMES.index(name)] = value
    tinted = parameters.clone()
    tinted[:, PARAMETER_NAMES.index("lens")] = 0.8
    camera = look_at(torch.tensor([0.0, math.pi]), torch.zeros(2))
    pictures = [renderer.render(p.expand(2, -1), camera, 48, supersample=1).image for p in (parameters, tinted)]
    change = (pictures[0] - pictures[1]).abs().amax(1)
    assert change[0].amax() > 0.2 and 0.01 < (change[0] > 0.02).float().mean() < 0.15
    assert change[1].amax() == 0


def test_pixels_are_those_of_the_whole_picture(renderer):
    parameters = draw(TOON, 5, 1)
    camera = look_at(torch.tensor([0.6]), torch.tensor([0.1]))
    whole = renderer.render(parameters, camera, 40)
    picked = sample_pixels(renderer, parameters, camera, 60, 40, torch.Generator().manual_seed(2))
    colours = (whole.image[0].flatten(1)[:, picked.pixels[0]].t() + 1) / 2
    assert (picked.colours[0] - colours).abs().max() < 0.02
    assert torch.equal(picked.alpha[0], whole.alpha.flatten()[picked.pixels[0]])
    covered = picked.alpha[0] == 1
    assert torch.allclose(picked.depth[0][covered], whole.depth.flatten()[picked.pixels[0]][covered], atol=2e-3)
    assert (picked.depth[0][~covered] == 0).all()


def test_normals_point_outwards(renderer):
    parameters = draw(TOON, 4, 1)
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
    parameters = draw(TOON, 6, 2)
    first, again = (sample_heads(renderer, parameters, 60, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.colours, again.colours)
    assert first.queries.shape == (2, 50, 3)
    surface = renderer.distance(first.points, parameters)[first.hit]
    assert first.hit.float().mean() > 0.5
    assert surface.abs().max() < 0.006
