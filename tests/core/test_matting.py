from dataclasses import replace

import pytest
import torch
from skimage import data
from torch.nn import functional as F

from inv3d.core.camera import look_at
from inv3d.core.matting import _gathered, laid_on, mattes, mattes_of_people, own_mattes, room_colour, sharpened
from inv3d.core.networks.aligner import Aligner
from inv3d.core.views import Views, to_bytes

SIZE = 128


@pytest.fixture
def disc() -> torch.Tensor:
    axis = torch.linspace(-1, 1, SIZE)
    return (torch.hypot(axis[:, None], axis) < 0.6).float()[None, None]


@pytest.fixture
def picture(disc: torch.Tensor) -> torch.Tensor:
    head, room = torch.tensor([0.6, 0.1, -0.2])[:, None, None], torch.tensor([-0.5, 0.0, 0.4])[:, None, None]
    noise = 0.04 * torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return head * disc + room * (1 - disc) + noise


def test_a_coarse_matte_takes_the_edges_of_the_picture(disc, picture):
    coarse = F.avg_pool2d(disc, 8)
    enlarged = F.interpolate(coarse, (SIZE, SIZE), mode="bilinear", align_corners=False)
    fine = sharpened(coarse, picture)
    assert fine.shape == disc.shape and fine.amin() >= 0 and fine.amax() <= 1
    assert (fine - disc).abs().mean() < 0.35 * (enlarged - disc).abs().mean()


def test_nothing_far_from_the_matte_is_pulled_in(disc, picture):
    """A patch of the head's colours in a corner stays outside."""
    picture = picture.clone()
    picture[..., :20, :20] = torch.tensor([0.6, 0.1, -0.2])[:, None, None]
    assert sharpened(F.avg_pool2d(disc, 8), picture)[..., :20, :20].amax() < 0.01


def test_dark_parts_of_a_bright_face_stay_at_its_outline(disc, picture):
    """Eyes and brows of a turned head: seen from the mean of its colours, they lie on the room's side."""
    axis = torch.linspace(-1, 1, SIZE)
    dark = (torch.sin(10 * torch.atan2(axis[:, None], axis)) > 0.9) & (disc == 1.0)
    smaller = -F.max_pool2d(-disc, 3, 1, 1)
    fine = sharpened(F.avg_pool2d(smaller, 8), torch.where(dark, -0.9, picture))
    assert fine[dark & (smaller < 1.0)].mean() > 0.9
    assert (fine - disc).abs().mean() < 0.02


def test_a_picture_alone_is_told_by_itself(picture):
    torch.manual_seed(0)
    aligner = Aligner().eval()
    assert torch.equal(own_mattes(aligner, picture, False), mattes(aligner, picture, False))


def test_the_room_becomes_one_colour(disc, picture):
    colour = room_colour(picture, disc)
    assert torch.allclose(colour, torch.tensor([-0.5, 0.0, 0.4]), atol=0.01)
    views = Views(picture, look_at(torch.zeros(1), torch.zeros(1)), (0,), (0.0,))
    laid = laid_on(views, disc, colour)
    outside, inside = (disc == 0).expand_as(picture), (disc == 1).expand_as(picture)
    assert torch.equal(laid.images[inside], picture[inside])
    assert laid.images[outside].reshape(3, -1).std(1).amax() < 1e-5
    one, two = laid[[0]].mattes, laid.followed_by(laid).mattes
    assert one is not None and torch.equal(one, disc) and two is not None and len(two) == 2
    assert laid.followed_by(views).mattes is None
    assert torch.equal(room_colour(picture, torch.ones_like(disc)), picture[0].flatten(1).median(1).values)


def test_far_from_the_head_nothing_is_unknown(disc, picture):
    """Where nothing was filmed, the head may go on, but only there."""
    outside = torch.full_like(disc, 0.3)
    views = Views(picture, look_at(torch.zeros(1), torch.zeros(1)), (0,), (0.0,), outside=outside)
    laid = laid_on(views, disc, torch.zeros(3)).outside
    assert laid is not None and torch.equal(laid[disc > 0.5], outside[disc > 0.5])
    rows, middle = (disc[0, 0] > 0.05).nonzero()[:, 0], disc.shape[-1] // 2
    reach = round(0.12 * disc.shape[-1])
    first = int(rows.min())
    assert first > reach + 1
    assert laid[0, 0, first - reach, middle] > 0.0 == laid[0, 0, first - reach - 2, middle]
    assert laid_on(replace(views, outside=None), disc, torch.zeros(3)).outside is None


