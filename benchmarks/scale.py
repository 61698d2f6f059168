"""Cost and memory against the number of views, of codes and of pixels: `python benchmarks/scale.py`.

Steps of all three stages of the fast preset on the embedded model, each case in a process of its own, in seconds of
processors.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from problems import problem
from reference import clock
from results import in_own_process, publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.inversion.settings import FAST
from inv3d.core.inversion.stages import fit_latents, fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.memory import peak_memory_mb

STEPS = 8
CASES = {
    "views": (3, 5, 9, 17, 33),
    "codes": (1, 3, 5, 9, 17, 33),
    "rays per view": (100, 200, 400, 800, 1600),
}


def measure(what: str, value: int) -> dict[str, float]:
    """Seconds per step of the stages together, and peak memory; nine views unless views are what changes."""
    device = torch.device("cpu")
    bundle = load_bundle("demo", device)
    settings = replace(FAST, wplus_steps=STEPS, latent_steps=STEPS, tuning_steps=STEPS)
    if what == "rays per view":
        settings = replace(settings, rays_per_view=value)
    task = problem(bundle, value if what in ("views", "codes") and value > 1 else 9, settings, device)
    start = clock(device)
    code, *_ = fit_wplus(task)
    track = LatentTrack(code, torch.zeros(1))
    if (what == "codes" and value > 1) or what == "rays per view":
        track = fit_latents(task, code)
    tune(task, track)
    return {"seconds": (clock(device) - start) / STEPS, "memory_mb": peak_memory_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "VALUE"), help="Measure one case and print it as JSON.")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    results: dict[str, list[dict[str, float]]] = {}
    figure, axes = plt.subplots(1, len(CASES), figsize=(10, 3.2))
    rows = []
    for (what, values), axis in zip(CASES.items(), axes, strict=True):
        results[what] = []
        for value in values:
            case = in_own_process(__file__, "--one", what, str(value))
            results[what].append({"value": value, **case})
            rows.append([what, value, case["seconds"], case["memory_mb"]])
        axis.plot(values, [case["seconds"] for case in results[what]], "o-", color="#2b5d8a")
        axis.set_xlabel(what)
        axis.set_ylabel("seconds per step")
        axis.set_ylim(bottom=0)
        memory = axis.twinx()
        memory.plot(values, [case["memory_mb"] for case in results[what]], "s--", color="#c2452d")
        memory.set_ylabel("peak MB")
        memory.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(Path("docs/scale.svg"))
    text = f"{torch.get_num_threads()} threads; one step of each stage together. Codes: as many views as codes, and latents too.\n\n"
    publish("scale", results, text + table(["", "number", "seconds per step", "peak memory (MB)"], rows))


if __name__ == "__main__":
    main()
