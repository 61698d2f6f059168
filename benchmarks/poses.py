"""How well camera refinement mends wrong cameras: `python benchmarks/poses.py`.

Nine views of people that no training has seen (those of clips.py), or one, with exact cameras, with cameras turned by 2,
5 and 10 degrees about random axes, and with the aligner's own estimates. Angular error of the cameras before and after
the joint optimisation of code and cameras, with and without the warping loss.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import numpy as np
import torch
from clips import CLIPS
from inverting import angles, estimated, exact_views
from results import publish, table
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import Camera
from inv3d.core.device import choose_device
from inv3d.core.inversion.poses import correct
from inv3d.core.inversion.settings import FAST, FitSettings
from inv3d.core.inversion.stages import Problem, fit_wplus

DISTURBANCES = (0.0, 2.0, 5.0, 10.0)
FRAMES = (2, 38, 58, 75, 90, 105, 122, 142, 178)
"""Frames of a clip whose yaws are about evenly spaced."""


def turned(cameras: Camera, degrees: float, seed: int) -> Camera:
    """Cameras turned about random axes through the head by `degrees`."""
    axes = F.normalize(torch.randn(len(cameras), 3, generator=torch.Generator().manual_seed(seed)), dim=1)
    return correct(cameras, torch.cat([math.radians(degrees) * axes, torch.zeros(len(cameras), 3)], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--clips", default=",".join(clip.name for clip in CLIPS), help="Which clips, by name.")
    options = parser.parse_args()
    device = choose_device(options.device).device
    bundle = load_bundle("demo", device)
    base = replace(FAST, wplus_steps=FAST.wplus_steps + FAST.latent_steps)
    ways: dict[str, FitSettings] = {
        "joint": replace(base, warping=0.0),
        "joint and warping": replace(base, warping=0.3),
    }
    names = options.clips.split(",")
    rows: list[list[object]] = []
    data: list[dict[str, object]] = []
    size = bundle.info.generator.resolution
    for label, frames in (("9 views", FRAMES), ("1 view", FRAMES[3:4])):
        cases = [(clip, exact_views(clip.turn, clip.renderer(), frames, size)) for clip in CLIPS if clip.name in names]
        for disturbance in (*DISTURBANCES, None):
            before: list[Tensor] = []
            after: dict[str, list[Tensor]] = {name: [] for name in ways}
            for clip, views in cases:
                wrong = (
                    estimated(views, bundle) if disturbance is None
                    else replace(views, cameras=turned(views.cameras, disturbance, clip.seed))
                )  # fmt: skip
                before.append(angles(wrong.cameras, views.cameras))
                for name, settings in ways.items():
                    weighed = settings.weighing(bundle.perceptual_scale)
                    _, offsets, _ = fit_wplus(Problem(bundle, wrong.to(device), None, weighed, seed=0))
                    after[name].append(angles(correct(wrong.cameras, offsets.cpu()), views.cameras))
            shown = "aligner" if disturbance is None else f"{disturbance:.0f}"
            errors = [torch.cat(before), *(torch.cat(errors) for errors in after.values())]
            rows.append([label, shown, *(float(np.median(e.numpy())) for e in errors)])
            data.append(
                {"views": label, "disturbance": shown, **dict(zip(("before", *ways), rows[-1][2:], strict=True))}
            )
            print(rows[-1], flush=True)
    text = f"Median angular error of the cameras in degrees over the views of {', '.join(names)}.\n\n"
    publish("poses", data, text + table(["", "turned by (°)", "before", *(f"after: {name}" for name in ways)], rows))


if __name__ == "__main__":
    main()
