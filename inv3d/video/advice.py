"""Warnings about footage before minutes are spent on it, each with what to do about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from inv3d.core.world import OUTSIDE
from inv3d.video.quality import Quality
from inv3d.video.track import HeadTrack, TrackedFrame

_ENOUGH = 60.0
"""Degrees of turn from which both sides of a face are seen."""
_SIDE = 15.0
"""Degrees to the poorer side below which a turn is one-sided."""
_PROFILE = (50.0, 85.0)
"""Furthest yaws (degrees) of what may be a profile: those in photos are often read as 55 to 75."""
_GAP = 45.0
"""Degrees between neighbouring frames."""
_DARK, _BLURRED, _INSIDE, _GLARE = 0.15, 0.55, 0.93, 0.02
_SMALL = 160.0
"""Pixels per side of the crop around a head."""
_MANY_FAILED = 0.25
_UNSURE = 0.65
"""The aligner's confidence below which the side of a face is often misread: of 173 photos of drawn people, as they are and spoiled,
14 of 17 below it by more than 8 degrees, and 14 of 156 above (`benchmarks/confidence.py`)."""


@dataclass(frozen=True)
class Advice:
    """What is `wrong` with the footage, and what to `do` about it; one line each."""

    wrong: str
    do: str

    def __str__(self) -> str:
        return f"{self.wrong}: {self.do}"


def advise(found: HeadTrack, chosen: Sequence[TrackedFrame], turn_known: bool = False) -> tuple[Advice, ...]:
    """Everything that is wrong with a track and the frames `chosen` to fit, the worst first; `turn_known` says
    that yaws are more than read off single pictures: measured, or given."""
    return (*_about_turn(found, turn_known), *_about_frames(chosen), *_about_failures(found))


def advise_on_photo(confidence: float, strangeness: float, face: bool) -> tuple[Advice, ...]:
    """What is wrong with a photo, by the aligner's `confidence`, which means this of a `face` alone, and by how strange the
    photo is to the model (see `World`)."""
    compare = "compare the photo with its render in report.html; if they differ much, use another photo"
    advice = []
    if face and confidence < _UNSURE:
        what = f"the head was found with little confidence ({confidence:.2f}), and may look to another side than was read"
        advice.append(Advice(what, f"{compare}, sharp, evenly lit and in colour"))
    if strangeness > OUTSIDE:
        advice.append(Advice("the model has seen nothing like this photo", compare))
    return tuple(advice)


def _about_turn(found: HeadTrack, turn_known: bool) -> list[Advice]:
    low, high = (math.degrees(yaw) for yaw in found.yaw_range)
    may_be_profile = not turn_known and _PROFILE[0] <= max(-low, high) <= _PROFILE[1]
    or_told = ", or if it is shown in profile, add --turn 90" if may_be_profile else ""
    if high - low < _ENOUGH:
        return [
            Advice(
                f"the head turns by only {high - low:z.0f} degrees",
                "its sides will be the model's guess; turn at least 45 degrees to each side" + or_told,
            )
        ]
    advice = []
    if low > -_SIDE or high < _SIDE:
        advice.append(
            Advice(
                f"the head turns to one side only ({low:z.0f} to {high:z.0f} degrees)",
                "the other side will be its mirror image; turn to both sides" + or_told,
            )
        )
    yaws = sorted(math.degrees(frame.yaw) for frame in found.frames)
    gap, start = max(((b - a, a) for a, b in pairwise(yaws)), default=(0.0, 0.0))
    if gap > _GAP:
        advice.append(
            Advice(
                f"nothing is seen between {start:z.0f} and {start + gap:z.0f} degrees",
                "turn slowly and steadily, or add photos from there",
            )
        )
    return advice


def _about_frames(chosen: Sequence[TrackedFrame]) -> list[Advice]:
    looks = [frame.quality for frame in chosen if frame.quality is not None]
    advice = []

    def count(what: str, bad: list[Quality], do: str) -> None:
        if 3 * len(bad) >= len(looks) > 0:  # one frame of nine does no harm
            advice.append(Advice(f"{what} in {len(bad)} of the {len(looks)} chosen frames", do))

    count("the head is cut off", [q for q in looks if q.inside < _INSIDE], "keep hair and chin in the picture")
    count("the face is dark", [q for q in looks if q.light < _DARK], "turn the face to a window or a lamp")
    count(
        "the face is blurred",
        [q for q in looks if q.blur > _BLURRED],
        "turn more slowly, in more light, with the camera at rest and focused",
    )
    count(
        "there are bright reflections by the eyes",
        [q for q in looks if q.glare > _GLARE],
        "take off the glasses, or move the lamp",
    )
    small = min((frame.size for frame in chosen), default=_SMALL)
    if small < _SMALL:
        advice.append(
            Advice(f"the head is small, about {small / 2:.0f} pixels high", "come closer, or film at a higher resolution")
        )
    return advice


def _about_failures(found: HeadTrack) -> list[Advice]:
    failed, every = len(found.failed), len(found.failed) + len(found.frames)
    if failed <= _MANY_FAILED * every:
        return []
    reasons = [frame.reason for frame in found.failed]
    most = max(dict.fromkeys(reasons), key=reasons.count)
    return [Advice(f"{failed} of {every} frames cannot be used, most because: {most}", "see the report for the others")]
