from inv3d.core.plurals import number_of


def test_one_thing_is_no_plural():
    assert [number_of(count, "frame") for count in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
