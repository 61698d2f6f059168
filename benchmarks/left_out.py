"""Photos of one person, each predicted from the others: `python benchmarks/left_out.py PHOTO... [--preset NAME]`.

Every photo is left out once: a head is made of the others, as `inv3d video PHOTO... --latents` does, and shown from the
side that the aligner reads off the one left out. Prints the figures by the generator alone and with the photos' colours.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from detail import FIGURES
from results import publish, table

from inv3d.core.bending import bent
from inv3d.core.cutout import cut_out_named
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.inversion.invert import invert
from inv3d.core.inversion.settings import PRESETS
from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.metrics.judges import judges_for
from inv3d.core.world import OUTSIDE
from inv3d.pipeline import cut_footage, ready_bundle, settings_for, suited
from inv3d.video.material import Photographs
from inv3d.video.select import Selection


def rows_of(photos: tuple[Path, ...], model: str, preset: str) -> list[dict[str, Any]]:
    """Figures of every photo in which a head is found, predicted from the others."""
    cpu = torch.device("cpu")
    bundle = ready_bundle(model, AUTO, OWN, cpu)
    settings = settings_for(bundle, PRESETS[preset])
    material = Photographs(photos)
    found = sorted(material.track(bundle, None, lambda done, total: None).frames, key=lambda frame: frame.yaw)
    rows = []
    for left_out in found:
        others = tuple(frame for frame in found if frame is not left_out)
        footage = cut_footage(material, bundle, Selection(others, (), (left_out,)))
        seen = suited(bundle, AUTO, footage.targets)
        made = invert(footage.without_room(cut_out_named(AUTO, bundle)), seen.bundle, settings, latents=True)
        head, footage = bent(made.head, made.footage)
        head, truth = head.showing(footage.fitted), footage.held_out
        judges = judges_for(seen.bundle, seen.strangeness > OUTSIDE, cpu)
        for frames in (False, True):
            renders = head.render_each(truth.cameras, lambda render: render.image, frames=frames)
            figures = means(evaluate(truth, iter(renders), seen.bundle, judges))
            assert figures is not None
            nearest = min(abs(left_out.yaw - frame.yaw) for frame in others)
            rows.append(
                {"photo": photos[left_out.index].name, "yaw": math.degrees(left_out.yaw), "nearest": math.degrees(nearest),
                 "frames": frames, **asdict(figures)}
            )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--preset", default="fast", choices=PRESETS)
    options = parser.parse_args()
    rows = rows_of(tuple(options.photos), options.model, options.preset)
    lines = [
        [row["photo"], f"{row['yaw']:.0f}", f"{row['nearest']:.0f}", "photos" if row["frames"] else "generator",
         *(row[name] for name in FIGURES)]
        for row in rows
    ]  # fmt: skip
    header = ["left out", "yaw", "degrees to the nearest other", "colours of", *FIGURES.values()]
    publish("left_out", rows, f"Model `{options.model}`, preset `{options.preset}`.\n\n" + table(header, lines))


if __name__ == "__main__":
    main()
