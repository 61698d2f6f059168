"""Heads are found in every turn, and patterns are not taken for heads."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from inv3d.core.crops import Crops, cut
from inv3d.video import locate
from inv3d.video.detect import FACE, Faces
from inv3d.video.facing import Facing
from inv3d.video.locate import Located, _grid, _inside, _turned_back, search, search_turned
from tests.people import still


@pytest.fixture(scope="module")
def frame(turn):
    """A head at a quarter of its turn, 180 x 320, and the centre and side of its crop."""
    return torch.from_numpy(still(9)).permute(2, 0, 1) / 127.5 - 1.0, turn.placement(9)


def find(demo, image):
    """What a photo is searched by."""
    found = search(demo.aligner, image)
    return found if len(found) else search_turned(demo.aligner, image)


@pytest.mark.parametrize("quarters", range(4))
def test_a_head_in_any_turn_is_cut_out_upright(demo, frame, quarters):
    image, (x, y, side) = frame
    upright = search(demo.aligner, image)
    turned = image.rot90(quarters, (1, 2)).contiguous()
    found = find(demo, turned)
    assert len(found) == len(upright) == 1
    width, height = 320, 180
    place = [(x, y), (y, width - x), (width - x, height - y), (height - y, x)][quarters]
    assert math.dist(found.crops.center[0].tolist(), place) < 0.1 * side
    back = float(found.crops.roll[0]) + quarters * math.pi / 2
    assert abs(math.remainder(back, 2 * math.pi)) < math.radians(12)
    assert abs(float(found.alignment.yaw[0] - upright.alignment.yaw[0])) < math.radians(6)
    same = (cut(turned, found.crops, 64) - cut(image, upright.crops, 64)).abs().mean()
    assert float(same) < 0.15


@pytest.mark.parametrize(("readings", "rolled"), [((0.7, -1.7, 0.9, -1.6), 180), ((0.7, 0.75, -1.6, -1.6), 0)])
def test_turns_are_compared_with_each_other(demo, frame, monkeypatch, readings, rolled):
    """What was found has the higher confidence by chance; in doubt a head is upright in the picture."""
    found = search(demo.aligner, frame[0])
    doubtful = replace(found, alignment=replace(found.alignment, logit=torch.tensor([1.1])))

    def turned(aligner, image, crops):
        rows = found[[0] * 4]
        return Located(crops, replace(rows.alignment, logit=torch.tensor(readings)), rows.confidence)

    monkeypatch.setattr(locate, "align", turned)
    (kept,) = locate._upright(demo.aligner, frame[0], doubtful).crops.roll
    assert math.degrees(float(kept - found.crops.roll[0])) == pytest.approx(rolled, abs=0.01)


def test_an_upright_head_costs_no_second_look(demo, frame, monkeypatch):
    looks = []
    own = locate.align

    def noted(aligner, image, crops, *others, **options):
        looks.append(len(crops))
        return own(aligner, image, crops, *others, **options)

    monkeypatch.setattr(locate, "align", noted)
    search(demo.aligner, frame[0])
    assert looks == [8]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_crops_of_a_turned_frame_are_where_they_were(frame, quarters):
    image = frame[0]
    turned = image.rot90(quarters, (1, 2))
    height, width = turned.shape[1:]
    crops = Crops(
        torch.tensor([[60.0, 70.0], [width - 50.0, height - 40.0]]),
        torch.tensor([50.0, 30.0]),
        torch.tensor([0.1, -0.2]),
    )
    back = _turned_back(crops, quarters, *image.shape[1:])
    assert float((cut(image, back, 32) - cut(turned, crops, 32)).abs().max()) < 1e-3


def test_rolls_are_told_in_one_way():
    quarters = torch.arange(-4, 5) * math.pi / 2
    assert torch.allclose(
        locate._wrapped(quarters).rad2deg(), torch.tensor([0, 90, 180, -90, 0, 90, 180, -90, 0.0]), atol=1e-3
    )


def bars(h, w):
    colours = [(192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0), (0, 0, 192)]
    return np.array(colours)[np.arange(w) * 7 // w][None].repeat(h, 0)


PATTERNS = {
    "colour bars": bars,
    "checkers": lambda h, w: np.repeat(((np.indices((h, w)) // 20).sum(0) % 2 * 255)[..., None], 3, 2),
    "gradient": lambda h, w: np.repeat(np.linspace(0, 255, w)[None, :, None].repeat(h, 0), 3, 2),
    "noise": lambda h, w: np.random.default_rng(1).integers(0, 256, (h, w, 3)),
    "rings": lambda h, w: np.repeat((127 + 127 * np.cos(((np.indices((h, w)) - [[[h / 2]], [[w / 2]]]) ** 2).sum(0) / 300.0))[..., None], 3, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_not_heads(demo, name):
    pixels = torch.from_numpy(PATTERNS[name](240, 320).astype(np.float32))
    assert len(find(demo, pixels.permute(2, 0, 1) / 127.5 - 1.0)) == 0


def test_the_mirror_image_of_a_head_is_read_alike(demo, frame):
    image, (x, y, side) = frame
    crops = Crops(torch.tensor([[x, y]]), torch.tensor([side]), torch.zeros(1))
    mirrored = Crops(torch.tensor([[image.shape[2] - x, y]]), torch.tensor([side]), torch.zeros(1))
    own = locate._read_both_ways(demo.aligner, image, crops)
    other = locate._read_both_ways(demo.aligner, image.flip(2), mirrored).mirrored()
    for a, b in zip(own.fields, other.fields, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
    assert abs(float(own.yaw)) > 0.1


def test_what_only_looks_like_a_head_in_one_way_is_no_head(demo, frame, monkeypatch):
    image = frame[0]
    assert len(search(demo.aligner, image)) == 1
    monkeypatch.setattr(locate, "_SURE", math.inf)
    assert len(search(demo.aligner, image)) == 1
    forward = demo.aligner.forward
    monkeypatch.setattr(locate, "_as_mirrored", lambda *a: torch.zeros(len(a[2]), dtype=torch.bool))
    assert len(search(demo.aligner, image)) == 0
    assert demo.aligner.forward == forward


@pytest.mark.parametrize(
    ("confidence", "yaw", "below", "faceless"),
    [(0.7, 0.3, 15.0, True), (0.7, 0.3, 5.0, False), (0.7, -1.2, 15.0, False), (0.9, 0.3, 15.0, False)],
)
def test_what_is_seen_from_the_front_has_a_face_unless_the_aligner_is_sure(demo, frame, monkeypatch, confidence, yaw, below, faceless):
    image = frame[0]
    found = search(demo.aligner, image)
    read = replace(found.alignment, yaw=torch.tensor([yaw]))
    found = replace(found, alignment=read, confidence=torch.tensor([confidence]))
    told = Facing(found.crops, read.yaw, read.pitch, torch.tensor([FACE - below]))
    monkeypatch.setattr(Faces, "told", lambda *where: told)
    assert locate._faceless(image, found, Faces(None)).tolist() == [faceless]


@pytest.mark.parametrize("frame", [(540, 960), (540, 540), (960, 540)])
def test_crops_of_the_search_overlap(frame):
    """No head lies further than 0.35 sizes of a crop from the middle of one of its size."""
    height, width = frame
    crops = _grid(height, width)
    for size in crops.size.unique():
        y, x = (torch.arange(0.0, extent, 9.0) for extent in frame)
        y, x = y[(y >= 0.3 * size) & (y <= height - 0.3 * size)], x[(x >= 0.3 * size) & (x <= width - 0.3 * size)]
        places = torch.cartesian_prod(x, y)
        if len(places):
            away = (places[:, None] - crops.center[crops.size == size]).abs().amax(-1).amin(1)
            assert away.max() <= 0.35 * size, float(size)


def test_plausible_places_of_heads():
    image = torch.zeros(3, 100, 200)

    def inside(x: float, y: float, size: float) -> bool:
        return _inside(Crops(torch.tensor([[x, y]]), torch.tensor([size]), torch.zeros(1)), image)

    assert inside(100, 50, 9) and inside(100, 50, 399) and inside(-0.4, 50, 10) and inside(200.4, 50, 10)
    assert not inside(100, 50, 7) and not inside(100, 50, 401)
    assert not inside(-0.6, 50, 10) and not inside(100, 101, 10) and not inside(201, 50, 10)
