"""Mattes, and heads laid on one colour by them, beside what is exact of drawn people, by yaw: `python benchmarks/mattes.py --folder CLIPS`.

Three sample clips and two of the head-turn benchmark (see clips.py), which are drawn into the folder unless they are there,
are tracked and cut as any clip; what a matte and a head on that colour should be is drawn at the same frames and cut in the same
way. One of the people has
a painted face, whose colours no training has seen.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from clips import CLIPS, renderer_of
from make_samples import CLIPS as SAMPLES
from results import means, publish, table
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.counting import uncounted
from inv3d.core.crops import cut
from inv3d.core.cutout import MATTES, cut_out_named
from inv3d.core.helpers import AUTO
from inv3d.core.matting import room_colour
from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.export.sides import in_face
from inv3d.pipeline import cut_footage
from inv3d.video.material import Recording
from inv3d.video.track import TrackedFrame

OTHERS = ("known-600", "paint-604")
YAWS = (0, 25, 45, 65, 90)  # degrees to a side, between which figures are means
RIM = 0.03  # of a picture's width: what is nearer to an outline belongs to it
SOLID, EMPTY = 0.99, 0.01  # coverage of a pixel that shows the head, or the room, alone


@dataclass(frozen=True)
class Figures:
    """Shares, from 0 to 1: how much of the `face` is more than half lost, the mean absolute error along the `outline`, of the
    matte and of the `colour` there, how much of the head `inside` of it is lost, and of the `room` outside is left."""

    face: float
    outline: float
    colour: float
    inside: float
    room: float


@dataclass(frozen=True)
class Exact:
    """How much of each pixel of a frame's crop head and body cover, and how much the face, both [1,R,R]; and the head in front
    of black [3,R,R] in [0,1]."""

    coverage: Tensor
    face: Tensor
    on_black: Tensor

    def on(self, colour: Tensor) -> Tensor:
        """The head in front of a `colour` [3] in [0,1]."""
        return self.on_black + (1.0 - self.coverage) * colour[:, None, None]


def figures_of(matte: Tensor, laid: Tensor, colour: Tensor, truth: Exact) -> Figures:
    """Of a matte [1,R,R] and the head that it has `laid` [3,R,R] on a `colour` [3], both in [-1,1]."""
    exact, difference = truth.coverage, 0.5 * (laid + 1.0) - truth.on(0.5 * (colour + 1.0))
    rim = round(RIM * exact.shape[-1])
    most, least = (sign * F.max_pool2d(sign * exact[None], 2 * rim + 1, 1, rim)[0] for sign in (1.0, -1.0))
    outline, inside, room = (most > SOLID) & (least < EMPTY), least > SOLID, most < EMPTY
    return Figures(
        float((matte[truth.face > SOLID] < 0.5).float().mean()),
        float((matte - exact)[outline].abs().mean()),
        float(difference.abs().mean(0, True)[outline].mean()),
        float(1.0 - matte[inside].mean()),
        float(matte[room].mean()),
    )


def exact_of(turn: PersonTurn, renderer: PeopleRenderer, frame: TrackedFrame, resolution: int) -> Exact:
    """What is exact of a frame's crop."""
    size, camera = (turn.height, turn.width), turn.frame_camera(frame.index)
    drawn = renderer.render(turn.parameters(frame.index), camera, size, behind=torch.zeros(1, 3, *size))
    origins, directions = camera.rays(size)
    points = (origins + directions * drawn.depth.reshape(1, -1, 1)).reshape(*size, 3)
    face = (drawn.alpha[0] > SOLID) & in_face(points)
    maps = torch.cat([drawn.alpha[0], face.float(), 0.5 * (drawn.image[0] + 1.0)])
    return Exact(*cut(maps, frame.crops(), resolution)[0].split([1, 1, 3]))


def rows_of(name: str, path: Path, turn: PersonTurn, renderer: PeopleRenderer, bundle: Bundle, matte: str) -> list[dict[str, Any]]:
    """Figures of the frames of a fit to nine views, with the mattes of this name."""
    material = Recording.of(path)
    track = material.track(bundle, None, uncounted)
    selection = material.select(track, 9, 0)
    footage = cut_footage(material, bundle, selection)
    views = footage.without_room(cut_out_named(matte, bundle)).fitted
    assert views.mattes is not None
    colour = room_colour(footage.targets.images, views.mattes[: len(footage.targets)])
    rows = []
    for frame, found, laid in zip(selection.targets + selection.between, views.mattes, views.images, strict=True):
        figures = figures_of(found, laid, colour, exact_of(turn, renderer, frame, found.shape[-1]))
        rows.append({"clip": name, "frame": frame.index, "yaw": math.degrees(frame.yaw), **asdict(figures)})
    return rows


def by_yaw(rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """Means of each clip's figures between `YAWS`."""
    lines = []
    for name in dict.fromkeys(row["clip"] for row in rows):
        for low, high in pairwise(YAWS):
            some = [
                {key: row[key] for key in Figures.__annotations__}
                for row in rows
                if row["clip"] == name and low <= abs(row["yaw"]) < high
            ]
            if some:
                lines.append([name, f"{low} to {high}", len(some), *(f"{share:.2%}" for share in means(some).values())])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("clips"))
    parser.add_argument("--model", default="demo")
    parser.add_argument("--matte", choices=MATTES, default=AUTO)
    options = parser.parse_args()
    bundle = load_bundle(options.model, torch.device("cpu"))
    rows = []
    for name, turn in SAMPLES.items():
        rows += rows_of(name, Path("samples") / name, turn, renderer_of(None), bundle, options.matte)
    for clip in CLIPS:
        if clip.name in OTHERS:
            rows += rows_of(clip.name, clip.write(options.folder), clip.turn, clip.renderer(), bundle, options.matte)
    header = ["clip", "degrees of yaw", "frames", "face lost", "error along the outline", "of colours there", "lost inside", "left of the room"]
    publish("mattes", rows, f"Model `{options.model}`, `--matte {options.matte}`.\n\n" + table(header, by_yaw(rows)))


if __name__ == "__main__":
    main()
