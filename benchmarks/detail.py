"""What the frames' own colours add to a fitted head: `python benchmarks/detail.py [CLIP ...]`.

Fits every clip as `inv3d video --latents` does and prints the figures of 24 frames that were never used: as the generator
alone renders them, and with the colours of all 17 frames of the fit, of every second, and of every fourth.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from results import publish, table
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import common_start
from inv3d.core.generator import Render
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.inversion.invert import Inverted, invert
from inv3d.core.inversion.settings import FAST
from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.metrics.judges import judges_for
from inv3d.core.world import OUTSIDE
from inv3d.pipeline import Suited, cut_footage, ready_bundle, settings_for_several, suited
from inv3d.video.material import Recording

FIGURES = {
    "psnr": "PSNR",
    "ms_ssim": "MS-SSIM",
    "lpips": "LPIPS",
    "perceptual": "perceptual",
    "face_distance": "face distance",
}
CLEAR, RIM = 0.02, 3  # coverage of a matte's pixel that shows the room alone; pixels beside the head that are left out


def fitted(clip: Path, model: str, latents: bool = True) -> tuple[Suited, Inverted]:
    """A clip's head, without frames, and the footage that it was fitted to; with `latents` it has a code for each view."""
    cpu = torch.device("cpu")
    bundle = ready_bundle(model, AUTO, OWN, cpu)
    settings = settings_for_several(bundle, FAST)
    material = Recording.of(clip)
    track = material.track(bundle, None, lambda done, total: None)
    footage = cut_footage(material, bundle, material.select(track, 9, settings.output.held_out))
    seen = suited(bundle, AUTO, footage.targets)
    start = common_start(footage.targets, bundle) if settings.encoded else None
    footage = footage.without_room(cut_out_named(AUTO, bundle))
    return seen, invert(footage, seen.bundle, settings, start=start, latents=latents)


def spilt(render: Render, matte: Tensor) -> float:
    """The mean coverage of a render where a frame's `matte` [1,1,S,S] shows the room alone."""
    size = render.alpha.shape[-2:]
    nearby = F.max_pool2d(F.interpolate(matte, size, mode="area"), 2 * RIM + 1, 1, RIM)
    return float(render.alpha[nearby < CLEAR].mean())


def rows_of(clip: Path, model: str) -> list[dict[str, Any]]:
    """Means over unseen frames, by the frames that lend their colours."""
    seen, made = fitted(clip, model)
    head, footage = made.head, made.footage
    judges = judges_for(seen.bundle, seen.strangeness > OUTSIDE, torch.device("cpu"))
    start = time.perf_counter()
    shown = head.showing(footage.fitted)
    gathered = time.perf_counter() - start
    assert shown.lumigraph is not None
    alone = head.render_each(footage.held_out.cameras, lambda render: render, frames=False)
    order = sorted(range(len(shown.lumigraph)), key=lambda i: float(footage.fitted.cameras.yaw[i]))
    rows = []
    for step in (None, 1, 2, 4):
        kept = [] if step is None else order[::step]
        some = replace(shown, lumigraph=shown.lumigraph[kept])
        start = time.perf_counter()
        renders = some.with_frames(alone, footage.held_out.cameras)
        seconds = (time.perf_counter() - start) / len(renders)
        figures = means(evaluate(footage.held_out, (render.image for render in renders), seen.bundle, judges))
        assert figures is not None and footage.held_out.mattes is not None
        mattes = footage.held_out.mattes.split(1)
        outside = sum(spilt(render, matte) for render, matte in zip(renders, mattes, strict=True)) / len(renders)
        timed = {"seconds": seconds, "gathered": gathered}
        rows.append({"clip": clip.name, "frames": len(kept), **asdict(figures), "spilt": outside, **timed})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, default=[Path("samples/headturn.mp4")])
    parser.add_argument("--model", default="demo")
    options = parser.parse_args()
    rows = [row for clip in options.clips for row in rows_of(clip, options.model)]
    lines = [
        [row["clip"], row["frames"] or "none: the generator alone", *(row[name] for name in FIGURES), f"{row['spilt']:.2%}", row["seconds"]]
        for row in rows
    ]
    header = ["clip", "frames that lend colours", *FIGURES.values(), "coverage outside the matte", "seconds a picture"]
    text = f"Frames that were never used, model `{options.model}`, preset `fast`.\n\n" + table(header, lines)
    publish("detail", rows, text)


if __name__ == "__main__":
    main()
