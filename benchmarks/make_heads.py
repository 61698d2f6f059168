"""The README's picture of random heads: `python benchmarks/make_heads.py docs/heads.png`.

Above renders of the embedded model, below the same people as they are drawn for its training; needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import look_at
from inv3d.export.pictures import column, row, save_png
from inv3d.export.sheet import generator_sheet, people_sheet

SEEDS = list(range(16))
SIDES = (20.0, -60.0, 150.0)
PER_ROW = 8


def silent(done: int, total: int) -> None:
    """No progress."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    bundle = load_bundle("demo")
    rows = []
    for first in range(0, len(SEEDS), PER_ROW):
        ours, truth = [], []
        for i, seed in enumerate(SEEDS[first : first + PER_ROW]):
            yaw = torch.tensor([SIDES[i % len(SIDES)]]).deg2rad()
            camera = look_at(yaw, torch.zeros(1))
            ours += generator_sheet(bundle, [seed], camera, 160, 1.0, silent)
            truth += people_sheet([seed], camera, 160, silent)
        rows += [row(ours), row(truth)]
    save_png(options.picture, column(rows))


if __name__ == "__main__":
    main()
