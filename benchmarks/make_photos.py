"""The README's picture of heads from one photo: `python benchmarks/make_photos.py docs/photos.png`.

In each row a sample photo, what one pass of the encoder makes of it, from its own side and from others, and the same
after 100 steps on the code and 100 on the generator.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import Camera
from inv3d.core.encoders.store import PREIM3D, load_encoder
from inv3d.export.pictures import column, row, save_png
from inv3d.photos import PhotoJob, invert_photo, start_codes
from inv3d.video.photo import align_photo

SIDES = (-30.0, 0.0, 30.0)
SIZE = 160


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    bundle, encoder = load_bundle("demo"), load_encoder("demo", PREIM3D)
    lines = []
    for path in sorted(Path("samples").glob("photo-*.jpg")):
        aligned = align_photo(path, bundle)
        code = start_codes(aligned.image, bundle, encoder)
        pictures = [torch.nn.functional.interpolate(aligned.image, (SIZE, SIZE), mode="area")[0]]
        for job in (PhotoJob(), PhotoJob(refine=100, tune=100)):
            head, view = invert_photo(aligned, code, bundle, job)
            others = [bundle.info.camera(torch.tensor([math.radians(yaw)]), torch.zeros(1)) for yaw in SIDES]
            cameras: list[Camera] = [view.cameras, *others]
            pictures += [head.render(camera, SIZE).image[0] for camera in cameras]
        lines.append(row(pictures))
    save_png(options.picture, column(lines))


if __name__ == "__main__":
    main()
