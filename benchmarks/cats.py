"""The model `cats` on drawn cats that no training has seen: `python benchmarks/cats.py`.

The generator from z and its encoder on photos, each compared with the exact picture inside the crop: PSNR, MS-SSIM, LPIPS (whose
weights it needs); the mean cat stands beside them. The aligner on the same photos, of up to 50 degrees of yaw.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from results import publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import Camera
from inv3d.core.cats.cat import CAT
from inv3d.core.cats.clip import CatTurn
from inv3d.core.encoders.inverter import load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.errors import InputError
from inv3d.core.helpers import LPIPS, load_perceptual
from inv3d.core.metrics.image import ms_ssim, psnr
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.export.pictures import to_array
from inv3d.video.photo import align_photo

SEEDS = range(700, 9999)
"""Of the cats, in order. Data of training has seeds from 10,000 on."""
FRAMES = (26, 40, 54, 68)
"""Of a turn of 101 frames: from 48 degrees on one side to 35 on the other."""


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--model", default="cats")
    count = parser.parse_args().count
    bundle, renderer = load_bundle(parser.parse_args().model), HeadRenderer(kind=CAT)
    inverter, size = load_inverter(bundle, PREIM3D), bundle.info.generator.resolution
    assert inverter is not None
    lpips = load_perceptual(LPIPS, torch.device("cpu"))
    rows: dict[str, list[tuple[float, ...]]] = {}
    errors: list[tuple[float, float]] = []

    def compare(name: str, codes: torch.Tensor, camera: Camera, target: torch.Tensor) -> None:
        made = bundle.generator(codes, camera).image.clamp(-1.0, 1.0)
        figures = (psnr(made, target), ms_ssim(made, target), lpips.distance(made, target))
        rows.setdefault(name, []).append(tuple(float(figure) for figure in figures))

    for i, seed in enumerate(SEEDS[:count]):
        turn = CatTurn(seed, frames=101, width=480, height=360, crop=240.0)
        frame = FRAMES[i % len(FRAMES)]
        target, camera = turn.render_aligned(renderer, frame, size).image, turn.aligned_camera(frame)
        z = torch.cat(turn.latents(frame), 1)
        mean = bundle.generator.code_space.repeat(bundle.mean_code[None])
        compare("from z", bundle.generator.mapping(z), camera, target)
        compare("mean cat", mean, camera, target)
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "cat.png"
            Image.fromarray(to_array(turn.render(renderer, frame).image[0])).save(photo)
            try:
                view = align_photo(photo, bundle).view
            except InputError:
                continue
        found = view.cameras
        errors.append((abs(math.degrees(float(found.yaw)) - math.degrees(turn.yaw(frame))),
                       abs(math.degrees(float(found.pitch)) - math.degrees(turn.pitch(frame)))))  # fmt: skip
        compare("one pass of the encoder", inverter(view, bundle).codes, found, view.images)
    means = {name: [sum(column) / len(column) for column in zip(*each, strict=True)] for name, each in rows.items()}
    yaw, pitch = (sorted(each)[len(errors) // 2] if errors else math.nan for each in zip(*errors, strict=True))
    result: dict[str, Any] = {"count": count, "means": means, "found": len(errors), "yaw": yaw, "pitch": pitch}
    shown = table(["of held-out cats", "PSNR", "MS-SSIM", "LPIPS"], [[name, *row] for name, row in means.items()])
    text = f"{shown}\n\nThe aligner finds {len(errors)} of {count}, with median errors of {yaw:.1f} degrees of yaw and {pitch:.1f} of pitch."
    publish("cats", result, text)


if __name__ == "__main__":
    main()
