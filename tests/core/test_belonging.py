import pytest
import torch
from torch.nn import functional as F

from inv3d.core.belonging import decided, probable
from inv3d.core.crops import Crops

SIZE, COUNT = 64, 5
HEAD, SHIRT, ROOM, DOOR = (torch.tensor(each)[:, None, None] for each in ([0.7, 0.1, -0.1], [-0.8, 0.2, 0.0], [0.3, 0.3, 0.5], [0.1, -0.4, -0.6]))
FOG = (slice(8, 40), slice(48, 60))  # rows and columns of a door beside the head


@pytest.fixture
def head() -> torch.Tensor:
    axis = torch.linspace(-1, 1, SIZE)
    return (torch.hypot(axis[:, None] + 0.2, axis) < 0.5).float()


@pytest.fixture
def body(head: torch.Tensor) -> torch.Tensor:
    body = torch.zeros_like(head)
    body[48:, 8:56] = 1.0
    return body * (1.0 - head)


def pictures(head: torch.Tensor, body: torch.Tensor) -> torch.Tensor:
    """Of a head with a shirt in a room with a door, each with other noise."""
    image = (ROOM * torch.ones(3, SIZE, SIZE)).clone()
    image[:, FOG[0], FOG[1]] = DOOR
    image = torch.where(head > 0, HEAD, torch.where(body > 0, SHIRT, image))
    noise = torch.randn(COUNT, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return image + 0.03 * noise


def unsure(head: torch.Tensor) -> torch.Tensor:
    """Mattes that are sure of a head, foggy at the door, and know little of a body."""
    matte = 0.02 + 0.96 * head
    matte[FOG] = 0.5
    matte[48:, :] = torch.maximum(matte[48:, :], torch.tensor(0.3))
    return matte.expand(COUNT, 1, SIZE, SIZE).contiguous()


def test_the_shape_of_a_drawn_head_clears_fog_and_finds_a_body(head, body):
    drawn = F.max_pool2d((head + body)[None, None], 5, 1, 2)  # another head: wider
    found = decided(unsure(head), pictures(head, body), shape=probable(drawn, drawn).expand(COUNT, -1, -1, -1))
    assert found[:, 0, FOG[0], FOG[1]].max() < 0.1
    assert found[:, 0, body > 0].mean() > 0.95 and found[:, 0, head > 0].mean() > 0.98
    assert found[:, 0, 48:, :6].mean() < 0.1


def test_what_a_matte_is_sure_of_stays(head, body):
    matte = (head + body).expand(COUNT, 1, SIZE, SIZE)
    elsewhere = torch.zeros(COUNT, 1, SIZE, SIZE)
    assert (decided(matte, pictures(head, body), shape=elsewhere) - matte).abs().max() < 0.1


def test_frames_of_a_clip_know_of_each_other_what_does_not_move(head, body):
    """A door that others know to be the room's, and whose colour the head has, too."""
    images = pictures(head, body)
    images[:, :, FOG[0], FOG[1]] = HEAD
    matte = (0.02 + 0.96 * (head + body)).repeat(COUNT, 1, 1, 1)
    matte[0, 0, FOG[0], FOG[1]] = 0.6
    places = Crops(torch.full((COUNT, 2), 32.0), torch.full((COUNT,), 64.0), torch.zeros(COUNT))
    assert decided(matte, images)[0, 0, FOG[0], FOG[1]].mean() > 0.5
    assert decided(matte, images, places)[0, 0, FOG[0], FOG[1]].mean() < 0.1


def test_a_body_need_not_turn_with_its_head(head, body):
    frontal, profile = (head + body)[None, None], head[None, None]
    likely = probable(profile, frontal)[0, 0]
    assert likely[60, 12:52].min() > 0.8 and likely[:40].equal(probable(profile, profile)[0, 0, :40])
