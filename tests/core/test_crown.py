"""A disc of hair with a face below, which the border of its photo cuts off; the generator's is a quarter wider."""

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import look_at
from inv3d.core.crops import Crops, outside
from inv3d.core.crown import crowned
from inv3d.core.views import Views, from_bytes, to_bytes

SIZE, BORDER, SOFT, RADIUS, WIDER = 96, 20, 2, 0.36, 1.25
SKIN, HAIR, ROOM = (torch.tensor(colour)[:, None, None] for colour in ((0.6, 0.3, 0.1), (-0.7, -0.7, -0.8), (0.2, 0.9, 0.2)))
CAMERA = look_at(torch.zeros(1), torch.zeros(1))


def disc(radius: float) -> Tensor:
    """Coverage [1,1,S,S] of a disc in the middle."""
    line = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    return (line[:, None].square() + line.square() < radius**2).float()[None, None]


def photo(hair: Tensor = HAIR, border: int = BORDER, fine: bool = False) -> Views:
    """A photo whose upper rows were not filmed, and are drawn out."""
    rows, matte = torch.arange(SIZE)[:, None], disc(RADIUS)[0]
    colours = torch.where(rows < SIZE // 3, hair, SKIN)
    image = matte * colours + (1.0 - matte) * ROOM
    image, matte = (torch.where(rows < border, each[:, [border]], each)[None] for each in (image, matte))
    beyond = ((border - rows).clamp(min=0) / SIZE).expand(1, 1, SIZE, SIZE)
    return Views(image, CAMERA, (0,), (0.0,), matte, to_bytes(image) if fine else None, beyond)


def generated(radius: float = RADIUS * WIDER) -> tuple[Tensor, Tensor]:
    """Depth and coverage."""
    return torch.full((1, 1, SIZE, SIZE), float(CAMERA.position.norm()) - 0.1), disc(radius)


def matte_of(views: Views) -> Tensor:
    """Coverage [S,S]."""
    assert views.mattes is not None
    return views.mattes[0, 0]


def widths(views: Views) -> Tensor:
    """Pixels that the head covers in every row."""
    return matte_of(views).sum(1)


def test_a_top_is_as_wide_as_what_the_border_cuts_off_and_round():
    whole, cut = widths(crowned(photo(), *generated())), float(widths(photo())[BORDER])
    assert abs(float(whole[BORDER - 1]) - cut) < 4.0
    assert (whole[1:BORDER] - whole[: BORDER - 1] > -0.5).all()
    assert whole[0] == 0.0  # the photo's own border, drawn out, went on up to there


def test_a_top_has_the_colours_of_the_border():
    views = crowned(photo(), *generated())
    top = views.images[0, :, :BORDER]
    covered = matte_of(views)[:BORDER] == 1.0
    assert covered.sum() > SIZE
    assert (top[:, covered] - HAIR[:, 0]).abs().max() < 0.1
    empty = matte_of(views)[:BORDER] == 0.0
    assert (top[:, empty] - ROOM[:, 0]).abs().max() < 1e-3


def test_a_top_counts_as_filmed_and_what_was_filmed_stays():
    before, views = photo(fine=True), crowned(photo(fine=True), *generated())
    assert views.filmed is not None and before.fine is not None and views.fine is not None
    assert views.filmed.all()
    below = BORDER + SOFT
    for after, own in ((views.images, before.images), (matte_of(views), matte_of(before))):
        assert (after[..., below:, :] - own[..., below:, :]).abs().max() < 1 / 127  # rounded, as the finer picture is
    assert torch.equal(views.fine[..., below:, :], before.fine[..., below:, :])
    assert torch.equal(views.fine, to_bytes(views.images))


def test_a_slanted_border_with_another_one_beside_it_leaves_no_steps():
    places = Crops(torch.tensor([[30.0, 30.0]]), torch.tensor([96.0]), torch.tensor([0.3]))
    beyond = outside(places, SIZE, 200, 200)  # it ends above and to the left of the head
    fine = F.interpolate(photo(border=0).images, scale_factor=8, mode="bilinear")
    before = dataclasses.replace(photo(border=0), outside=beyond, fine=to_bytes(fine))
    after = crowned(before, *generated())
    columns = slice(SIZE // 2 - 20, SIZE // 2 + 20)
    assert after.fine is not None and after.filmed is not None
    assert after.filmed[..., : SIZE // 2, columns].all()
    columns = slice(8 * columns.start, 8 * columns.stop)
    filmed, soft = F.interpolate(beyond, scale_factor=8)[0, 0, :, columns] == 0.0, 8 * (SOFT + 1)
    unchanged = after.fine.eq(to_bytes(fine))[0].all(0)[:, columns]
    assert unchanged[soft:][filmed[:-soft]].float().mean() > 0.998
    empty = (from_bytes(after.fine)[0] - ROOM).abs().amax(0) < 0.5
    first = (~empty).float().argmax(0)[columns]
    assert first.diff().abs().max() <= 5 < float(first.float().amax() - first.float().amin())


@pytest.mark.parametrize(
    ("views", "render"),
    [
        (photo(hair=SKIN), generated()),  # the border cuts off the forehead
        (photo(border=0), generated()),  # nothing is cut off
        (photo(), generated(0.05)),  # the generator's head ends below the border
        (photo(), generated(0.7)),  # at the border it is something much wider
        (dataclasses.replace(photo(), outside=None), generated()),
        (dataclasses.replace(photo(), mattes=None), generated()),
    ],
    ids=["forehead", "whole", "lower", "wider", "unknown", "no matte"],
)
def test_other_photos_stay_as_they_are(views, render):
    assert crowned(views, *render) is views
