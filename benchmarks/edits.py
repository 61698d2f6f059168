"""Tables 3 and 5 of PREIM3D on unseen drawn people: `python benchmarks/edits.py`.

AA is how much an edit of two deviations changes its attribute, AD the mean change of the other ones, both read off renders
and in deviations of what is read off the model's own people. The reader is the model's perceptual network: it learned
to tell the parameters of drawn people from pictures, and no direction was found with it, though fits compare its
features. Identity is the judge's likeness of renders before and after the edit; geometry the change of depth where the
edit changes no colours; sameness is how alike an edit's difference pictures from the sides, warped to the front, are to
that from the front (their cosine, 1 if the edit is the same from all sides). The same edits are made with directions found
among the generator's own codes and among those that the encoder reads off pictures (inversion manifold). Needs the extra
`train`.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from clips import renderer_of
from results import publish, table
from torch import Tensor

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera
from inv3d.core.editing.directions import Direction
from inv3d.core.editing.edits import displacement
from inv3d.core.encoders.inverter import load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.manifold import in_manifold
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.settings import FAST
from inv3d.core.inversion.warping import warp
from inv3d.core.latents import LatentTrack
from inv3d.core.metrics.consistency import depth_consistency
from inv3d.core.networks.perceptual import PerceptualNetwork
from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.training.demo import ParameterEmbedding
from inv3d.core.training.directions import all_attributes
from inv3d.core.training.source import PEOPLE
from inv3d.core.views import Views

SEEDS = range(640, 646)
FRAME = 90
EDITED = ("age", "beard", "hair-length", "grey-hair", "dark-skin")
READ = (*EDITED, "smile", "gender", "weight", "bald", "glasses", "hat", "light-left", "wide-face")
STRENGTH = 2.0
YAWS = (-30.0, 0.0, 30.0)
SIZE = 96
OWN = 48
"""Random people of the model, whose deviations are the unit."""
STEPS = 30
VIEWS = tuple(float(yaw) for yaw in range(-60, 61, 15))
SPACES = ("original", "inversion")
_SEEN = 0.05
"""Change of colour, from -1 to 1, from which on an edit is seen."""


class Reader:
    """Reads attributes off renders, in deviations of what it reads off the model's own people."""

    def __init__(self, bundle: Bundle) -> None:
        assert isinstance(bundle.perceptual, PerceptualNetwork)
        self.network = bundle.perceptual
        scale = ParameterEmbedding(8, PEOPLE).std
        known = {attribute.name: attribute for attribute in all_attributes()}
        self.weights = torch.stack([known[name].weights * scale for name in READ])
        z = torch.randn(OWN, bundle.generator.z_dim, generator=torch.Generator().manual_seed(5))
        camera = bundle.info.front
        images = [bundle.generator(bundle.generator.mapping(row[None]), camera, SIZE).image for row in z]
        self.deviation = self._values(torch.cat(images)).std(0)

    def __call__(self, images: Tensor) -> Tensor:
        """Attributes [B,A] of images [B,3,R,R]."""
        return self._values(images) / self.deviation

    def _values(self, images: Tensor) -> Tensor:
        return self.network(images)[:, : self.weights.shape[1]] @ self.weights.T


@dataclass(frozen=True)
class Figures:
    """Of one edit of one head: means over the yaws; `geometry` in thousandths of a world unit."""

    altering: float
    dependency: float
    identity: float
    geometry: float
    sameness: float


@dataclass(frozen=True)
class Row:
    """Figures of an edit of a person's head, by inversion and by the space of the direction."""

    inversion: str
    space: str
    edit: str
    figures: Figures


def views_of(seed: int, degrees: Sequence[float], bundle: Bundle, renderer: PeopleRenderer) -> Views:
    """A person from known cameras."""
    yaws = torch.tensor(degrees).deg2rad()
    cameras = bundle.info.camera(yaws, torch.zeros_like(yaws))
    parameters = PersonTurn(seed, frames=180, width=480, height=480, crop=300.0, center=(0.52, 0.5)).parameters(FRAME)
    images = [renderer.render(parameters, cameras[i], bundle.generator.resolution, 1).image for i in range(len(yaws))]
    count = range(len(yaws))
    return Views(torch.cat(images), cameras, tuple(count), tuple(float(i) for i in count))


