from dataclasses import replace

import torch

from inv3d.core.camera import look_at
from inv3d.core.views import Views, to_bytes


def views(count: int, fine: int | None = None) -> Views:
    random = torch.Generator().manual_seed(count)
    images = torch.rand(count, 3, 8, 8, generator=random) * 2 - 1
    finer = None if fine is None else torch.randint(256, (count, 3, fine, fine), generator=random).byte()
    numbers = tuple(range(count))
    return Views(images, look_at(torch.zeros(count), torch.zeros(count)), numbers, tuple(map(float, numbers)), fine=finer)


def test_finer_pictures_are_chosen_and_joined_with_the_others():
    both = views(2, 16).followed_by(views(3, 16))
    chosen, own = both[[3]].fine, views(3, 16).fine
    assert chosen is not None and own is not None and torch.equal(chosen, own[[1]])
    assert both.frames == (0, 1, 0, 1, 2)


def test_finer_pictures_of_another_size_or_of_some_views_alone_are_dropped():
    assert views(2, 16).followed_by(views(1, 12)).fine is None
    assert views(2, 16).followed_by(views(1)).fine is None


def test_mattes_are_joined_where_both_are_known():
    known = replace(views(1), mattes=torch.ones(1, 1, 8, 8))
    joined = known.followed_by(known).mattes
    assert joined is not None and joined.shape == (2, 1, 8, 8)
    assert known.followed_by(views(1)).mattes is None


def test_bytes_cover_the_range_and_nothing_beyond_wraps_around():
    assert to_bytes(torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


def test_what_lies_outside_of_the_frames_is_chosen_joined_and_mirrored():
    beyond = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    some = replace(views(3), outside=beyond)
    expected = [
        (some[[2, 0]], beyond[[2, 0]]),
        (some.followed_by(some), torch.cat([beyond, beyond])),
        (some.mirrored(), beyond.flip(3)),
        (some.to("cpu"), beyond),
    ]
    for found, wanted in expected:
        assert found.outside is not None and torch.equal(found.outside, wanted)
    assert some.followed_by(views(1)).outside is None
