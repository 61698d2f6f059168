"""Whether our way of a step costs quality: one row of Table 1 fitted our way and naively: `python benchmarks/naive.py`.

The same clip, views, losses, weights, rates and numbers of steps. Naively, every step renders every pixel of every view at
full size; our way, it looks at random pixels, and at one small whole view: of 48 px (preset fast), or while tuning of
192 px (preset fine). A fit of four times the steps shows that more steps are not what is missing. Two hours; finished
fits are kept in --folder.
"""

from __future__ import annotations

import argparse
import functools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from clips import CLIPS, TestClip
from headturn import METRICS, MULTI, Fits, Row, depth_error, exact_surface, judges, summary, surface_error
from reference import reference, sentence
from results import kept, publish, table

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.inversion.settings import FAST, FINE
from inv3d.core.metrics.evaluate import evaluate

NAIVE = replace(
    FAST, rays_per_view=None, views_per_step=None, between_per_step=None, whole_resolution=None, samples=None,
    depth_rays=None, depth_codes=None,
)  # fmt: skip
WAYS = {
    "naive": NAIVE,
    "fast": FAST,
    "fast, 4 times the steps": FAST.scaled(4),
    "fine": FINE,
}


def measure(way: str, views: int, clip: TestClip, folder: Path, bundle: Bundle) -> dict[str, Any]:
    """Quality of one fit over the whole turn, and its seconds."""
    fits = Fits(clip.write(folder / "clips"), bundle, WAYS[way], torch.device("cpu"), frames=180)
    start = time.perf_counter()
    head, prepared = fits.fit(Row(MULTI, f"{views} views", views))
    seconds = time.perf_counter() - start
    images = head.render_each(prepared.held_out.cameras, lambda render: render.image)
    frontal = min(fits.evenly(), key=lambda frame: abs(frame.yaw))
    return {
        **(summary(evaluate(prepared.held_out, images, bundle, judges(torch.device("cpu")))) or {}),
        "depth_error": depth_error(head, prepared.held_out, clip),
        "surface": surface_error(head, exact_surface(clip, frontal.index), clip)["mean"],
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/naive"), help="Where finished fits are kept.")
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--clip", default=CLIPS[0].name, choices=[clip.name for clip in CLIPS])
    options = parser.parse_args()
    clip = next(clip for clip in CLIPS if clip.name == options.clip)
    bundle, found = load_bundle("demo"), {}
    for way in WAYS:
        path = options.folder / f"{way.replace(' ', '-')}-{clip.name}-{options.views}.json"
        found[way] = kept(path, functools.partial(measure, way, options.views, clip, options.folder, bundle))
    metrics = [m for m in METRICS if all(result[m] is not None for result in found.values())]
    names = [*metrics, "depth_error", "surface", "seconds"]
    header = ["way", *(f"{METRICS[name]}_R" for name in metrics), "depth error %", "surface %", "seconds of the fit"]
    lines = [[way, *(result[name] for name in names)] for way, result in found.items()]
    text = f"{clip.name}, {options.views} views, one code, {FAST.wplus_steps} + {FAST.tuning_steps} steps; "
    plain = reference(torch.device("cpu"))
    text += "frames over the whole turn.\n\n" + sentence(plain) + table(header, lines)
    publish("naive", {"clip": clip.name, "views": options.views, "ways": found, "reference": plain}, text)


if __name__ == "__main__":
    main()
