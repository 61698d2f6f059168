import dataclasses

import pytest
import torch

from inv3d.core.generator import Render
from inv3d.export.background import KEEP, TRANSPARENT, Background


@pytest.fixture
def render() -> Render:
    """A red pixel, an empty one before grey, and one that the head covers by half."""
    behind = torch.full((1, 3, 1, 3), 0.2)
    red = torch.tensor([0.9, -0.9, -0.9])[None, :, None, None]
    alpha = torch.tensor([1.0, 0.0, 0.5])[None, None, None]
    image = alpha * red + (1 - alpha) * behind
    return Render(image, image, alpha, alpha, behind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("keep", KEEP),
        ("transparent", TRANSPARENT),
        ("white", Background((255, 255, 255))),
        ("black", Background((0, 0, 0))),
        ("#8090A0", Background((128, 144, 160))),
    ],
)
def test_words_are_backgrounds(text, expected):
    assert Background.parse(text) == expected


@pytest.mark.parametrize("text", ["", "red", "#80909", "#8090a0b0", "#gg0000", "Keep"])
def test_other_words_are_none(text):
    with pytest.raises(ValueError, match="transparent or a colour"):
        Background.parse(text)


def test_a_colour_replaces_what_is_behind_and_nothing_else(render):
    shown = Background((255, 255, 255)).show(render)
    assert torch.allclose(shown[:, 0, 0], torch.tensor([0.9, -0.9, -0.9]))
    assert torch.allclose(shown[:, 0, 1], torch.ones(3))
    assert torch.allclose(shown[:, 0, 2], torch.tensor([0.95, 0.05, 0.05]))
    assert torch.equal(KEEP.show(render), render.image[0])


def test_transparent_pixels_keep_the_colours_of_the_head(render):
    shown = TRANSPARENT.show(render)
    assert torch.allclose(shown[3, 0], torch.tensor([1.0, -1.0, 0.0]))
    for pixel in (0, 2):
        assert torch.allclose(shown[:3, 0, pixel], torch.tensor([0.9, -0.9, -0.9]), atol=1e-5)
    assert TRANSPARENT.opaque == Background((255, 255, 255)) and KEEP.opaque is KEEP


def test_a_model_that_knows_no_backdrop_shows_it(render):
    unknown = dataclasses.replace(render, behind=None)
    assert torch.equal(Background((0, 0, 0)).show(unknown), render.image[0])
    assert torch.equal(TRANSPARENT.show(unknown)[:3], render.image[0])


def test_a_head_knows_what_is_behind_it(head):
    """Where a render is empty it shows the backdrop, from every side."""
    render = head.render(head.camera(torch.tensor([0.6]), torch.tensor([0.1])), 32)
    assert render.behind.shape == render.image.shape
    empty = (render.alpha < 1e-4).expand_as(render.image)
    assert empty.float().mean() > 0.2
    assert torch.allclose(render.image[empty], render.behind[empty], atol=1e-3)
