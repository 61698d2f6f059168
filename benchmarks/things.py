"""A model of things on drawn ones that no training has seen: `python benchmarks/things.py --model cats`, or chairs.

The generator from z (also from behind) and its encoder on exact crops, each compared with the exact picture: PSNR, MS-SSIM, LPIPS
(whose weights it needs). The aligner on photos of the same things, of up to 50 degrees of yaw, and the encoder on what it cuts out,
compared with that; every second chair stands before clutter, which no code can show. The mean code stands beside both.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from drawn import CLUTTERED, TURNS, photo
from inverting import exact_views
from PIL import Image
from results import publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import Camera, look_at
from inv3d.core.encoders.inverter import load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.errors import InputError
from inv3d.core.helpers import LPIPS, load_perceptual
from inv3d.core.metrics.image import ms_ssim, psnr
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.views import to_array
from inv3d.video.photo import align_photo

SEEDS = range(700, 9999)
"""Of the things, in order. Data of training has seeds from 10,000 on."""
FRAMES = (26, 40, 54, 68)
"""Of a turn of 101 frames: from 48 degrees on one side to 35 on the other."""
PHOTO: dict[str, Any] = {"frames": 101, "width": 480, "height": 360, "crop": 240.0}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--model", default="cats", choices=TURNS)
    options = parser.parse_args()
    count, name = options.count, options.model
    bundle, renderer = load_bundle(name), HeadRenderer(kind=TURNS[name].kind)
    inverter, size = load_inverter(bundle, PREIM3D), bundle.info.generator.resolution
    assert inverter is not None
    lpips = load_perceptual(LPIPS, torch.device("cpu"))
    rows: dict[str, list[tuple[float, ...]]] = {}
    errors: list[tuple[float, float]] = []

    def compare(row: str, codes: torch.Tensor, camera: Camera, target: torch.Tensor) -> None:
        made = bundle.generator(codes, camera).image.clamp(-1.0, 1.0)
        figures = (psnr(made, target), ms_ssim(made, target), lpips.distance(made, target))
        rows.setdefault(row, []).append(tuple(float(figure) for figure in figures))

    for i, seed in enumerate(SEEDS[:count]):
        turn = TURNS[name](seed, **PHOTO)
        frame = FRAMES[i % len(FRAMES)]
        exact = exact_views(turn, renderer, (frame,), size)
        target, camera = exact.images, exact.cameras
        z = torch.cat(turn.latents(frame), 1)
        mean = bundle.generator.code_space.repeat(bundle.mean_code[None])
        compare("from z", bundle.generator.mapping(z), camera, target)
        behind = look_at(torch.tensor([turn.yaw(frame) + math.pi]), torch.tensor([turn.pitch(frame)]))
        back = renderer.render(turn.parameters(frame), behind, size).image
        compare("from z, from behind", bundle.generator.mapping(z), behind, back)
        compare("mean code", mean, camera, target)
        compare("one pass of the encoder", inverter(exact, bundle).codes, camera, target)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo.png"
            image = photo(turn, frame, cluttered=name in CLUTTERED and i % 2 == 1)
            Image.fromarray(to_array(image[0])).save(path)
            try:
                view = align_photo(path, bundle).view
            except InputError:
                continue
        found = view.cameras
        errors.append((abs(math.degrees(float(found.yaw)) - math.degrees(turn.yaw(frame))),
                       abs(math.degrees(float(found.pitch)) - math.degrees(turn.pitch(frame)))))  # fmt: skip
        compare("mean code, on photos", mean, found, view.images)
        compare("one pass of the encoder, on photos", inverter(view, bundle).codes, found, view.images)
    means = {row: [sum(column) / len(column) for column in zip(*each, strict=True)] for row, each in rows.items()}
    yaw, pitch = (sorted(each)[len(errors) // 2] if errors else math.nan for each in zip(*errors, strict=True))
    result: dict[str, Any] = {"count": count, "means": means, "found": len(errors), "yaw": yaw, "pitch": pitch}
    shown = table([f"of held-out {name}", "PSNR", "MS-SSIM", "LPIPS"], [[row, *figures] for row, figures in means.items()])
    text = f"{shown}\n\nThe aligner finds {len(errors)} of {count}, with median errors of {yaw:.1f} degrees of yaw and {pitch:.1f} of pitch."
    publish(name, result, text)


if __name__ == "__main__":
    main()
