"""What shows one head from several sides: a clip, or photographs of one person."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inv3d.core.bundle import Bundle
from inv3d.core.counting import Counted
from inv3d.core.errors import InputError, OutOfMemoryError
from inv3d.core.library import input_digest
from inv3d.video.choose import HeadChoice
from inv3d.video.decode import ClipInfo, FailedFrame, Frame, frames, probe
from inv3d.video.detect import faces_of
from inv3d.video.photo import head_in, read_photo
from inv3d.video.select import Selection, select
from inv3d.video.track import HeadTrack, TrackedFrame, stride_of, track


class Material(Protocol):
    """The input of `inv3d video`. Its frames are keyed by their index."""

    @property
    def files(self) -> tuple[Path, ...]: ...

    @property
    def title(self) -> str:
        """Its name, for a heading."""
        ...

    @property
    def unit(self) -> str:
        """What its frames are called, in the plural."""
        ...

    @property
    def description(self) -> str:
        """A line that says what it is."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of its content, by which it is recognised. Raises InputError if it cannot be read."""
        ...

    def seconds_to_track(self, rate: float) -> float:
        """An estimate."""
        ...

    def at_most(self, views: int) -> int:
        """How many of so many views there can be at most, as far as that is known before heads are searched for."""
        ...

    def track(self, bundle: Bundle, head: HeadChoice | None, counted: Counted, rate: float = math.inf) -> HeadTrack:
        """The head in the frames, of a clip about `rate` a second or all; these are counted. Raises InputError if there is none."""
        ...

    def select(self, found: HeadTrack, views: int, held_out: int) -> Selection:
        """Frames by role, at most so many of each. Raises InputError."""
        ...

    def frames(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        """The frames whose index is `wanted`, in order of their indices, at full size."""
        ...

    def place(self, index: int, time: float) -> str:
        """A name of a frame, for people."""
        ...


@dataclass(frozen=True)
class Recording:
    """A clip."""

    path: Path
    info: ClipInfo
    unit: str = "frames"

    @staticmethod
    def of(path: Path) -> Recording:
        """Raises InputError if the file is not a clip that can be read."""
        return Recording(path, probe(path))

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def title(self) -> str:
        return self.path.name

    @property
    def description(self) -> str:
        info = self.info
        return f"{self.title}: {info.width} x {info.height}, {info.duration:.1f} s, {info.codec}"

    @functools.cached_property
    def digest(self) -> str:
        return input_digest(self.path)

    def seconds_to_track(self, rate: float) -> float:
        return 0.08 * (self.info.frames or 25 * self.info.duration) / stride_of(self.info, rate)

    def at_most(self, views: int) -> int:
        return views

    def track(self, bundle: Bundle, head: HeadChoice | None, counted: Counted, rate: float = math.inf) -> HeadTrack:
        return track(self.path, bundle.aligner, counted, faces_of(bundle), head, rate)

    def select(self, found: HeadTrack, views: int, held_out: int) -> Selection:
        return select(found, views, held_out)

    def frames(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        return frames(self.path, wanted)

    def place(self, index: int, time: float) -> str:
        return f"frame {index} at {time:.2f} s"


@dataclass(frozen=True)
class Photographs:
    """Photos of one person from several sides, in any order; their index is that in `files`.

    One that cannot be used is a failed frame. Those that no view is fitted to are held out.
    """

    files: tuple[Path, ...]
    unit: str = "photos"

    @property
    def title(self) -> str:
        return f"{self.files[0].name} and {len(self.files) - 1} more"

    @property
    def description(self) -> str:
        return f"{len(self.files)} photos: {', '.join(path.name for path in self.files[:6])}" + (
            ", ..." if len(self.files) > 6 else ""
        )

    @functools.cached_property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of every file, empty for those that cannot be read."""
        return tuple(_digest(path) for path in self.files)

    @property
    def digest(self) -> str:
        return hashlib.sha256(" ".join(self.digests).encode()).hexdigest()

    def seconds_to_track(self, rate: float) -> float:
        return 1.0 * len(self.files)

    def at_most(self, views: int) -> int:
        return min(views, len(self.files))

    def track(self, bundle: Bundle, head: HeadChoice | None, counted: Counted, rate: float = math.inf) -> HeadTrack:
        usable: list[TrackedFrame] = []
        failed: list[FailedFrame] = []
        for index, path in enumerate(self.files):
            try:
                self._refuse_twin(index)
                usable.append(head_in(read_photo(path, index), bundle, head, path.name))
            except (InputError, OutOfMemoryError) as error:
                reason = error.message.removeprefix(f"{path} ").removesuffix(f" in {path.name}")
                failed.append(FailedFrame(index, 0.0, reason))
            counted(index + 1, len(self.files))
        if len(usable) < 2:
            names = "; ".join(f"{self.place(frame.index, 0.0)}: {frame.reason}" for frame in failed[:3])
            raise InputError(
                f"only {len(usable)} of {len(self.files)} photos can be used ({names})",
                "add photos of this person, each with one upright head at least a sixth of the picture high",
            )
        return HeadTrack(tuple(usable), tuple(failed))

    def _refuse_twin(self, index: int) -> None:
        """Raises InputError for a copy of an earlier photo: it could be fitted and held out at once."""
        first = self.digests.index(self.digests[index])
        if first < index and self.digests[index]:
            raise InputError(f"is a copy of {self.files[first].name}", "")

    def select(self, found: HeadTrack, views: int, held_out: int) -> Selection:
        return select(found, min(views, len(found.frames)), held_out, between=False)

    def frames(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        return (read_photo(path, index) for index, path in enumerate(self.files) if wanted(index))

    def place(self, index: int, time: float) -> str:
        return self.files[index].name


def _digest(path: Path) -> str:
    try:
        return input_digest(path)
    except InputError:
        return ""
