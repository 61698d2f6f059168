"""Many views against one, on clips of heads that no training has seen: `python benchmarks/headturn.py`.

Three clips (seeds below), rendered, compressed as H.264, then treated like any clip. Reported per clip: yaw error of
the tracker, PSNR and ID over frames never used in the fit, and the depth error against the exact surface, for nine
views with nine codes and for the frontal frame alone with the same number of steps.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_samples import clip_frames
from results import publish, table

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.device import choose_device
from inv3d.core.head import Head
from inv3d.core.inversion.settings import preset_for
from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.surface import WORLD_PER_HEAD_UNIT
from inv3d.core.views import Views
from inv3d.pipeline import invert, prepare
from inv3d.video.track import track
from inv3d.video.write import write_mp4

SEEDS = (520, 521, 522)


def turn_of(seed: int) -> HeadTurn:
    """The head is off centre and turns from -70 to 70 degrees."""
    return HeadTurn(seed, frames=100, width=960, height=540, crop=340.0, center=(0.6, 0.48))


@torch.no_grad()
def depth_error(head: Head, views: Views, turn: HeadTurn, renderer: HeadRenderer) -> float:
    """Median absolute depth error inside the head over `views`, in percent of the head's width."""
    errors = []
    for i in range(0, len(views), 2):
        exact = turn.render_aligned(renderer, views.frames[i], 128)
        depth = head.render(views.cameras[i], 128, superresolution=False).depth.cpu()
        width = 2 * float(Parameters(turn.parameters(views.frames[i])).head_width) * WORLD_PER_HEAD_UNIT
        errors.append(100 * (depth - exact.depth).abs()[exact.alpha > 0.99] / width)
    return float(torch.cat(errors).median())


def run_clip(seed: int, folder: Path, bundle: Bundle, device: torch.device, renderer: HeadRenderer) -> dict[str, Any]:
    turn, clip = turn_of(seed), folder / f"head{seed}.mp4"
    if not clip.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_mp4(clip, clip_frames(turn), turn.fps, quality=23)
    settings = preset_for(device)
    found = track(clip, bundle.aligner)
    yaw_errors = [abs(math.degrees(frame.yaw - turn.yaw(frame.index))) for frame in found.frames]
    many = prepare(clip, bundle, found, 9)
    single = dataclasses.replace(many, targets=many.targets[many.targets.frontal()], between=many.between[:0])
    alone = dataclasses.replace(settings, wplus_steps=settings.wplus_steps + settings.latent_steps)
    result: dict[str, Any] = {"seed": seed, "yaw_error_median": float(np.median(yaw_errors))}
    for name, prepared, chosen, latents in (("nine", many, settings, True), ("single", single, alone, False)):
        fitted = invert(prepared, bundle, chosen, latents, 0, device)
        held = fitted.prepared.held_out
        result[name] = {
            **means(evaluate(fitted.head, held)),
            "depth_error": depth_error(fitted.head, held, turn, renderer),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--clips", type=Path, default=Path("runs/benchmark-clips"), help="Where the rendered clips are kept."
    )
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device).device
    bundle, renderer = load_bundle("demo", device), HeadRenderer()
    results = [run_clip(seed, options.clips, bundle, device, renderer) for seed in SEEDS]
    rows: list[list[Any]] = []
    for r in results:
        for name, label in (("nine", "9 views, 9 codes"), ("single", "1 view")):
            m = r[name]
            rows.append(
                [
                    r["seed"],
                    label,
                    r["yaw_error_median"],
                    m["psnr"],
                    m["ms_ssim"],
                    m["perceptual"],
                    m["identity"],
                    m["depth_error"],
                ]
            )
    gain = float(np.mean([r["nine"]["psnr"] - r["single"]["psnr"] for r in results]))
    header = [
        "clip",
        "fit",
        "yaw error, median (°)",
        "PSNR",
        "MS-SSIM",
        "perceptual",
        "ID",
        "depth error (% of head width)",
    ]
    note = f"Frames never used in the fit; preset {preset_for(device).name} on {device.type}. "
    note += f"Nine views gain {gain:.1f} dB over one view with the same number of steps."
    publish("headturn", {"clips": results, "gain_db": gain}, note + "\n\n" + table(header, rows))


if __name__ == "__main__":
    main()
