"""The head in a photo is found and cut out as the model sees heads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data

from inv3d.core.bundle import load_bundle
from inv3d.core.crops import Crops
from inv3d.core.errors import InputError
from inv3d.core.networks.aligner import Alignment
from inv3d.video import photo as photo_module
from inv3d.video.locate import Located
from inv3d.video.photo import align_photo, find_heads
from tests.people import still

SAMPLES = Path(__file__).parents[2] / "samples"
FAULTS = Path(__file__).parents[3] / "shared" / "faults"


@pytest.fixture(scope="module")
def portrait():
    """A head at 320 x 180, as an array."""
    return still(12)


def differ(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean difference in grey levels."""
    assert a.shape == b.shape
    return float((a - b).abs().mean() * 127.5)


def test_the_head_is_cut_out_as_the_model_sees_heads(demo, portrait, turn, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "x.png")
    small = align_photo(tmp_path / "x.png", demo)
    assert small.view.images.shape == (1, 3, 256, 256) and small.confidence > 0.5
    # a larger copy of the photo shows the same
    Image.fromarray(portrait).resize((1600, 900), Image.Resampling.LANCZOS).save(tmp_path / "large.png")
    large = align_photo(tmp_path / "large.png", demo)
    assert differ(small.view.images, large.view.images) < 8
    assert torch.allclose(small.view.cameras.cam2world, large.view.cameras.cam2world, atol=0.15)


def test_photos_without_one_head_are_named(demo, portrait, tmp_path):
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"no head was found in .*grey\.png"):
        align_photo(tmp_path / "grey.png", demo)
    Image.fromarray(np.full((200, 300, 3), (90, 120, 60), np.uint8)).save(tmp_path / "green.png")
    with pytest.raises(InputError, match=r"no head was found in .*green\.png"):
        align_photo(tmp_path / "green.png", demo)
    Image.fromarray(np.hstack([portrait, portrait])).save(tmp_path / "two.png")
    with pytest.raises(InputError, match=r"there are 2 heads in .*two\.png, at \(\d+, \d+\) and"):
        align_photo(tmp_path / "two.png", demo)


@pytest.mark.parametrize("name", ["coins", "coffee", "cell", "clock"])
def test_photographs_without_people_have_no_heads(demo, name):
    """The aligner alone, which has seen drawn people only, takes something in each of them for a head."""
    pixels = getattr(data, name)()
    pixels = pixels if pixels.ndim == 3 else color.gray2rgb(pixels)
    assert len(find_heads(demo, torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1.0)) == 0


def test_a_cat_is_nobody(demo):
    with pytest.raises(InputError, match="no head was found"):
        align_photo(SAMPLES / "photo-cat.jpg", demo)
    assert align_photo(SAMPLES / "photo-cat.jpg", load_bundle("cats")).confidence > 0.5


def test_of_things_no_head_is_missed(tmp_path):
    Image.new("RGB", (96, 96), "grey").save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"nothing that the model 'cats' shows was found in .*grey\.png"):
        align_photo(tmp_path / "grey.png", load_bundle("cats"))


def test_one_of_two_heads_is_chosen(demo, portrait, tmp_path):
    Image.fromarray(np.hstack([portrait, portrait[:, ::-1]])).save(tmp_path / "two.png")
    left, right = (align_photo(tmp_path / "two.png", demo, head) for head in (1, 2))
    assert float(left.view.cameras.yaw) == pytest.approx(-float(right.view.cameras.yaw), abs=0.15)
    x, y = 640 - 0.42 * 320, 0.46 * 180
    assert torch.equal(align_photo(tmp_path / "two.png", demo, (x, y)).view.images, right.view.images)
    with pytest.raises(InputError, match="no head 3"):
        align_photo(tmp_path / "two.png", demo, 3)


def test_a_photo_upside_down_gives_the_same_head(demo, portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "up.png")
    Image.fromarray(portrait[::-1, ::-1].copy()).save(tmp_path / "down.png")
    up, down = (align_photo(tmp_path / name, demo) for name in ("up.png", "down.png"))
    assert differ(up.view.images, down.view.images) < 8
    assert abs(up.rolled) < 10 and abs(down.rolled - 180) < 10


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_photos_show_their_heads(demo, portrait, tmp_path, mode):
    Image.fromarray(portrait).save(tmp_path / "colour.png")
    Image.fromarray(portrait).convert("L").convert(mode).save(tmp_path / "grey.png")
    colour, grey = (align_photo(tmp_path / name, demo) for name in ("colour.png", "grey.png"))
    assert abs(float(colour.view.cameras.yaw - grey.view.cameras.yaw)) < 0.2
    assert float((grey.view.images - grey.view.images.mean(1, keepdim=True)).abs().max()) < 1e-3  # it stays grey


@pytest.mark.skipif(not FAULTS.exists(), reason="the examples are not here")
def test_an_example_that_was_accepted_upside_down(demo):
    twin, found = (align_photo(FAULTS / name, demo) for name in ("no-end-marker.jpg", "upside-down.jpg"))
    assert abs(twin.rolled) < 30 and abs(found.rolled - twin.rolled - 180) < 20
    assert abs(float(found.view.cameras.yaw - twin.view.cameras.yaw)) < 0.2


@pytest.mark.skipif(not FAULTS.exists(), reason="the examples are not here")
def test_a_grey_example_that_was_handled_wrongly(demo):
    twin, found = (align_photo(FAULTS / name, demo) for name in ("no-end-marker.jpg", "grey.jpg"))
    assert abs(float(found.view.cameras.yaw - twin.view.cameras.yaw)) < 0.25
    assert abs(found.rolled - twin.rolled) < 12


@pytest.mark.parametrize(("confidence", "heads"), [(0.65, 1), (0.55, 0)])
def test_a_photo_without_room_around_the_face_is_searched_within_a_margin(demo, monkeypatch, confidence, heads):
    """The stand-in sees a head in the middle of what is larger than the photo itself. It is believed if it is rather sure; what
    it is asked for, such as of mirror images, is no more than usual."""

    def search(aligner, image, confident=0.5, faces=None):
        height, width = image.shape[1:]
        middle = Crops(torch.tensor([[width / 2, height / 2]]), torch.tensor([50.0]), torch.zeros(1))
        found = Located(middle, Alignment(torch.zeros(1, 2), *torch.ones(5, 1)), torch.tensor([confidence]))
        framed = (height, width) == (130, 190) and bool((image[:, 0] == 0.0).all())
        return found if framed and confident <= 0.5 else found[:0]

    monkeypatch.setattr(photo_module, "search", search)
    found = find_heads(demo, torch.ones(3, 100, 160))
    assert found.crops.center.tolist() == heads * [[80.0, 50.0]] and found.crops.size.tolist() == heads * [50.0]
