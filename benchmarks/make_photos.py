"""The README's picture of heads from one photo: `python benchmarks/make_photos.py docs/photos.png`.

In each row a sample photo, what one pass of the encoder makes of it, from three sides, and the same after 30 steps on the
code and 30 on the generator; all with the photo's colours, where it saw the head.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from inv3d.core.bending import bent
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import Start, load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.head import Head
from inv3d.core.helpers import AUTO
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.settings import FAST
from inv3d.core.views import Views
from inv3d.export.pictures import column, row, save_png
from inv3d.video.photo import align_photo

PEOPLE = tuple(Path("samples", f"photo-{name}.jpg") for name in ("bald", "beard", "glasses"))
"""The sample photos of people; the others are of things that other models know."""
SIDES = (-30.0, 0.0, 30.0)
SIZE = 160


def head_of(view: Views, start: Start, bundle: Bundle, steps: int) -> Head:
    """The head in an aligned photo, with its colours, after so many steps on the code and as many on the generator."""
    settings = replace(FAST, wplus_steps=steps, tuning_steps=steps)
    footage = Footage.of_one(view).without_room(cut_out_named(AUTO, bundle))
    made = invert(footage, bundle, settings, start=start)
    head, footage = bent(made.head, made.footage)
    return head.showing(footage.targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    bundle = load_bundle("demo")
    inverter = load_inverter(bundle, PREIM3D)
    assert inverter is not None
    lines = []
    for path in PEOPLE:
        aligned = align_photo(path, bundle)
        start = inverter(aligned.view, bundle)
        pictures = [torch.nn.functional.interpolate(aligned.view.images, (SIZE, SIZE), mode="area")[0]]
        for steps in (0, 30):
            head = head_of(aligned.view, start, bundle, steps)
            cameras = bundle.info.camera(torch.tensor(SIDES).deg2rad(), torch.zeros(len(SIDES)))
            pictures += head.render_each(cameras, lambda render: render.image[0], SIZE)
        lines.append(row(pictures))
    save_png(options.picture, column(lines))


if __name__ == "__main__":
    main()
