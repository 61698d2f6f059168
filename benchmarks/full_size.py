"""The public FFHQ size (512 px, 128 x 128 rays, 96 samples) on this machine: `python benchmarks/full_size.py`.

Import of a checkpoint with random weights, a render, a W+ step and a tuning step of every preset: time and peak memory,
each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from problems import problem
from results import in_own_process, publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.device import choose_device
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.config import eg3d_ffhq
from inv3d.core.imports import Import, import_checkpoint
from inv3d.core.inversion.settings import PRESETS
from inv3d.core.inversion.stages import fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.memory import peak_memory_mb

LIMIT_GB = 8.0
CASES = ("import", "render", *(f"{stage} step, {name}" for name in PRESETS for stage in ("W+", "tuning")))


def measure(case: str, device: torch.device) -> dict[str, float]:
    if case == "import":
        start = time.perf_counter()
        import_checkpoint(Import(Path(os.environ["INV3D_HOME"], "x.pt"), "full", "ffhq", force=True))
        return {"seconds": time.perf_counter() - start, "memory_mb": peak_memory_mb()}
    bundle = load_bundle("full", device)
    code = bundle.generator.code_space.repeat(bundle.mean_code[None])
    start = time.perf_counter()
    if case == "render":
        with torch.no_grad():
            bundle.generator(code, bundle.info.front.to(device)).image.cpu()
    else:
        stage, name = case.split(" step, ")
        settings = replace(PRESETS[name], wplus_steps=1, tuning_steps=1)
        task = problem(bundle, 2, settings, device)
        if stage == "W+":
            fit_wplus(task)
        else:
            tune(task, LatentTrack(code, torch.zeros(1, device=device)))
    return {"seconds": time.perf_counter() - start, "memory_mb": peak_memory_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--one", metavar="CASE", help="Measure one case and print it as JSON.")
    options = parser.parse_args()
    device = choose_device(options.device).device
    if options.one:
        print(json.dumps(measure(options.one, device)))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["INV3D_HOME"] = folder
        torch.manual_seed(0)
        torch.save(TriplaneGenerator(eg3d_ffhq()).state_dict(), Path(folder, "x.pt"))
        results = {case: in_own_process(__file__, "--device", str(device), "--one", case) for case in CASES}
    rows = [[case, r["seconds"], r["memory_mb"] / 1024] for case, r in results.items()]
    highest = max(row[2] for row in rows)
    text = (
        f"Two views, random weights, {device.type}, {torch.get_num_threads()} threads. Highest peak: {highest:.2f} GB "
    )
    text += f"({'within' if highest <= LIMIT_GB else 'BEYOND'} {LIMIT_GB:.0f} GB).\n\n"
    publish("full_size", results, text + table(["", "seconds", "peak memory (GB)"], rows))


if __name__ == "__main__":
    main()
