import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.core.procedural.oddities import OddHeadRenderer, Oddities
from inv3d.core.procedural.renderer import HeadRender, HeadRenderer
from inv3d.core.procedural.toon import TOON
from tests.core.procedural.figures import draw

PLAIN = HeadRenderer()


def picture(renderer: HeadRenderer) -> HeadRender:
    return renderer.render(draw(TOON, 5, 1), look_at(torch.tensor([0.2]), torch.zeros(1)), 40, supersample=1)


@pytest.mark.parametrize("oddities", [Oddities(paint=True), Oddities(scar=True)])
def test_paint_and_scars_change_colours_alone(oddities):
    odd, plain = picture(OddHeadRenderer(oddities)), picture(PLAIN)
    assert torch.equal(odd.depth, plain.depth)
    changed = (odd.image - plain.image).abs().amax(1) > 0.05
    assert 5 < changed.sum() < 0.5 * changed.numel()


@pytest.mark.parametrize("oddities", [Oddities(scarf=True), Oddities(cap=True), Oddities(skew=0.02)])
def test_what_is_worn_or_bent_changes_the_surface_and_depth_stays_exact(oddities):
    renderer, parameters = OddHeadRenderer(oddities), draw(TOON, 5, 1)
    camera = look_at(torch.tensor([0.2]), torch.zeros(1))
    odd = picture(renderer)
    assert (odd.depth - picture(PLAIN).depth).abs().max() > 0.01
    origins, directions = camera.rays(40)
    points = origins + directions * odd.depth.reshape(1, -1, 1)
    assert renderer.distance(points, parameters)[odd.alpha.reshape(1, -1) > 0].abs().max() < 0.006


def test_no_oddity_is_the_plain_head():
    assert torch.equal(picture(OddHeadRenderer(Oddities())).image, picture(PLAIN).image)
