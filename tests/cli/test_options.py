import pytest

from inv3d.cli.options import parse_angles, parse_seeds
from inv3d.core.errors import UsageError


def test_lists_of_angles_and_seeds():
    assert parse_angles("-60,0,62.5") == [-60.0, 0.0, 62.5]
    assert parse_seeds("0-3,7") == [0, 1, 2, 3, 7]


@pytest.mark.parametrize("text", ["", "a", "1-", "5-3", "1..4"])
def test_nonsense_is_refused_with_an_example(text):
    with pytest.raises(UsageError) as caught:
        parse_seeds(text)
    assert "0-23" in caught.value.hint


def test_angles_must_be_numbers():
    with pytest.raises(UsageError):
        parse_angles("left,right")
