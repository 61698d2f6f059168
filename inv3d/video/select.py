"""Choosing frames by pose: the views to fit, the frames between them, and frames kept for measuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.crops import outside, softly_cut
from inv3d.core.errors import InputError
from inv3d.core.plurals import number_of
from inv3d.core.views import Views, to_bytes
from inv3d.video.decode import Frame
from inv3d.video.track import HeadTrack, TrackedFrame

MIN_ROTATION = math.radians(20)
_GUESSED = math.radians(5)
"""By how much farther a frame may be whose pose was read, than one on the smooth path between others."""
_SHUT, _OPEN = 1.0, 0.9
"""By how much farther (radians) a frame may be whose eyes are open, for the contrast that another one's eyes lack; from this
part of what eyes usually have, they count as open."""
_SMEARED, _SHARP = 2.0, 0.04
"""By how much farther (radians) a sharper frame may be, for the blur that another one has above what is usual; up to so much
more, it counts as sharp."""
_ASIDE, _AROUND, _USUAL = math.radians(15), 0.6, 0.7
"""The yaws (radians) and the seconds around a frame that tell what is usual: this share of frames is no better."""

FINER = 2
"""How many times finer than the model's own pictures are cut at most."""
_WORTHWHILE = 1.2
"""How many times finer pictures should be, to be worth their memory."""


@dataclass(frozen=True)
class Selection:
    """Frames by role, each sorted by yaw; no frame has two roles."""

    targets: tuple[TrackedFrame, ...]
    between: tuple[TrackedFrame, ...]
    held_out: tuple[TrackedFrame, ...]

    @property
    def frames(self) -> tuple[TrackedFrame, ...]:
        """All of them."""
        return self.targets + self.between + self.held_out


def _nearest(
    candidates: list[TrackedFrame], yaws: Iterable[float], poorer: Mapping[int, float]
) -> list[TrackedFrame]:
    """For each yaw the nearest remaining frame, if possible one whose pose was read and that shows the head no `poorer` than
    others do (see `_poorer`); removes them from `candidates`."""
    chosen = []
    for yaw in yaws:
        if candidates:
            best = min(
                candidates,
                key=lambda frame: abs(frame.yaw - yaw) + _GUESSED * (frame.confidence == 0.0) + poorer.get(frame.index, 0.0),
            )
            candidates.remove(best)
            chosen.append(best)
    return sorted(chosen, key=lambda frame: frame.yaw)


def _poorer(frames: Sequence[TrackedFrame]) -> dict[int, float]:
    """By how much (radians) frames count as farther away, by index, because their eyes are shut or they are smeared, which those
    around them are not: renders from there would show it."""
    looks = [frame.quality for frame in frames]
    eyes, blurs = (
        torch.tensor([math.nan if look is None else getattr(look, name) for look in looks]) for name in ("eyes", "blur")
    )
    yaws, times = (torch.tensor(values) for values in zip(*((frame.yaw, frame.time) for frame in frames), strict=True))
    poorer = {}
    for frame, look in zip(frames, looks, strict=True):
        if look is not None:
            near = ((yaws - frame.yaw).abs() <= _ASIDE) & ((times - frame.time).abs() <= _AROUND)
            open_eyes, sharp = float(eyes[near].nanquantile(_USUAL)), float(blurs[near].nanquantile(1.0 - _USUAL))
            shut = max(0.0, _OPEN - look.eyes / open_eyes) if open_eyes else 0.0
            poorer[frame.index] = _SHUT * shut + _SMEARED * max(0.0, look.blur - sharp - _SHARP)
    return poorer


def select(track: HeadTrack, views: int, held_out: int = 24, between: bool = True) -> Selection:
    """The `views` frames nearest to evenly spaced yaws from the leftmost to the rightmost (section 3.1).

    In-between frames, if wanted, lie nearest to the middles of neighbouring targets; both may lie a little aside of frames
    with shut eyes or motion blur. Held-out frames are spread evenly over the rest, whatever they show, each in the middle of
    its share of the turn: at its ends heads linger, and are shown best. A single view is the most frontal one. Raises
    InputError if the head turns too little or too few frames are usable.
    """
    low, high = track.yaw_range
    if min(views, len(track.frames)) > 1 and high - low < MIN_ROTATION:  # an obstacle that fewer views would leave
        raise InputError(
            f"the head turns only {number_of(round(math.degrees(high - low)), 'degree')}",
            "show the head from one side to the other, turned by at least 20 degrees in all",
        )
    if len(track.frames) < views:
        usable = f"{len(track.frames)} of {number_of(len(track.frames) + len(track.failed), 'frame')}"
        raise InputError(
            f"{views} views were requested, but only {usable} can be used",
            f"turn for longer, some seconds to each side, or use fewer: --views {len(track.frames)}",
        )
    candidates = list(track.frames)
    spaced = torch.linspace(low, high, views).tolist() if views > 1 else [min(max(0.0, low), high)]
    poorer = _poorer(candidates)
    targets = _nearest(candidates, spaced, poorer)
    middles = [(a.yaw + b.yaw) / 2 for a, b in pairwise(targets)] if between else []
    inner = _nearest(candidates, middles, poorer)
    rest = _nearest(candidates, (low + (high - low) * (number + 0.5) / held_out for number in range(held_out)), {})
    return Selection(tuple(targets), tuple(inner), tuple(rest))


CameraOf = Callable[[torch.Tensor, torch.Tensor], Camera]
"""The generator's cameras for yaws and pitches [B] in radians."""


def cameras_of(tracked: Iterable[TrackedFrame], camera: CameraOf) -> Camera:
    """The generator's cameras for tracked frames; the crop accounts for position, size and roll."""
    rows = list(tracked)
    return camera(torch.tensor([f.yaw for f in rows]), torch.tensor([f.pitch for f in rows]))


def cut_frame(frame: Frame, tracked: TrackedFrame, resolution: int) -> Tensor:
    """The aligned picture [1,3,resolution,resolution] of a frame's head."""
    return softly_cut(frame.tensor(), tracked.crops(frame.scale), resolution)


def cut_views(
    frames: Iterable[Frame], tracked: tuple[TrackedFrame, ...], resolution: int, camera: CameraOf, finer: bool = True
) -> Views:
    """Cut the aligned targets of `tracked` frames out of their `frames`, `finer` ones too where these have the pixels; the
    frames are in any order, the views in that of `tracked`."""
    places = {frame.index: frame for frame in tracked}
    size = finer_size([frame.size for frame in tracked], resolution) if finer else None
    images, fine, beyond = {}, {}, {}
    for frame in frames:
        images[frame.index] = cut_frame(frame, places[frame.index], resolution)
        beyond[frame.index] = outside(places[frame.index].crops(frame.scale), resolution, *frame.image.shape[:2])
        if size is not None:
            fine[frame.index] = to_bytes(cut_frame(frame, places[frame.index], size))
    far = torch.cat([beyond[frame.index] for frame in tracked])
    return Views(
        torch.cat([images[frame.index] for frame in tracked]),
        cameras_of(tracked, camera),
        tuple(frame.index for frame in tracked),
        tuple(frame.time for frame in tracked),
        fine=None if size is None else torch.cat([fine[frame.index] for frame in tracked]),
        outside=far if bool((far > 0.0).any()) else None,
    )


def finer_size(crops: Sequence[float], resolution: int) -> int | None:
    """Pixels per side of pictures finer than `resolution`, for crops of so many pixels; None if these show no more."""
    size = min(FINER * resolution, int(min(crops, default=0.0)) // 2 * 2)
    return size if size > _WORTHWHILE * resolution else None
