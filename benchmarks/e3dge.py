"""Tables 1, 2 and 4 of *E3DGE* on drawn people that no training has seen, and on photographs: `python benchmarks/e3dge.py`.

Every row inverts one photo: an encoder's pass, with the camera (P) and then camera and code (P+C) optimised after it,
W+ optimisation or PTI. MAE, SSIM, LPIPS (where its weights are) and ID compare the photo with the render from the camera
that was found, and exact pictures of the person from 30 degrees to the left and to the right with renders from there
(aside), each inside the outline. ID is told by the judge, which no fit optimises. As in the NoW protocol, geometry is the
distance from points of the exact surface to the head's, after rigid alignment, in millimetres of a head 155 mm wide.
Photographs in `--photos FOLDER` have no truth aside and no exact surface; dlib's face distance is given of them where it is
installed. Renders are the generator's alone, without the photo's own colours. Figures that --folder has are not made again.
Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clips import TestClip
from headturn import exact_surface, surface_distances
from inverting import CPU, estimated, shown_aside, sides_of
from inverting import inverted as inverted_view
from numpy.typing import NDArray
from results import means_of, publish, table_of
from threedinv import SEEDS, odd_clip, photo_of
from torch import Tensor

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.encoders.inverter import Inverter, Start, load_inverter
from inv3d.core.encoders.kinds import E3DGE, NO_ENCODER, PREIM3D
from inv3d.core.head import Head
from inv3d.core.inversion.invert import Inverted
from inv3d.core.inversion.settings import FAST
from inv3d.core.metrics.image import ssim
from inv3d.core.metrics.judges import judges_for
from inv3d.core.views import Views
from inv3d.photos import align_photos
from inv3d.pipeline import suited
from inv3d.places import find_photos

POSE, CODE = 30, 60
"""Steps of P and C."""
PTI_STEPS = 450, 350
"""Of the pivot and of tuning in Roich et al. 2021, whose times the paper compares with."""
WIDTH_MM = 155.0
ROUNDS = 20
"""Of the rigid alignment."""
GREY = 0.0
NONE_BESIDE: Mapping[str, Inverter] = {}
"""No encoders beside the model's own."""


@dataclass(frozen=True)
class Row:
    """An encoder, whether its local detail counts, and the steps after it."""

    name: str
    encoder: str = NO_ENCODER
    detail: bool = True
    pose: int = 0
    code: int = 0
    tuning: int = 0


ROWS = (
    Row("PREIM3D", PREIM3D),
    Row("W+ optimisation", code=FAST.wplus_steps),
    Row("PTI", code=FAST.wplus_steps, tuning=FAST.tuning_steps),
    Row("PTI, as published", code=PTI_STEPS[0], tuning=PTI_STEPS[1]),
    Row("E3DGE, codes alone", E3DGE, detail=False),
    Row("E3DGE", E3DGE),
    Row("E3DGE + P", E3DGE, pose=POSE),
    Row("E3DGE + P + C", E3DGE, pose=POSE, code=CODE),
)


def inverted(
    row: Row, view: Views, bundle: Bundle, inverters: Mapping[str, Inverter] = NONE_BESIDE
) -> tuple[Inverted, float]:
    """The head of one photo and the seconds of one processor that it took. The row's encoder is one of the `inverters`, or the
    model's own."""
    settings = FAST.with_steps(row.pose, row.code, row.tuning)
    inverter = inverters.get(row.encoder) or load_inverter(bundle, row.encoder)

    def start() -> Start | None:
        found = None if inverter is None else inverter(view, bundle)
        return found if found is None or row.detail else replace(found, read_detail=None)

    return inverted_view(view, settings, start, bundle)


def likeness(
    image: Tensor, target: Tensor, outline: Tensor, bundle: Bundle, suffix: str = ""
) -> dict[str, float | None]:
    """MAE (of colours in [0,1]), SSIM, LPIPS and ID of pictures [B,3,R,R] inside an `outline` [B,1,R,R]: what lies behind a
    head is no matter of inversion."""
    image, target = (torch.where(outline, each, GREY) for each in (image, target))
    lpips = judges_for(bundle, False, CPU).lpips
    return {
        f"MAE{suffix}": float((image - target).abs().mean()) / 2,
        f"SSIM{suffix}": float(ssim(image, target).mean()),
        f"LPIPS{suffix}": None if lpips is None else float(lpips.distance(image, target).mean()),
        f"ID{suffix}": float(bundle.judge.similarity(image, target).mean()),
    }


