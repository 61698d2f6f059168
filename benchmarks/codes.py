"""What one code for each view adds, where only the light or only the face changes: `python benchmarks/codes.py`.

Clips of drawn people of two kinds: in some the lamp stays in the room while the head turns and the face is still, in the
others the lamp turns along and the person talks. Each is fitted twice as `inv3d video` does, with one code and with nine,
with the same steps of W+ and of tuning, and measured at frames that were never used, by the generator alone. Finished rows
are kept in --folder. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from clips import TestClip
from detail import FIGURES, fitted
from results import means_of, publish, table_of

from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.metrics.judges import judges_for

SEEDS = (620, 621, 622)
KINDS = {"relit": functools.partial(TestClip, talking=0.0), "talking": functools.partial(TestClip, lamp="head")}


@dataclass(frozen=True)
class Row:
    """Fits with one code, or with one for each view."""

    name: str
    latents: bool


ROWS = (Row("one code", False), Row("nine codes", True))


def measured(clip: TestClip, row: Row, folder: Path) -> dict[str, Any]:
    """Figures of one clip."""
    seen, made = fitted(clip.write(folder / "clips"), "demo", row.latents)
    truth = made.footage.held_out
    images = made.head.render_each(truth.cameras, lambda render: render.image)
    judges = judges_for(seen.bundle, outside=False, device=torch.device("cpu"))
    figures = means(evaluate(truth, iter(images), seen.bundle, judges))
    assert figures is not None
    return {name: getattr(figures, name) for name in ("mse", *FIGURES) if name != "face_distance"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/codes"), help="Where clips and finished figures are kept.")
    parser.add_argument("--count", type=int, default=len(SEEDS), help="How many people of each kind.")
    options = parser.parse_args()
    measure = functools.partial(measured, folder=options.folder)
    data, parts = {}, []
    for kind, clip in KINDS.items():
        clips = {f"{kind}-{seed}": clip(f"{kind}-{seed}", seed) for seed in SEEDS[: options.count]}
        data[kind] = means_of(clips, ROWS, measure, options.folder)
        parts.append(table_of(f"{kind}, {len(clips)} clips", data[kind]))
    publish("codes", data, "Frames that were never used, model `demo`, preset `fast`, by the generator alone.\n\n" + "\n\n".join(parts))


if __name__ == "__main__":
    main()
