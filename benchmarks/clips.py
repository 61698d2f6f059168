"""The six clips of the head-turn benchmark; no training and no tuning has seen these heads.

Three come from the distribution that the embedded model learned; three carry what it has never seen, as real people do
to a real GAN.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from make_samples import still

from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.oddities import OddHeadRenderer, Oddities
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.video.write import write_mp4


@dataclass(frozen=True)
class TestClip:
    """A head that turns from one side to the other, with small movements of eyes, jaw and brows."""

    name: str
    seed: int
    oddities: Oddities | None = None

    @property
    def turn(self) -> HeadTurn:
        return HeadTurn(self.seed, frames=180, width=480, height=480, crop=300.0, center=(0.52, 0.5))

    @property
    def known(self) -> bool:
        """Whether the head comes from the distribution that the model learned."""
        return self.oddities is None

    def renderer(self, compiled: bool = False) -> HeadRenderer:
        return HeadRenderer(compiled) if self.oddities is None else OddHeadRenderer(self.oddities, compiled)

    def write(self, folder: Path) -> Path:
        """The clip as H.264; rendered unless it is there."""
        path = folder / f"{self.name}.mp4"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            turn, renderer, partial = self.turn, self.renderer(compiled=True), folder / f"{self.name}.partial.mp4"
            write_mp4(partial, (still(turn, frame, renderer) for frame in range(turn.frames)), turn.fps, quality=20)
            partial.replace(path)
        return path


CLIPS = (
    TestClip("known-600", 600),
    TestClip("known-601", 601),
    TestClip("known-602", 602),
    TestClip("paint-604", 604, Oddities(paint=True, scar=True)),
    TestClip("scarf-605", 605, Oddities(scarf=True, skew=0.02)),
    TestClip("cap-606", 606, Oddities(cap=True, scar=True)),
)
