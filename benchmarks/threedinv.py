"""Tables 1 and 2 of *3D GAN Inversion with Pose Optimization* on drawn people of known cameras: `python benchmarks/threedinv.py`.

Every method of `inv3d image --method`, with the aligner's camera kept and with the camera free; then the start of 3dinv: both
from networks (as in the first table), its code or its camera at random (to 30 degrees of yaw and 15 of pitch), and the exact
camera turned by 5, 10 and 20 degrees about a random axis, the last with the warping loss, too. MSE, LPIPS, MS-SSIM and ID
compare the photo with the render from the camera that was found; ID aside with renders from 30 degrees to the left and to the
right. ID is told by the judge, which no fit optimises; the losses take the model's own perceptual network, so that LPIPS,
where its weights are, is independent. The paper's Frechet distance compares renders from random sides with photos by features
of a network that comes from the internet, and takes thousands. Here features are the judge's, 64 numbers, and pictures those
of the same people, heads and exact, on grey, from the same 24 random cameras each: what a head shows rightly adds nothing to
the distance, however few they are, but it is no scale beyond this table. The error of the camera is the angle to the exact
one; within 3 degrees is the share of people whose camera ends so near. No training has seen these people. Figures that
--folder has are not made again. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clips import TestClip
from generator import SMALL, frechet
from inverting import CPU, angles, estimated, exact_views, inverted, shown_aside
from poses import turned
from results import Means, kept, means_of, publish, table_of
from torch import Tensor

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera
from inv3d.core.encoders.inverter import Start, load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.inversion.methods import FREE, GIVEN, METHODS, course_of
from inv3d.core.inversion.settings import FitSettings, preset_named
from inv3d.core.metrics.image import ms_ssim, mse
from inv3d.core.metrics.judges import judges_for
from inv3d.core.people.oddities import Oddities
from inv3d.core.views import Views

SEEDS = range(660, 672)
ODDITIES = (Oddities(paint=True), Oddities(birthmark=True, skew=0.015), Oddities(headband=True))
"""Every fourth person has one of them."""
YAW, PITCH = 30.0, 15.0
"""How far random cameras are turned, in degrees."""
NEAR = 3.0
"""Degrees from the exact camera that count as found."""
SIDES = 24
"""Random cameras of the Frechet distance, for each head."""
SEEN, FRECHET = "seen", "Frechet"
OURS = "3dinv"


@dataclass(frozen=True)
class Row:
    """A method and its start: the code where the method has it, or at random; the camera as the aligner reads it (None),
    turned by so many degrees from the exact one, or at random (NaN)."""

    name: str
    method: str = OURS
    camera: str = FREE
    warping: float | None = None
    random_code: bool = False
    turned: float | None = None


ROWS = tuple(Row(f"{name}, camera {camera}", name, camera) for camera in (FREE, GIVEN) for name in METHODS)
STARTS = (
    next(row for row in ROWS if (row.method, row.camera) == (OURS, FREE)),
    Row("neither (random code, random camera)", random_code=True, turned=math.nan),
    Row("aligner alone (random code)", random_code=True),
    Row("encoder alone (random camera)", turned=math.nan),
    *(Row(f"encoder, exact camera turned by {degrees:.0f}°", turned=degrees) for degrees in (5.0, 10.0, 20.0)),
    Row("the same with warping, 20°", turned=20.0, warping=1.0),
)


@functools.cache
def photo_of(seed: int, size: int) -> Views:
    """The aligned photo [1,3,size,size] of a drawn person, who looks within about 30 degrees of the camera, with its exact
    camera."""
    clip = odd_clip(seed)
    return exact_views(clip.turn, clip.renderer(), (65 + (7 * seed) % 50,), size)


def odd_clip(seed: int) -> TestClip:
    """The clip of a person, who may have an oddity."""
    return TestClip(f"person-{seed}", seed, ODDITIES[seed // 4 % len(ODDITIES)] if seed % 4 == 3 else None)


def camera_of(row: Row, view: Views, bundle: Bundle, seed: int) -> Camera:
    """The camera that a row starts with."""
    if row.turned is None:
        return estimated(view, bundle).cameras
    if not math.isnan(row.turned):
        return turned(view.cameras, row.turned, seed)
    return random_cameras(1, seed, bundle)


def random_cameras(count: int, seed: int, bundle: Bundle) -> Camera:
    """Cameras on random sides, as far as `YAW` and `PITCH`."""
    yaw, pitch = (2.0 * torch.rand(2, count, generator=torch.Generator().manual_seed(seed)) - 1.0).unbind(0)
    return bundle.info.camera((YAW * yaw).deg2rad(), (PITCH * pitch).deg2rad())


def seen_of(draw: Callable[[Camera], tuple[Tensor, Tensor]], seed: int, bundle: Bundle) -> list[list[float]]:
    """What the judge sees [SIDES,64] of a head from random sides, of which `draw` gives image [1,3,R,R] and coverage [1,1,R,R],
    on grey."""
    drawn = (draw(camera) for camera in map(random_cameras(SIDES, seed, bundle).__getitem__, range(SIDES)))
    features: list[list[float]] = torch.cat([bundle.judge(torch.where(alpha > 0.5, image, 0.0)) for image, alpha in drawn]).tolist()
    return features


@torch.no_grad()
def exactly_seen(seed: int, bundle: Bundle) -> dict[str, Any]:
    """The same of the person, as they look on the photo, by its name."""
    clip = odd_clip(seed)
    parameters, renderer = clip.turn.parameters(photo_of(seed, bundle.generator.resolution).frames[0]), clip.renderer()

    def draw(camera: Camera) -> tuple[Tensor, Tensor]:
        exact = renderer.render(parameters, camera, SMALL)
        return exact.image, exact.alpha.reshape(1, 1, SMALL, SMALL)

    return {SEEN: seen_of(draw, seed, bundle)}


def frechet_of(figures: list[dict[str, Any]], exact: list[dict[str, Any]]) -> dict[str, float]:
    """The Frechet distance of what the judge sees of some heads in their `figures` from what it sees of the people."""
    return {FRECHET: frechet(*(np.concatenate([each[SEEN] for each in one]) for one in (figures, exact)))}


def start_of(row: Row, view: Views, bundle: Bundle, encoder: str, seed: int) -> Start | None:
    """The code that a row starts with; None is the mean."""
    if row.random_code:
        z = torch.randn(1, bundle.generator.z_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return Start(bundle.generator.mapping(z, bundle.info.front.vector()))
    inverter = load_inverter(bundle, encoder)
    return None if inverter is None else inverter(view, bundle)


@torch.no_grad()
def measured(seed: int, row: Row, preset: str, bundle: Bundle) -> dict[str, Any]:
    """Figures of one person in one row."""
    view = photo_of(seed, bundle.generator.resolution)
    camera = camera_of(row, view, bundle, seed)
    course = course_of(preset_named(preset, CPU), row.method, row.camera, row.warping)
    return figures_of(view, camera, course.fit, lambda: start_of(row, view, bundle, course.encoder, seed), bundle, seed)


@torch.no_grad()
def figures_of(
    view: Views, camera: Camera, settings: FitSettings, start: Callable[[], Start | None], bundle: Bundle, seed: int
) -> dict[str, Any]:
    """Figures of one photo whose inversion begins at a `start`, seen by a `camera`."""
    made, seconds = inverted(replace(view, cameras=camera), settings, start, bundle, seed)
    target, found = made.footage.targets.images, made.footage.targets.cameras
    image, error = made.head.render(found).image, float(angles(found, view.cameras))
    aside = shown_aside(made.head, found)
    lpips = judges_for(bundle, False, CPU).lpips

    def draw(side: Camera) -> tuple[Tensor, Tensor]:
        render = made.head.render(side, SMALL)
        return render.image, render.alpha

    return {
        "MSE": float(mse(image, target)),
        "LPIPS": None if lpips is None else float(lpips.distance(image, target)),
        "perceptual": float(bundle.perceptual.distance(image, target)),
        "MS-SSIM": float(ms_ssim(image, target)),
        "ID": float(bundle.judge.similarity(image, target)),
        "ID aside": float(bundle.judge.similarity(aside, target.expand(2, -1, -1, -1)).mean()),
        "camera before (°)": float(angles(camera, view.cameras)),
        "camera after (°)": error,
        f"camera within {NEAR:.0f}°": float(error <= NEAR),
        "CPU seconds": seconds,
        SEEN: seen_of(draw, seed, bundle),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/threedinv"), help="Where finished figures are kept.")
    parser.add_argument("--count", type=int, default=len(SEEDS), help="How many people.")
    parser.add_argument("--preset", default="fast", help="Steps and rates.")
    parser.add_argument("--only", default="", help="Rows whose names contain this.")
    options = parser.parse_args()
    bundle = load_bundle("demo")
    people = {f"{options.preset}-{seed}": seed for seed in SEEDS[: options.count]}
    measure = functools.partial(measured, preset=options.preset, bundle=bundle)
    exact = [
        kept(options.folder / f"exact-{seed}.json", functools.partial(exactly_seen, seed, bundle)) for seed in people.values()
    ]
    parts: list[str] = []
    data: Means = {}
    for title, rows in (("Methods", ROWS), ("The start of 3dinv", STARTS)):
        chosen = [row for row in rows if options.only in row.name]
        found = means_of(people, chosen, measure, options.folder, functools.partial(frechet_of, exact=exact))
        data |= found
        if found:
            parts.append(table_of(title, found))
    head = f"Means of {len(people)} drawn people, preset {options.preset}; the encoder is {PREIM3D}."
    if options.only:
        print("\n\n".join([head, *parts]))  # not the whole
    else:
        publish("threedinv", {"count": len(people), "preset": options.preset, "rows": data}, "\n\n".join([head, *parts]))


if __name__ == "__main__":
    main()