def test_a_head_goes_on_aside_only_as_far_as_beyond_the_border(disc, picture):
    """What is cut off becomes wider by two pixels for each, so that shoulders end where those begin that were filmed."""
    size, middle = disc.shape[-1], disc.shape[-1] // 2
    first = int((disc[0, 0] > 0.05).nonzero()[:, 0].min())
    for beyond, aside in ((0.001, 0.02), (0.025, 0.04), (0.06, 0.12)):
        views = Views(picture, look_at(torch.zeros(1), torch.zeros(1)), (0,), (0.0,), outside=torch.full_like(disc, beyond))
        laid, reach = laid_on(views, disc, torch.zeros(3)).outside, round(aside * size)
        assert laid is not None and laid[0, 0, first - reach, middle] > 0.0 == laid[0, 0, first - reach - 2, middle]


def test_nothing_of_the_room_shines_through_the_outline(disc):
    ramp = F.avg_pool2d(disc, 9, 1, 4)  # as soft as hair
    head, room, colour = (torch.tensor(each)[:, None, None] for each in ([-0.8, -0.7, -0.6], [0.9, 0.8, 0.2], [0.0, -1.0, 1.0]))
    views = Views(ramp * head + (1.0 - ramp) * room, look_at(torch.zeros(1), torch.zeros(1)), (0,), (0.0,))
    laid = laid_on(views, ramp, colour.flatten()).images
    assert (laid - ramp * head - (1.0 - ramp) * colour).abs().max() < 0.05


def test_mattes_of_a_mirror_image_are_mirrored(picture):
    torch.manual_seed(0)
    aligner = Aligner().eval()
    own, mirrored = mattes(aligner, torch.cat([picture, picture.flip(3)]), of_faces=False).split(1)
    assert torch.allclose(own, mirrored.flip(3), atol=1e-4) and own.std() > 0
    with pytest.raises(ValueError, match="matte"):
        mattes(Aligner(matte=False), picture, of_faces=False)


def test_finer_pictures_are_laid_on_the_colour_too(disc, picture):
    small = F.avg_pool2d(picture, 2)
    views = Views(small, look_at(torch.zeros(1), torch.zeros(1)), (0,), (0.0,), fine=to_bytes(picture))
    green = torch.tensor([-1.0, 1.0, -1.0])
    laid = laid_on(views, F.avg_pool2d(disc, 2), green)
    assert laid.fine is not None
    seen = laid.fine / 127.5 - 1.0
    assert (seen[0, :, 2, 2] - green).abs().max() < 0.02  # the room
    assert (seen[0, :, SIZE // 2, SIZE // 2] - picture[0, :, SIZE // 2, SIZE // 2]).abs().max() < 0.02  # the head
    none = laid_on(views[[]], F.avg_pool2d(disc, 2)[:0], green).fine
    assert none is not None and none.shape == (0, 3, SIZE, SIZE)  # a photo has no frames in between


@pytest.mark.parametrize("side", [SIZE, SIZE - 1])
def test_colours_around_a_pixel_are_means_over_its_window(picture, side):
    seen = (picture[..., :side, :side] + 1.0) / 2.0
    weights = (seen[:, :1] > 0.5).float()
    radius = SIZE // 10
    means, share = _gathered(seen, weights, radius)
    row, column = side // 2, round(0.8 * side)  # the edge of the disc
    window = (..., slice(row - radius, row + radius + 1), slice(column - radius, column + radius + 1))
    own = weights[window]
    cell = (0, slice(None), row * means.shape[-2] // side, column * means.shape[-1] // side)
    assert float(share[cell]) == pytest.approx(float(own.mean()), abs=0.06)
    assert torch.allclose(means[cell], (seen[window] * own).sum((0, 2, 3)) / own.sum(), atol=0.06)


def test_people_whom_the_network_does_not_see_are_found_otherwise(picture):
    """A disc in a room of one colour, and a portrait: only the disc's matte is another's."""
    portrait = torch.from_numpy(data.astronaut()[:256, 96:352].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    both = torch.cat([picture, F.interpolate(portrait, (SIZE, SIZE), mode="area")])
    found = mattes_of_people(both, lambda: torch.full((2, 1, SIZE, SIZE), 0.25))
    assert torch.equal(found[0], torch.full((1, SIZE, SIZE), 0.25))
    assert found[1, 0, 50:70, 60:76].min() > 0.9 and found[1, 0, :20, :10].max() < 0.1

    def unasked() -> torch.Tensor:
        raise AssertionError

    assert torch.equal(mattes_of_people(both[1:], unasked), mattes(Aligner(matte=False), both[1:], of_faces=True))