def exact_aside(clip: TestClip, view: Views, bundle: Bundle) -> tuple[Tensor, Tensor]:
    """Exact pictures [2,3,R,R] of a person from 30 degrees to either side of the view, and where [2,1,R,R] they show the head."""
    parameters, size = clip.turn.parameters(view.frames[0]), view.images.shape[-1]
    drawn = [clip.renderer().render(parameters, side, size) for side in sides_of(view.cameras)]
    return torch.cat([one.image for one in drawn]), torch.cat([one.alpha.reshape(1, 1, size, size) for one in drawn]) > 0.5


def outline_of(view: Views) -> Tensor:
    """Where [B,1,R,R] the matte of a view shows the head."""
    assert view.mattes is not None
    return view.mattes > 0.5


def geometry(head: Head, surface: NDArray[np.float32], clip: TestClip) -> dict[str, float]:
    """Distances (mm) from points [N,3] of the exact surface to that of the head, after rigid alignment."""
    distance = WIDTH_MM * surface_distances(head, surface, clip, ROUNDS)
    return {"median mm": float(np.median(distance)), "mean mm": float(distance.mean()), "std mm": float(distance.std())}


@functools.cache
def truth_of(seed: int, bundle: Bundle) -> tuple[tuple[Tensor, Tensor], NDArray[np.float32]]:
    """What is known of a drawn person, once for all rows: pictures aside and outlines, as `exact_aside` gives them, and points
    [N,3] of the exact surface."""
    clip, view = odd_clip(seed), photo_of(seed, bundle.generator.resolution)
    return exact_aside(clip, view, bundle), exact_surface(clip, view.frames[0])


@torch.no_grad()
def of_person(seed: int, row: Row, bundle: Bundle, inverters: Mapping[str, Inverter] = NONE_BESIDE) -> dict[str, Any]:
    """Figures of a drawn person in one row."""
    clip, view = odd_clip(seed), photo_of(seed, bundle.generator.resolution)
    with torch.enable_grad():
        made, seconds = inverted(row, estimated(view, bundle), bundle, inverters)
    found, (aside, surface) = made.footage.targets, truth_of(seed, bundle)
    return {
        **likeness(made.head.render(found.cameras).image, found.images, outline_of(found), bundle),
        **likeness(shown_aside(made.head, found.cameras), *aside, bundle, " aside"),
        **geometry(made.head, surface, clip),
        "CPU seconds": seconds,
    }


@torch.no_grad()
def of_photograph(view: Views, row: Row, bundle: Bundle) -> dict[str, Any]:
    """Figures of a photograph in one row."""
    fitted = suited(bundle, "auto", view).bundle
    with torch.enable_grad():
        made, seconds = inverted(row, view, fitted)
    found = made.footage.targets
    image, judges = made.head.render(found.cameras).image, judges_for(bundle, True, CPU)
    measured = likeness(image, found.images, outline_of(found), bundle)
    del measured["ID"]  # the judge knows no photographs
    compared = None if judges.faces is None else judges.faces.compare(judges.faces.describe(found.images), image).distance
    return {**measured, "dlib": compared, "CPU seconds": seconds}


def aligned(folder: Path, bundle: Bundle) -> dict[str, Views]:
    """The photographs of a folder in which a head is found, by name."""
    report = functools.partial(print, file=sys.stderr)
    found = {path.stem: align_photos([path], bundle, report) for path in find_photos([folder])}
    return {name: view for name, view in found.items() if view is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/e3dge"), help="Where finished figures are kept.")
    parser.add_argument("--count", type=int, default=len(SEEDS), help="How many people.")
    parser.add_argument("--photos", type=Path, help="A folder of photographs.")
    parser.add_argument("--model", default="demo", help="Which model.")
    options = parser.parse_args()
    bundle = load_bundle(options.model)
    people = {str(seed): seed for seed in SEEDS[: options.count]}
    of_people, of_photographs = (functools.partial(each, bundle=bundle) for each in (of_person, of_photograph))
    groups = {f"{len(people)} drawn people": means_of(people, ROWS, of_people, options.folder)}
    if options.photos is not None:
        photographs = aligned(options.photos, bundle)
        groups[f"{len(photographs)} photographs"] = means_of(photographs, ROWS, of_photographs, options.folder)
    parts = [table_of(title, rows) for title, rows in groups.items()]
    publish("e3dge", groups, f"Means; P {POSE} steps, C {CODE} steps.\n\n" + "\n\n".join(parts))


if __name__ == "__main__":
    main()
