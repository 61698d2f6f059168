import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inv3d.core.crops import Crops
from inv3d.core.errors import InputError, UsageError
from inv3d.video.decode import ClipInfo, Frame, probe
from inv3d.video.detect import faces_of
from inv3d.video.locate import Located, align_near, search
from inv3d.video.track import MAX_FRAMES, HeadTrack, TrackedFrame, smooth, stride_of, track
from inv3d.video.write import write_mp4
from tests.people import other, still


def test_poses_and_places_of_a_turn(clip, turn, demo):
    found = track(clip, demo.aligner)
    assert len(found.frames) >= 26
    yaw = [abs(math.degrees(f.yaw - turn.yaw(f.index))) for f in found.frames]
    place = [
        math.hypot(f.x - turn.placement(f.index)[0], f.y - turn.placement(f.index)[1]) / turn.crop for f in found.frames
    ]
    size = [abs(f.size / turn.placement(f.index)[2] - 1) for f in found.frames]
    assert np.median(yaw) < 3 and np.median(place) < 0.03 and np.median(size) < 0.05


def test_places_are_in_the_pixels_of_the_clip_however_small_the_search(clip, turn, demo, monkeypatch):
    monkeypatch.setattr("inv3d.video.track.SEARCH_SIDE", 120)
    found = track(clip, demo.aligner)
    x, y, side = np.median([[f.x, f.y, f.size] for f in found.frames], 0)
    truth = np.median([turn.placement(f.index) for f in found.frames], 0)
    assert abs(x - truth[0]) < 0.08 * truth[2] and abs(y - truth[1]) < 0.08 * truth[2]
    assert abs(side / truth[2] - 1) < 0.10


@pytest.mark.parametrize(
    ("frames", "per_second", "rate", "stride"),
    [
        (300, 60.0, 30.0, 2), (300, 29.97, 30.0, 1), (300, 25.0, 15.0, 2), (300, 25.0, math.inf, 1), (20, 1.0, 30.0, 1),
        (2 * MAX_FRAMES, 25.0, math.inf, 2), (4 * MAX_FRAMES, 60.0, 30.0, 4), (40, 1000.0, 30.0, 1), (40, 1000.0, 15.0, 3),
    ],
)  # fmt: skip
def test_clips_are_thinned_to_a_rate_and_a_number(frames, per_second, rate, stride):
    assert stride_of(ClipInfo(Path(), "h264", 8, 8, frames, frames / per_second, per_second), rate) == stride


def test_a_clip_whose_frames_come_in_bursts_is_thinned_by_all_of_its_time():
    """Their usual distance is a thousandth of a second."""
    assert stride_of(ClipInfo(Path(), "vp8", 8, 8, 80, 3.2, 1000.0), 15.0) == 2


def test_a_head_is_followed_in_as_many_frames_as_are_asked_for(clip, turn, demo):
    found = track(clip, demo.aligner, rate=probe(clip).rate / 2)
    assert [frame.index for frame in found.frames] == list(range(0, 28, 2))
    assert np.median([abs(math.degrees(f.yaw - turn.yaw(f.index))) for f in found.frames]) < 3


@pytest.mark.parametrize(("with_faces", "searches"), [(False, 2), (True, 1)])
def test_a_crop_that_a_face_confirms_has_not_slid(tmp_path, demo, monkeypatch, with_faces, searches):
    """Frames are not searched once more."""
    write_mp4(tmp_path / "still.mp4", [still(14)] * 24, 10)
    count = itertools.count()

    def counted(*where: Any, **named: Any) -> Located:
        next(count)
        return search(*where, **named)

    monkeypatch.setattr("inv3d.video.track.search", counted)
    track(tmp_path / "still.mp4", demo.aligner, faces=faces_of(demo) if with_faces else None)
    assert next(count) == searches


def test_a_frame_without_a_head_has_none(demo):
    noise = np.random.default_rng(0).integers(90, 160, (90, 160, 3)).astype(np.uint8)
    assert len(search(demo.aligner, Frame(0, 0.0, noise).tensor())) == 0


def test_a_clip_without_a_head_is_refused(tmp_path, demo):
    grey = [np.full((90, 160, 3), 100 + i, np.uint8) for i in range(6)]
    write_mp4(tmp_path / "grey.mp4", grey, 10)
    with pytest.raises(InputError, match="no head"):
        track(tmp_path / "grey.mp4", demo.aligner)


def test_two_heads_are_refused(tmp_path, demo):
    pair = np.concatenate([still(14)[:, 40:220], other()[:, 40:220]], 1)
    write_mp4(tmp_path / "pair.mp4", [pair] * 4, 10)
    with pytest.raises(InputError, match="2 heads"):
        track(tmp_path / "pair.mp4", demo.aligner)
    for head in (2, (270.0, 90.0)):
        found = track(tmp_path / "pair.mp4", demo.aligner, head=head)
        assert len(found.frames) == 4 and all(frame.x > 180 for frame in found.frames)
    with pytest.raises(InputError, match="no head 3"):
        track(tmp_path / "pair.mp4", demo.aligner, head=3)


def test_two_people_in_two_shots_are_refused(tmp_path, demo):
    write_mp4(tmp_path / "cut.mp4", [still(14)] * 5 + [other()] * 5, 10)
    with pytest.raises(InputError, match=r"several shots: the picture changes at 0\.50 s"):
        track(tmp_path / "cut.mp4", demo.aligner)


