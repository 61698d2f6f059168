import math

import pytest
import torch
from torch.nn import functional as F

from inv3d.core.crops import Crops, cut
from inv3d.core.room import in_front, joined

FRAMES, SIZE = 7, 128
HEAD, BRIM, APART = torch.tensor([0.8, 0.4, 0.3]), torch.tensor([0.1, 0.1, 0.9]), torch.tensor([0.9, 0.9, 0.1])


def clip(moving: bool = False) -> tuple[torch.Tensor, torch.Tensor, Crops]:
    """Pictures, coarse mattes and places of a head that goes across a room: its brim, to the right, is not in the mattes, nor is
    something further to the left of it, which moves along, nor the shadow below. A camera that is `moving` sees another room in
    every frame."""
    random = torch.Generator().manual_seed(0)
    images, mattes, places = [], [], []
    for i in range(FRAMES):
        if i == 0 or moving:
            room = F.interpolate(0.5 + 0.3 * torch.rand(1, 3, 12, 20, generator=random), (240, 400), mode="bilinear")[0]
        frame, matte = room.clone(), torch.zeros(1, 240, 400)
        x = 150 + 15 * i
        frame[:, 80:160, x - 20 : x + 20] = HEAD[:, None, None]
        matte[:, 80:160, x - 20 : x + 20] = 1.0
        frame[:, 90:110, x + 20 : x + 45] = BRIM[:, None, None]
        frame[:, 90:110, x - 90 : x - 75] = APART[:, None, None]
        frame[:, 160:190, x - 20 : x + 20] *= 0.7
        place = Crops(torch.tensor([[float(x), 120.0]]), torch.tensor([200.0]), torch.zeros(1))
        images.append(2.0 * cut(frame, place, SIZE) - 1.0)
        mattes.append(F.interpolate(cut(matte, place, SIZE), (64, 64), mode="area"))
        places.append(place)
    crops = Crops(torch.cat([p.center for p in places]), torch.cat([p.size for p in places]), torch.zeros(FRAMES))
    return torch.cat(images), torch.cat(mattes), crops


def raised_by(matte: torch.Tensor, images: torch.Tensor, places: Crops) -> torch.Tensor:
    return joined(matte, in_front(matte, images, places))


def at(matte: torch.Tensor, right: float, down: float) -> torch.Tensor:
    """The matte of the frames in the middle of a clip at so many pixels of its frames from the head's centre."""
    return matte[2:-2, 0, round(32 + down * 64 / 200), round(32 + right * 64 / 200)]


def test_what_is_joined_to_a_head_before_a_known_room_belongs_to_it():
    images, matte, places = clip()
    raised = raised_by(matte, images, places)
    assert at(matte, 32, -20).max() < 0.1 and at(raised, 32, -20).min() > 0.9  # the brim
    assert at(raised, -82, -20).max() < 0.1  # what goes along with the head, but apart from it
    assert at(raised, 0, 55).max() < 0.1  # its shadow
    assert at(raised, 50, 40).max() < 0.1  # the room
    assert torch.equal(at(raised, 0, 0), at(matte, 0, 0))


def test_before_a_moving_camera_nothing_is_known():
    images, matte, places = clip(moving=True)
    assert at(raised_by(matte, images, places), 50, 40).max() < 0.1


@pytest.mark.parametrize("count", [2, 3])
def test_few_frames_do_not_tell_what_the_room_is(count):
    images, matte, places = clip()
    few = [1, 3, 5][:count]
    assert torch.equal(raised_by(matte[few], images[few], places[few]), matte[few])


def test_a_turned_camera_shows_the_same():
    images, matte, places = clip()
    turned = Crops(places.center, places.size, torch.full((FRAMES,), math.pi / 2))
    raised = raised_by(matte.rot90(1, (2, 3)), images.rot90(1, (2, 3)), turned)
    assert torch.allclose(raised.rot90(-1, (2, 3)), raised_by(matte, images, places), atol=0.05)