def inversions(seed: int, bundle: Bundle, renderer: PeopleRenderer) -> dict[str, Head]:
    """The heads of a person: of a photograph, and of several views."""
    views = views_of(seed, VIEWS, bundle, renderer)
    photo, inverter = views[len(VIEWS) // 2], load_inverter(bundle, PREIM3D)
    assert inverter is not None
    encoded = Head(bundle.generator, LatentTrack(inverter(photo, bundle).codes, torch.zeros(1)), bundle, (-0.7, 0.7))
    wplus = dataclasses.replace(FAST, wplus_steps=2 * STEPS, latent_steps=0, tuning_steps=0)
    tuned = dataclasses.replace(wplus, wplus_steps=STEPS, tuning_steps=STEPS)
    several = dataclasses.replace(tuned, latent_steps=STEPS)
    return {
        "encoder": encoded,
        f"W+, {2 * STEPS} steps": invert(Footage.of_one(photo), bundle, wplus).head,
        f"PTI, {STEPS} + {STEPS} steps": invert(Footage.of_one(photo), bundle, tuned).head,
        f"{len(VIEWS)} codes, {STEPS} + {STEPS} + {STEPS} steps": invert(
            Footage(views, views[[]], views[[]]), bundle, several, latents=True
        ).head,
    }


def renders(head: Head, cameras: Camera) -> list[Render]:
    return head.render_each(cameras, lambda render: render, SIZE, frames=False)


def edited(head: Head, direction: Direction) -> Head:
    """The head, moved by `STRENGTH`."""
    moved = displacement(direction, STRENGTH, head.generator.code_space)
    return dataclasses.replace(head, track=LatentTrack(head.track.codes + moved, head.track.yaws))


def sameness(before: list[Render], after: list[Render], cameras: Camera) -> float:
    """The mean cosine between an edit's difference picture from the front and those from the sides, warped there."""
    differences = [new.image_raw - old.image_raw for old, new in zip(before, after, strict=True)]
    front, unseen = YAWS.index(0.0), torch.full_like(before[0].image_raw, torch.nan)
    found = []
    for i in range(len(YAWS)):
        if i != front:
            shown = dataclasses.replace(before[front], image_raw=unseen)
            moved = warp(differences[i], before[i], cameras[i], shown, cameras[front])
            both = ~moved.isnan()
            found.append(float(torch.cosine_similarity(moved[both], differences[front][both], 0)))
    return statistics.mean(found)


def compare(
    name: str, before: list[Render], after: list[Render], cameras: Camera, reader: Reader, bundle: Bundle
) -> Figures:
    """What an edit called `name` changed, seen by `cameras`."""
    old, new = (torch.cat([render.image for render in each]) for each in (before, after))
    change = (reader(new) - reader(old)).mean(0)
    other = [i for i, each in enumerate(READ) if each != name]
    moved = []
    for a, b in zip(before, after, strict=True):
        same = (b.image - a.image).abs().mean(1, keepdim=True) < _SEEN
        inside = same & (a.alpha > 0.9) & (b.alpha > 0.9)
        moved.append(1000.0 * float((b.depth - a.depth).abs()[inside].mean()) if bool(inside.any()) else 0.0)
    return Figures(
        float(change[READ.index(name)]), float(change[other].abs().mean()),
        float(bundle.judge.similarity(new, old).mean()), statistics.mean(moved), sameness(before, after, cameras),
    )  # fmt: skip


def means(rows: Sequence[Figures]) -> list[float]:
    """AA, AD, AD at equal AA, ID, geometry and sameness."""
    altering, dependency, identity, geometry, same = (
        statistics.mean(getattr(row, field.name) for row in rows) for field in dataclasses.fields(Figures)
    )
    return [altering, dependency, dependency / altering, identity, geometry, same]


@torch.no_grad()
def edits_of(head: Head, reader: Reader) -> dict[tuple[str, str], Figures]:
    """Figures by space and edit."""
    yaws = torch.tensor(YAWS).deg2rad()
    cameras = head.camera(yaws, torch.zeros_like(yaws))
    before, found = renders(head, cameras), {}
    for space, source in zip(SPACES, (head, in_manifold(head, PREIM3D)), strict=True):
        assert source.bundle.directions is not None
        for name in EDITED:
            after = renders(edited(head, source.bundle.directions[name]), cameras)
            found[space, name] = compare(name, before, after, cameras, reader, head.bundle)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=len(SEEDS), help="Number of people.")
    options = parser.parse_args()
    bundle = load_bundle("demo")
    with torch.no_grad():
        reader, renderer = Reader(bundle), renderer_of(None)
    found: list[Row] = []
    consistency: list[tuple[float, float]] = []
    for seed in SEEDS[: options.people]:
        for name, head in inversions(seed, bundle, renderer).items():
            found += [Row(name, space, edit, figures) for (space, edit), figures in edits_of(head, reader).items()]
            if len(head.track) > 1:
                assert bundle.directions is not None
                after = edited(head, bundle.directions[EDITED[0]])
                consistency.append((depth_consistency(head, 6), depth_consistency(after, 6)))
        write(found, consistency)  # those that are there, if it is stopped


def write(found: Sequence[Row], consistency: Sequence[tuple[float, float]]) -> None:
    """Publish the means over the people so far."""
    header = ["AA", "AD", "AD/AA", "ID", "geometry", "sameness"]
    lines: dict[str, list[list[Any]]] = {}
    for title in ("inversion", "edit"):
        for name in dict.fromkeys(getattr(row, title) for row in found):
            for space in SPACES:
                own = [row.figures for row in found if getattr(row, title) == name and row.space == space]
                lines.setdefault(title, []).append([name, space, *means(own)])
    before, after = (statistics.mean(values) for values in zip(*consistency, strict=True))
    text = (
        f"{len(consistency)} people, edits of {STRENGTH:g} deviations ({', '.join(EDITED)}), yaws {', '.join(f'{yaw:g}' for yaw in YAWS)}; "
        f"{SIZE} pixels, by the generator alone. AD/AA compares at equal AA. Geometry in thousandths of a world unit (a head is about 300 wide).\n\n"
        + "\n\n".join(table([title, "directions", *header], lines[title]) for title in lines)
        + f"\n\nDepth consistency of {len(VIEWS)} codes, world units: {before:.5f} before, {after:.5f} after {EDITED[0]}={STRENGTH:+g}."
    )
    publish("edits", {"people": len(consistency), **lines, "depth_consistency": [before, after]}, text)


if __name__ == "__main__":
    main()