def test_frames_without_a_head_lead_in_and_are_listed(tmp_path, demo):
    black = np.zeros((180, 320, 3), np.uint8)
    write_mp4(tmp_path / "black.mp4", [black] * 3 + [still(14)] * 4, 10)
    found = track(tmp_path / "black.mp4", demo.aligner)
    assert [frame.index for frame in found.frames] == [3, 4, 5, 6]
    assert [(frame.index, frame.reason) for frame in found.failed] == [(i, "no head found") for i in range(3)]


def path_of(yaw: Iterable[float], times: Iterable[float]) -> HeadTrack:
    return HeadTrack(
        tuple(
            TrackedFrame(i, t, 100.0, 50.0, 80.0, 0.0, y, 0.0, 0.9)
            for i, (y, t) in enumerate(zip(yaw, times, strict=True))
        ),
        (),
    )


def test_smoothing_keeps_a_steady_turn_up_to_its_ends():
    times = np.sort(np.random.default_rng(1).uniform(0, 3, 60))
    yaw = -1 + 0.6 * times
    smoothed = smooth(path_of(yaw, times))
    assert np.allclose([f.yaw for f in smoothed.frames], yaw, atol=1e-6)


def test_smoothing_averages_noise():
    times = np.arange(60) / 30
    noise = 0.05 * np.random.default_rng(2).standard_normal(60)
    residual = np.array([f.yaw for f in smooth(path_of(0.4 * times + noise, times)).frames])
    assert np.std(residual - 0.4 * times) < 0.5 * np.std(noise)


def test_smoothing_does_not_flatten_a_turn_whose_frames_are_said_to_last_a_millisecond():
    """As in GIFs, and in clips that state no rate."""
    times = np.linspace(0, 1, 40)
    yaw = np.sin(2 * math.pi * times)
    at_once, plain = (smooth(path_of(yaw, length * times)).yaws for length in (0.04, 1.0))
    assert torch.allclose(at_once, plain, atol=1e-6) and np.abs(plain.numpy() - yaw).max() < 0.1


def test_frames_that_jump_take_the_pose_of_the_smooth_path():
    times = np.arange(40) / 30
    yaw = 0.5 * times
    yaw[17] += 0.8
    smoothed = smooth(path_of(yaw, times))
    assert not smoothed.failed and len(smoothed.frames) == 40
    assert [f.index for f in smoothed.frames if f.confidence == 0.0] == [17]
    assert np.allclose(smoothed.yaws, 0.5 * times, atol=1e-5)


def test_frames_that_jump_far_from_others_fail_with_their_reason():
    times = np.append(np.arange(40) / 30, 2.5)
    yaw = 0.5 * times
    yaw[-1] += 0.8
    yaw[0] -= 0.8  # there is no frame before it
    smoothed = smooth(path_of(yaw, times))
    assert [(f.index, f.reason) for f in smoothed.failed] == [(0, "pose jumps"), (40, "pose jumps")]
    assert torch.all(smoothed.yaws.diff() > 0)


def test_a_head_that_is_followed_need_not_be_convincing(clip, demo, monkeypatch):
    """Side views that look unlike any head to the aligner, though it reads them."""
    doubt = iter([0.9] * 8 + [0.3] * 12 + [0.9] * 8)

    def doubtful(*where: Any) -> Located:
        return replace(align_near(*where), confidence=torch.full((1,), next(doubt)))

    monkeypatch.setattr("inv3d.video.track.align_near", doubtful)
    found = track(clip, demo.aligner)
    assert len(found.frames) >= 26 and not [f for f in found.failed if f.reason == "no head found"]


def test_yaws_follow_what_is_known_of_the_turn():
    frames = tuple(TrackedFrame(i, i / 10, 50, 50, 40, 0.0, yaw, 0.1, 0.9) for i, yaw in enumerate((-1.0, -0.5, 0.1)))
    found = HeadTrack(frames, ()).turning(1.4)
    assert found.yaws.tolist() == pytest.approx([-1.4, -0.7, 0.14])
    assert all(frame.pitch == 0.1 for frame in found.frames)
    for wrong in (0.5, 1.9):
        with pytest.raises(UsageError, match="57 degrees that were read"):
            HeadTrack(frames, ()).turning(wrong)


def test_somebody_who_passes_by_later_changes_nothing(clip, demo, monkeypatch):
    plain, count = track(clip, demo.aligner), itertools.count()

    def crowded_later(*where: Any, **named: Any) -> Located:
        found = search(*where, **named)
        if next(count) == 0:
            return found
        beside = Crops(found.crops.center + 1.5 * found.crops.size[:, None], 1.1 * found.crops.size, found.crops.roll)
        return found.with_crops(beside).joined(found)

    monkeypatch.setattr("inv3d.video.track.search", crowded_later)
    found = track(clip, demo.aligner)
    assert next(count) > 1 and not found.failed
    assert float((found.yaws - plain.yaws).abs().max()) < 1e-3


def test_a_head_that_is_found_late_is_followed_back(clip, demo, monkeypatch):
    """As where a clip begins with a profile."""
    plain, count = track(clip, demo.aligner), itertools.count()

    def blind_at_first(*where: Any, **named: Any) -> Located:
        found = search(*where, **named)
        return found[:0] if next(count) < 9 else found

    monkeypatch.setattr("inv3d.video.track.search", blind_at_first)
    found = track(clip, demo.aligner)
    assert [frame.index for frame in found.frames] == list(range(28)) and not found.failed
    assert float((found.yaws - plain.yaws).abs().max()) < 0.1
    monkeypatch.setattr("inv3d.video.track._REMEMBERED", 4)
    count = itertools.count()
    found = track(clip, demo.aligner)
    assert [frame.index for frame in found.failed] == list(range(5)) and found.frames[0].index == 5
