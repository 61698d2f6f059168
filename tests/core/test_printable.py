import pytest

from inv3d.core.printable import printable


@pytest.mark.parametrize(
    "name", ["face.png", "Gesicht ä.png", "顔　写真.png", "a\\b [x] {y} ~ ' \" .png", "👩\u200d👩.png"]
)
def test_what_is_seen_stays(name):
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"), ("a\r\tb", r"a\r\tb"), ("\x1b[31m", r"\x1b[31m"), ("\x7f\x9b", r"\x7f\x9b"),
        ("\u2028\u202e\ufeff", r"\u2028\u202e\ufeff"), ("\udcff\udc80", r"\xff\x80"), ("\ud800", r"\ud800"), ("\0", r"\x00"),
    ],
)  # fmt: skip
def test_what_is_not_seen_is_escaped(name, shown):
    assert printable(name) == shown
