import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.errors import InputError
from inv3d.video.decode import frames
from inv3d.video.quality import Quality
from inv3d.video.select import cut_views, finer_size, select
from inv3d.video.track import HeadTrack, TrackedFrame


def turning(yaws: Iterable[float]) -> HeadTrack:
    return HeadTrack(
        tuple(TrackedFrame(10 * i, i / 30, 60.0, 50.0, 80.0, 0.0, yaw, 0.0, 0.9) for i, yaw in enumerate(yaws)), ()
    )


@settings(deadline=None)
@given(st.lists(st.floats(-1.5, 1.5), min_size=40, max_size=80), st.integers(2, 12))
def test_roles_are_disjoint_and_sorted_by_yaw(yaws, views):
    found = turning([-1.5, *yaws, 1.5])
    chosen = select(found, views)
    roles = (chosen.targets, chosen.between, chosen.held_out)
    indices = [f.index for role in roles for f in role]
    assert len(indices) == len(set(indices))
    assert len(chosen.targets) == views and len(chosen.between) == views - 1
    for role in roles:
        assert [f.yaw for f in role] == sorted(f.yaw for f in role)
    assert chosen.targets[0].yaw == -1.5 and chosen.targets[-1].yaw == 1.5


def test_views_are_nearest_to_evenly_spaced_yaws():
    chosen = select(turning(torch.linspace(-1, 1, 81).tolist()), 5)
    assert [f.yaw for f in chosen.targets] == pytest.approx([-1, -0.5, 0, 0.5, 1], abs=1e-6)
    assert [f.yaw for f in chosen.between] == pytest.approx([-0.75, -0.25, 0.25, 0.75], abs=1e-6)


def looking(shut: range = range(0), smeared: range = range(0)) -> HeadTrack:
    """A turn of a degree a frame, in which eyes are shut in some frames, and are seen less in profile, and some are smeared."""
    found = turning([math.radians(a) for a in range(-80, 81)])
    looks = [
        Quality(
            light=0.5,
            blur=0.45 if i in smeared else 0.3,
            inside=1.0,
            glare=0.0,
            eyes=0.1 * math.cos(0.9 * frame.yaw) * (0.6 if i in shut else 1.0),
        )
        for i, frame in enumerate(found.frames)
    ]
    return replace(found, frames=tuple(replace(f, quality=look) for f, look in zip(found.frames, looks, strict=True)))


@pytest.mark.parametrize("poor", ["shut", "smeared"])
def test_poor_frames_are_passed_over_but_measured(poor):
    found, some = looking(**{poor: range(58, 63)}), set(range(58, 63))
    chosen, usual = select(found, 9), select(looking(), 9)
    assert 60 in [frame.index // 10 for frame in usual.targets]
    assert not {frame.index // 10 for frame in (*chosen.targets, *chosen.between)} & some
    assert max(abs(a.yaw - b.yaw) for a, b in zip(chosen.targets, usual.targets, strict=True)) <= math.radians(3.1)
    assert {frame.index // 10 for frame in select(found, 9, 160).held_out} >= some


@pytest.mark.parametrize("poor", ["shut", "smeared"])
def test_what_all_frames_show_changes_nothing(poor):
    alike, usual = ([frame.index for frame in select(found, 9).targets] for found in (looking(**{poor: range(161)}), looking()))
    assert alike == usual


def test_few_frames_that_are_measured_show_the_head_from_all_sides():
    """The head lingers at both ends of its turn."""
    yaws = [-1.0] * 9 + torch.linspace(-1, 1, 81).tolist() + [1.0] * 9
    assert [f.yaw for f in select(turning(yaws), 3, held_out=4).held_out] == pytest.approx([-0.75, -0.25, 0.25, 0.75], abs=0.03)


def test_a_single_view_is_the_most_frontal():
    assert select(turning([-0.9, -0.4, 0.1, 0.8]), 1).targets[0].yaw == 0.1


def test_more_views_than_frames():
    with pytest.raises(InputError, match="9 views were requested, but only 4 of 4 frames can be used") as caught:
        select(turning([-1, 0, 0.5, 1]), 9)
    assert "--views 4" in caught.value.hint


def test_a_head_that_hardly_turns():
    with pytest.raises(InputError, match="turns only 11 degrees"):
        select(turning([math.radians(a) for a in range(12)]), 3)
    with pytest.raises(InputError, match=r"turns only 1 degree$"):  # that there are too few frames, too, is not what is wrong
        select(turning([0.0, math.radians(1.0)]), 9)
    assert select(turning([0.0, math.radians(1.0)]), 1).targets[0].yaw == 0.0


def test_views_are_keyed_by_frame_not_by_order(clip):
    found = HeadTrack(
        tuple(TrackedFrame(i, i / 10, 134.0, 83.0, 116.0, 0.0, yaw, 0.0, 1.0) for i, yaw in ((20, 0.5), (3, -0.8))), ()
    )
    views = cut_views(frames(clip, {3, 20}.__contains__), found.frames, 32, look_at)
    assert views.frames == (20, 3) and views.times == pytest.approx((2.0, 0.3))
    again = cut_views(frames(clip, {3}.__contains__), found.frames[1:], 32, look_at)
    assert torch.equal(views.images[1:], again.images)
    assert views.cameras.yaw.tolist() == pytest.approx([0.5, -0.8], abs=1e-5)


def test_views_tell_what_was_made_up_where_something_was(clip):
    inside = TrackedFrame(3, 0.3, 134.0, 83.0, 116.0, 0.0, 0.0, 0.0, 1.0)
    cut_off = replace(inside, index=5, y=30.0)
    pictures = list(frames(clip, {3, 5}.__contains__))
    assert cut_views(pictures[:1], (inside,), 32, look_at).filmed is None
    filmed = cut_views(pictures, (inside, cut_off), 32, look_at).filmed
    assert filmed is not None and filmed[0].all() and not filmed[1, 0, 0].any() and filmed[1, 0, 16:].all()


def test_pictures_are_cut_finer_only_where_the_frames_have_the_pixels():
    assert finer_size([900.0, 700.0], 256) == 512
    assert finer_size([401.0, 700.0], 256) == 400
    assert finer_size([300.0, 900.0], 256) is None
    assert finer_size([], 256) is None


def test_finer_views_show_the_same_as_those_for_the_model(clip):
    found = (TrackedFrame(3, 0.3, 134.0, 83.0, 116.0, 0.0, 0.0, 0.0, 1.0),)
    views = cut_views(frames(clip, {3}.__contains__), found, 32, look_at)
    assert views.fine is not None and views.fine.shape == (1, 3, 64, 64)
    again = torch.nn.functional.avg_pool2d(views.fine / 127.5 - 1.0, 2)
    assert (again - views.images).abs().mean() < 0.02
    assert cut_views(frames(clip, {3}.__contains__), found, 112, look_at).fine is None
    assert cut_views(frames(clip, {3}.__contains__), found, 32, look_at, finer=False).fine is None
