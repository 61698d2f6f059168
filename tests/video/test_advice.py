"""Each warning appears for what is wrong, alone, and says what to do."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest

from inv3d.video.advice import advise, advise_on_photo
from inv3d.video.decode import FailedFrame
from inv3d.video.quality import Quality
from inv3d.video.track import HeadTrack, TrackedFrame

GOOD = Quality(light=0.5, blur=0.3, inside=1.0, glare=0.0, eyes=0.1)


def turn(degrees: Iterable[float], looks: Quality | None = GOOD, size: float = 400.0, failed: int = 0) -> HeadTrack:
    frames = (
        TrackedFrame(i, i / 30, 300.0, 300.0, size, 0.0, math.radians(yaw), 0.0, 0.9, looks)
        for i, yaw in enumerate(degrees)
    )
    return HeadTrack(tuple(frames), tuple(FailedFrame(100 + i, 4.0, "no head found") for i in range(failed)))


def said(found: HeadTrack) -> list[str]:
    return [str(each) for each in advise(found, found.frames)]


def test_good_footage_needs_no_advice():
    assert said(turn(range(-60, 61, 15))) == []
    assert said(turn(range(-60, 61, 15), looks=None)) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (turn(range(-3, 84, 12)), ("one side only (-3 to 81 degrees)", "turn to both sides")),
        (turn(range(-20, 21, 5)), ("turns by only 40 degrees", "at least 45 degrees to each side")),
        (turn([-0.3, 0, 15, 30, 45, 60, 75, 90]), ("one side only (0 to 90 degrees)",)),
        (turn([-60, -45, -30, 30, 45, 60]), ("nothing is seen between -30 and 30 degrees", "slowly")),
        (turn(range(-60, 61, 15), replace(GOOD, blur=0.7)), ("blurred in 9 of the 9", "more slowly")),
        (turn(range(-60, 61, 15), replace(GOOD, light=0.1)), ("dark in 9", "a window or a lamp")),
        (turn(range(-60, 61, 15), replace(GOOD, inside=0.8)), ("cut off in 9", "hair and chin")),
        (turn(range(-60, 61, 15), replace(GOOD, glare=0.1)), ("reflections", "glasses")),
        (turn(range(-60, 61, 15), size=120.0), ("about 60 pixels high", "come closer")),
        (turn(range(-60, 61, 15), failed=5), ("5 of 14 frames cannot be used, most because: no head found", "report")),
    ],
    ids=["one side", "few degrees", "no minus zero", "gap", "blur", "dark", "cut off", "glare", "small", "failed"],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(found, words):
    (line,) = said(found)
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    ("degrees", "known", "advised"),
    [
        (range(-3, 70, 12), False, True), (range(-3, 70, 12), True, False), (range(-3, 94, 16), False, False),
        (range(-3, 45, 12), False, False), (range(-20, 21, 5), False, False), (range(10, 66, 5), False, True),
    ],
    ids=["read as 69", "measured or given", "read as 93", "far from profile", "to both sides", "few degrees, far aside"],
)  # fmt: skip
def test_a_turn_is_asked_for_only_where_it_may_be_a_profile_and_was_not_known(degrees, known, advised):
    found = turn(degrees)
    (advice,) = advise(found, found.frames, turn_known=known)
    assert ("--turn 90" in str(advice)) == advised


@pytest.mark.parametrize(
    ("confidence", "strangeness", "face", "words"),
    [
        (0.9, 0.9, True, []), (0.6, 0.9, True, ["(0.60)"]), (0.6, 0.9, False, []), (0.9, 1.2, True, ["nothing like this photo"]),
        (0.6, 1.2, True, ["(0.60)", "nothing like this photo"]),
    ],
    ids=["good", "unsure", "a thing", "strange", "both"],
)  # fmt: skip
def test_photos_that_may_be_misread_are_told(confidence, strangeness, face, words):
    said = [str(each) for each in advise_on_photo(confidence, strangeness, face)]
    assert len(said) == len(words) and all(word in line and "report.html" in line for word, line in zip(words, said, strict=True))


def test_one_bad_frame_of_nine_does_no_harm():
    frames = turn(range(-60, 61, 15)).frames
    frames = (replace(frames[0], quality=replace(GOOD, light=0.05, blur=0.9)), *frames[1:])
    assert said(HeadTrack(frames, ())) == []
