"""A step of the paper's method done naively and done our way, time and peak memory: `python benchmarks/step.py`.

Nine views, nine codes, all three regularisers, in the tuning stage (the most expensive one). Naive: one generator call
per view, per in-between frame and per depth map, each whole, super-resolution included, as the public code does it. Ours:
the fast preset. Each case runs in a process of its own. The full EG3D size has random weights; there, on a CPU, the
naive step is measured on some of its calls and multiplied, for it is a loop of equal calls. Seconds on a CPU are those of
its processors.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
from collections.abc import Mapping
from dataclasses import replace

import torch
from problems import full_size_bundle, problem
from reference import clock, reference, sentence
from results import in_own_process, publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.device import choose_device
from inv3d.core.inversion.objective import Target, reconstruction
from inv3d.core.inversion.settings import FAST
from inv3d.core.inversion.stages import Problem, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views
from inv3d.memory import peak_memory_mb

VIEWS = 9


def _all_views(task: Problem) -> tuple[Views, torch.Tensor]:
    """Targets and frames in between, and how much each counts [V]."""
    lessons = task.lessons(True)
    weights = [lesson.weight / len(lesson.views) for lesson in lessons for _ in range(len(lesson.views))]
    return functools.reduce(Views.followed_by, (lesson.views for lesson in lessons)), torch.tensor(weights)


def naive_step(task: Problem, track: LatentTrack, calls: int | None) -> float:
    """Seconds of one step; of `calls` of its generator calls, scaled to all, if given."""
    generator = copy.deepcopy(task.bundle.generator).requires_grad_(True)
    optimizer = torch.optim.Adam(generator.parameters(), lr=3e-4)
    networks = (task.bundle.perceptual, task.bundle.identity)
    views, weights = _all_views(task)
    total = len(views) + len(track)
    todo = [("view", i) for i in range(len(views))] + [("depth", i) for i in range(len(track))]
    if calls is not None:
        todo = todo[: calls - 1] + todo[-1:]
    device = track.codes.device
    start = clock(device)
    stored = torch.zeros(())
    for kind, i in todo:
        if kind == "view":
            camera = views.cameras[i]
            image = generator(track.at(camera), camera, chunk=1 << 20).image
            target = Target.of(views.images[[i]], *networks)
            sum(reconstruction(image, target, weights[[i]], *networks, task.settings).values()).backward()  # type: ignore[union-attr]
        else:
            depth = generator(track.codes[[i]], views.cameras[0], chunk=1 << 20).depth
            (depth - stored.to(depth.device)).square().mean().backward()
            stored = depth.detach()
    optimizer.step()
    return (clock(device) - start) * total / len(todo)


def our_step(task: Problem, track: LatentTrack, steps: int) -> float:
    """Seconds of one step: the mean of some, without the first."""
    times: list[float] = []

    def note(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        times.append(clock(track.codes.device))

    tune(replace(task, settings=replace(task.settings, tuning_steps=steps)), track, note)
    return (times[-1] - times[0]) / (len(times) - 1)


def measure(size: str, way: str, device: torch.device) -> dict[str, float]:
    bundle = load_bundle("demo", device) if size == "demo" else full_size_bundle(device)
    task = problem(bundle, VIEWS, FAST, device)
    generator = bundle.generator
    random = torch.Generator().manual_seed(0)
    space = generator.code_space
    codes = generator.mean_w + 0.1 * torch.randn(VIEWS, space.num_ws, space.w_dim, generator=random).to(device)
    track = LatentTrack(codes, task.yaws)
    slow = device.type == "cpu" and size == "full"
    if way == "naive":
        seconds = naive_step(task, track, 2 if slow else None)
    else:
        seconds = our_step(task, track, 3 if slow else 12)
    memory = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else peak_memory_mb()
    return {"seconds": seconds, "memory_mb": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", default="demo,full")
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "WAY"), help="Measure one case and print it as JSON.")
    options = parser.parse_args()
    device = choose_device(options.device).device
    if options.one:
        size, way = options.one
        print(json.dumps(measure(size, way, device)))
        return
    results: dict[str, dict[str, float]] = {}
    rows = []
    for size in options.sizes.split(","):
        for way in ("naive", "ours"):
            results[f"{size} {way}"] = in_own_process(__file__, "--device", str(device), "--one", size, way)
        naive, ours = results[f"{size} naive"], results[f"{size} ours"]
        for way, case in (("naive", naive), ("ours", ours)):
            rows.append([size, way, case["seconds"], case["memory_mb"] / 1024, naive["seconds"] / case["seconds"]])
    text = f"One tuning step with {VIEWS} views, {VIEWS} codes and all three regularisers, on {device.type}.\n\n"
    plain = reference(device)
    publish("step", {**results, "reference": plain}, text + sentence(plain) + table(["size", "way", "seconds", "peak memory (GB)", "times faster"], rows))


if __name__ == "__main__":
    main()
