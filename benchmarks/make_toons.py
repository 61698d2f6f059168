"""The README's picture of stylised heads: `python benchmarks/make_toons.py docs/toons.png`.

In each row a sample photo, the head that `inv3d image --refine 30 --tune 30` makes of it from three sides, half-way to a
stylised head, and wholly.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from make_photos import PEOPLE, head_of

from inv3d.core.bundle import load_bundle
from inv3d.core.encoders.inverter import load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.edited import changed
from inv3d.export.pictures import column, row, save_png
from inv3d.video.photo import align_photo

SIDES = (-40.0, 0.0, 40.0)
SIZE, STEPS = 144, 30


@dataclass(frozen=True)
class Toon:
    strength: float
    name: str = "toon"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    bundle = load_bundle("demo")
    inverter = load_inverter(bundle, PREIM3D)
    assert inverter is not None
    cameras = bundle.info.camera(torch.tensor(SIDES).deg2rad(), torch.zeros(len(SIDES)))
    lines = []
    for path in PEOPLE:
        aligned = align_photo(path, bundle)
        head = head_of(aligned.view, inverter(aligned.view, bundle), bundle, STEPS)
        pictures = [torch.nn.functional.interpolate(aligned.view.images, (SIZE, SIZE), mode="area")[0]]
        for one in (head, changed(head, [Toon(0.5)]), changed(head, [Toon(1.0)])):
            pictures += one.render_each(cameras, lambda render: render.image[0], SIZE)
        lines.append(row(pictures))
    save_png(options.picture, column(lines))


if __name__ == "__main__":
    main()
