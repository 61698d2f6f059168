"""Which of several heads is meant."""

import pytest
import torch

from inv3d.core.crops import Crops
from inv3d.core.errors import InputError
from inv3d.core.networks.aligner import Alignment
from inv3d.video.choose import choose
from inv3d.video.locate import Located


def heads(*places: tuple[float, float, float]) -> Located:
    """Heads at x, y with the side of their crop."""
    rows = torch.tensor(places).reshape(-1, 3)
    zeros = torch.zeros(len(rows))
    crops = Crops(rows[:, :2], rows[:, 2], zeros)
    return Located(crops, Alignment(rows[:, :2] * 0, zeros, zeros, zeros, zeros, zeros), zeros + 0.9)


TWO = heads((300, 100, 90), (100, 120, 100))


def at(found: Located) -> list[float]:
    assert len(found) == 1
    return found.crops.center[0].tolist()


def test_the_only_head_is_meant():
    assert at(choose(heads((10, 20, 50)), None, (1.0, 1.0), "x.png")) == [10, 20]
    assert len(choose(heads(), None, (1.0, 1.0), "x.png")) == 0


def test_a_number_counts_from_the_left():
    assert at(choose(TWO, 1, (1.0, 1.0), "x.png")) == [100, 120]
    assert at(choose(TWO, 2, (1.0, 1.0), "x.png")) == [300, 100]


def test_a_place_is_in_pixels_of_the_picture():
    assert at(choose(TWO, (620.0, 220.0), (2.0, 2.0), "x.png")) == [300, 100]
    assert at(choose(TWO, (230.0, 220.0), (2.0, 2.0), "x.png")) == [100, 120]


@pytest.mark.parametrize(("head", "words"), [(0, "there is no head 0"), (3, "no head 3"), (-1, "no head -1"), ((500.0, 500.0), r"none is at \(500, 500\)")])  # fmt: skip
def test_heads_that_are_not_there_are_told_with_those_that_are(head, words):
    with pytest.raises(InputError, match=r"there are 2 heads in x.png, at \(100, 120\) and \(300, 100\)") as caught:
        choose(TWO, head, (1.0, 1.0), "x.png")
    assert words.replace("\\", "") in caught.value.message and "--head" in caught.value.hint


def test_a_clearly_largest_head_is_meant_and_similar_ones_must_be_chosen():
    assert at(choose(heads((300, 100, 40), (100, 120, 100)), None, (1.0, 1.0), "x.png")) == [100, 120]
    with pytest.raises(InputError, match="there are 2 heads") as caught:
        choose(TWO, None, (1.0, 1.0), "x.png")
    assert "--head 1" in caught.value.hint
