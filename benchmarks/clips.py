"""The six clips of the head-turn benchmark; no training and no tuning has seen these people.

Three come from the distribution that the embedded model learned; three carry what it has never seen, as real people do
to a real GAN. Needs the extra `train`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from make_samples import still

from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.oddities import Oddities, OddPeopleRenderer
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.store import people_basis
from inv3d.video.write import write_mp4


@functools.cache
def renderer_of(oddities: Oddities | None) -> PeopleRenderer:
    """Draws people with these oddities, or as the training does."""
    basis = people_basis()
    return PeopleRenderer(basis) if oddities is None else OddPeopleRenderer(basis, oddities)


@dataclass(frozen=True)
class TestClip:
    """A person who turns the head from one side to the other, by default while talking, under a lamp that stays in the room."""

    name: str
    seed: int
    oddities: Oddities | None = None
    lamp: Literal["room", "head"] = "room"
    talking: float = 1.0

    @property
    def turn(self) -> PersonTurn:
        return PersonTurn(
            self.seed, frames=180, width=480, height=480, crop=300.0, center=(0.52, 0.5), lamp=self.lamp, talking=self.talking
        )

    @property
    def known(self) -> bool:
        """Whether the person comes from the distribution that the model learned."""
        return self.oddities is None

    def renderer(self) -> PeopleRenderer:
        return renderer_of(self.oddities)

    def write(self, folder: Path) -> Path:
        """The clip as H.264; rendered unless it is there."""
        path = folder / f"{self.name}.mp4"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            turn, partial = self.turn, folder / f"{self.name}.partial.mp4"
            frames = (still(turn, frame, self.renderer()) for frame in range(turn.frames))
            write_mp4(partial, frames, turn.fps, quality=20)
            partial.replace(path)
        return path


CLIPS = (
    TestClip("known-600", 600),
    TestClip("known-601", 601),
    TestClip("known-602", 602),
    TestClip("paint-604", 604, Oddities(paint=True)),
    TestClip("birthmark-605", 605, Oddities(birthmark=True, skew=0.02)),
    TestClip("headband-606", 606, Oddities(headband=True, streaks=True)),
)
