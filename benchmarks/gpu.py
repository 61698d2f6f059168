"""Everything worth measuring on a GPU, in ten minutes: `python benchmarks/gpu.py`.

Whether it agrees with the CPU; the field in kernels of its own beside the plain one; the time and the memory of a step of every
stage, our way, as CUDA graphs, and naively; where the host waits for the device; whether a fit with `--deterministic` repeats bit
by bit, with CUDA graphs, too, and what that costs; a whole run of the main command.
Parts that do not fit into `--minutes` are left out, and named. With `--tiny` the script runs through in seconds, on a CPU too,
which shows that it works and measures nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from problems import full_size_bundle, problem, tiny_bundle
from reference import finished, median_seconds, reference, sentence
from results import in_own_process, publish, table
from step import naive_step

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.device import choose_device
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.field import Decode, plainly_decoded
from inv3d.core.inversion.graphs import VARIABLE, recorder_on
from inv3d.core.inversion.settings import PRESETS, FitSettings
from inv3d.core.inversion.stages import Problem, fit_latents, fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.metrics.image import psnr
from inv3d.memory import peak_memory_mb
from inv3d.pipeline import VideoJob, video_to_head
from inv3d.video.material import Recording

CPU = torch.device("cpu")
STEPS = 16
POINTS = 1 << 20
"""At which the field is timed: two thirds of a view of EG3D's."""
STAGES = ("W+", "latents", "tuning")
NAMES = ("fast", "paper-fast", "paper")
MAKERS: dict[str, Callable[[torch.device], Bundle]] = {
    "tiny": tiny_bundle, "demo": lambda device: load_bundle("demo", device), "full size": full_size_bundle,
}  # fmt: skip
AIM_SECONDS, AIM_GB = 90.0, 12.0
"""Of a fit of nine views and nine codes at 512 pixels, on an H100."""


class Clock:
    """The minutes that are left, and what was left out for want of them."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + 60.0 * minutes
        self.left_out: list[str] = []

    def allows(self, part: str) -> bool:
        """Whether there is time for a part, which is noted otherwise."""
        if time.monotonic() < self.end:
            return True
        self.left_out.append(part)
        return False


def memory_mb(device: torch.device) -> float:
    """Peak memory of the device since the last call, or of this process on a CPU."""
    if device.type != "cuda":
        return float(peak_memory_mb())
    peak = torch.cuda.max_memory_allocated(device) / 2**20
    torch.cuda.reset_peak_memory_stats(device)
    return float(peak)


def codes_of(bundle: Bundle, count: int) -> torch.Tensor:
    """Codes [count,num_ws,w_dim] near the mean, the same on all devices."""
    space = bundle.generator.code_space
    noise = torch.randn(count, space.num_ws, space.w_dim, generator=torch.Generator().manual_seed(0))
    return bundle.generator.mean_w + 0.1 * noise.to(bundle.generator.device)


@torch.no_grad()
def agreement(own: Bundle, other: Bundle) -> dict[str, float]:
    """PSNR (dB) between renders of one head by two copies of a model, and the largest difference of their depths."""
    renders = []
    for bundle in (own, other):
        camera = bundle.info.camera(torch.tensor([0.4]), torch.tensor([0.1])).to(bundle.generator.device)
        renders.append(bundle.generator(codes_of(bundle, 1), camera))
    first, second = renders
    depths = (first.depth.cpu() - second.depth.cpu()).abs()
    return {"psnr": float(psnr(first.image.cpu(), second.image.cpu())), "depth": float(depths.max())}


def fields(bundle: Bundle, points: int, device: torch.device) -> dict[str, dict[str, float]]:
    """Seconds of the field at random places of one code, without gradients and with those of planes and decoder, and peak
    memory; the plain way, and in kernels of its own where the generator has them (see `inv3d.core.generator.fused`)."""
    generator = bundle.generator
    assert isinstance(generator, TriplaneGenerator)
    ways: dict[str, Decode] = {"plain": plainly_decoded}
    if generator.field.decode is not plainly_decoded:
        ways["kernels"] = generator.field.decode
    with torch.no_grad():
        planes = generator.planes(codes_of(bundle, 1)).features.requires_grad_()
    places = (2.0 * torch.rand(1, 3, points, 2, generator=torch.Generator().manual_seed(0)) - 1.0).to(device)
    decoder = copy.deepcopy(generator.decoder).requires_grad_()
    wanted = [planes, *decoder.parameters()]
    found = {}
    for way, decode in ways.items():

        def step(decode: Decode = decode) -> object:
            made = decode(planes, places, decoder)
            return torch.autograd.grad(made, wanted, [torch.ones_like(each) for each in made])

        memory_mb(device)
        with torch.no_grad():
            seconds = median_seconds(lambda decode=decode: decode(planes, places, decoder), device)  # type: ignore[misc]
        found[way] = {"forward": seconds, "with gradients": median_seconds(step, device), "memory_mb": memory_mb(device)}
    return found


def stages(task: Problem, device: torch.device) -> dict[str, dict[str, float]]:
    """Seconds of a step of each stage (the mean of the last quarter, as the first prepare), peak memory, and how often the host
    waits in a step."""
    times: dict[str, list[float]] = {}

    def note(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        finished(device)
        times.setdefault(stage, []).append(time.perf_counter())

    found: dict[str, dict[str, float]] = {}
    track = LatentTrack(codes_of(task.bundle, len(task.views)), task.yaws)
    runs = (lambda: fit_wplus(task, note), lambda: fit_latents(task, track.codes[:1], note), lambda: tune(task, track, note))
    for stage, run in zip(STAGES, runs, strict=True):
        memory_mb(device)
        waits = waited(device, run)
        steps = times[stage]
        counted = max(1, len(steps) // 4)
        found[stage] = {
            "seconds": (steps[-1] - steps[-1 - counted]) / counted, "memory_mb": memory_mb(device), "waits": waits / len(steps),
        }  # fmt: skip
    return found


def recorded(task: Problem, device: torch.device) -> tuple[dict[str, dict[str, float]], bool]:
    """The same with steps that the device repeats as CUDA graphs, and whether it does."""
    with mock.patch.dict(os.environ, {VARIABLE: "1"}):
        recorder = recorder_on(device)
        if recorder is not None:
            recorder.works = True  # whatever came before
        found = stages(task, device)
    return found, recorder is not None and recorder.works


def whole_fit(preset: FitSettings, found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Seconds of a fit by what a step of each stage takes, and its highest peak of memory."""
    steps = dict(zip(STAGES, (preset.wplus_steps, preset.latent_steps, preset.tuning_steps), strict=True))
    seconds = sum(steps[stage] * case["seconds"] for stage, case in found.items())
    return {"seconds": seconds, "memory_mb": max(case["memory_mb"] for case in found.values())}


def waited(device: torch.device, run: Any) -> int:
    """How often the host waits for the device during a `run`; 0 on a CPU."""
    if device.type != "cuda":
        run()
        return 0
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(each.message) for each in told)


def repeats(size: str, device: torch.device) -> dict[str, Any]:
    """Seconds of a tuning step whose sums have an order (the mean of some, without the first), peak memory, and whether two runs
    are equal bit by bit, and a third with CUDA graphs. In a process of its own, because cuBLAS must know before it starts."""
    bundle, settings = MAKERS[size](device), replace(PRESETS["fast"], tuning_steps=8)
    task = problem(bundle, 3, settings, device)
    track = LatentTrack(codes_of(bundle, 3), task.yaws)
    times: list[float] = []

    def note(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        finished(device)
        times.append(time.perf_counter())

    first, second = (dict(tune(task, track, note).state_dict()) for _ in range(2))
    memory = memory_mb(device)
    with mock.patch.dict(os.environ, {VARIABLE: "1"}):
        third = dict(tune(task, track, note).state_dict())
        recorder = recorder_on(device)
    equal, graphs = (all(torch.equal(value, other[name]) for name, value in first.items()) for other in (second, third))
    seconds = (times[7] - times[0]) / 7
    return {"seconds": seconds, "memory_mb": memory, "equal": equal, "graphs": graphs, "recorded": recorder is not None and recorder.works}


def whole_run(clip: Path, device: torch.device, settings: FitSettings) -> dict[str, Any]:
    """The main command on a clip: seconds of its stages, and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        material = Recording.of(clip)
        job = VideoJob(material=material, out=Path(folder, "head"), latents=True, settings=settings, device=device)
        memory_mb(device)
        start = time.perf_counter()
        run = video_to_head(job)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "memory_mb": memory_mb(device), "stages": run["seconds"], "means": run["means"]}


def measure(device: torch.device, tiny: bool, clock: Clock) -> tuple[dict[str, Any], str]:
    """All results, and their tables."""
    views, steps, points = (3, 2, POINTS >> 10) if tiny else (9, STEPS, POINTS)
    plain = reference(device)
    results: dict[str, Any] = {"device": str(device), "torch": torch.__version__, "reference": plain}
    text = [sentence(plain)]
    makers = {size: make for size, make in MAKERS.items() if (size == "tiny") == tiny}
    rows: list[list[Any]] = []
    fits: list[list[Any]] = []
    lookups: list[list[Any]] = []
    for size, make in makers.items():
        bundle = make(device)
        if clock.allows(f"{size}: agreement with the CPU"):
            same = results[f"{size}, agreement"] = agreement(bundle, make(CPU))
            text.append(f"{size}: renders agree with the CPU's to {same['psnr']:.0f} dB, depths to {same['depth']:.1e}.\n\n")
        if size != "demo" and clock.allows(f"{size}: the field"):  # the plain decoder alone has kernels of its own
            results[f"{size}, field"] = ways = fields(bundle, points, device)
            lookups += [[size, way, *(1000 * case[k] for k in ("forward", "with gradients")), case["memory_mb"] / 1024] for way, case in ways.items()]
        for name in NAMES:
            settings = replace(PRESETS[name], wplus_steps=steps, latent_steps=steps, tuning_steps=steps)
            if not clock.allows(f"{size}: steps of {name}"):
                continue
            task = problem(bundle, views, settings, device)
            found = results[f"{size}, {name}"] = stages(task, device)
            for stage, case in found.items():
                rows.append([size, name, stage, case["seconds"], case["memory_mb"] / 1024, case["waits"]])
            results[f"{size}, {name}, fit"] = fit = whole_fit(PRESETS[name], found)
            fits.append([size, name, fit["seconds"], fit["memory_mb"] / 1024])
            if device.type != "cuda" or not clock.allows(f"{size}: steps of {name} as CUDA graphs"):
                continue
            found, works = recorded(task, device)
            results[f"{size}, {name}, graphs"] = {**found, "works": works}
            way = f"{name}, {'CUDA graphs' if works else 'REFUSED as CUDA graphs'}"
            for stage, case in found.items():
                rows.append([size, way, stage, case["seconds"], case["memory_mb"] / 1024, case["waits"]])
            fit = whole_fit(PRESETS[name], found)
            fits.append([size, way, fit["seconds"], fit["memory_mb"] / 1024])
        if clock.allows(f"{size}: repeated runs"):
            case = results[f"{size}, repeats"] = in_own_process(__file__, "--device", str(device), "--repeats", size)
            rows.append([size, "fast, deterministic, 3 views", "tuning", case["seconds"], case["memory_mb"] / 1024, None])
            text.append(f"{size}: two runs with `--deterministic` are {'' if case['equal'] else 'NOT '}equal bit by bit.")
            if case["recorded"]:
                text.append(f" One with CUDA graphs is {'' if case['graphs'] else 'NOT '}equal to them, too.")
            text.append("\n\n")
        if clock.allows(f"{size}: a naive step"):
            task = problem(bundle, views, PRESETS["paper"], device)
            track = LatentTrack(codes_of(bundle, views), task.yaws)
            naive_step(task, track, 2)  # the first calls prepare kernels
            memory_mb(device)
            case = {"seconds": naive_step(task, track, 2 if tiny else None), "memory_mb": memory_mb(device)}
            results[f"{size}, naive"] = case
            rows.append([size, "naive", "tuning", case["seconds"], case["memory_mb"] / 1024, None])
            ours = {name: results[f"{size}, {name}"] for name in NAMES if f"{size}, {name}" in results}
            ratios = {name: case["seconds"] / own["tuning"]["seconds"] for name, own in ours.items()}
            results[f"{size}, times faster than naive"] = ratios
            told = ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
            text.append(f"{size}: a tuning step takes so many times less than a naive one, which works as the public code does: {told}.\n\n")
    text.append(table(["size", "way", "stage", "seconds a step", "peak memory (GB)", "waits a step"], rows) + "\n\n")
    text.append(f"The field at {points} points of one code, the plain way and in kernels of its own:\n\n")
    text.append(table(["size", "way", "ms", "ms with gradients", "peak memory (GB)"], lookups) + "\n\n")
    text.append(table(["size", "preset", "seconds of a fit, by its steps", "peak memory (GB)"], fits))
    text.append(f"\nThe aim at full size is {AIM_SECONDS:.0f} s and {AIM_GB:.0f} GB.\n\n")
    if not tiny:
        for name in NAMES:
            if clock.allows(f"the main command, {name}"):
                run = results[f"main command, {name}"] = whole_run(Path("samples/headturn.mp4"), device, PRESETS[name])
                text.append(
                    f"`inv3d video samples/headturn.mp4 --latents --preset {name}`: {run['seconds']:.0f} s, "
                    f"{run['memory_mb'] / 1024:.1f} GB.\n\n"
                )
    if clock.left_out:
        results["left out"] = clock.left_out
        text.append("Left out for want of time: " + "; ".join(clock.left_out) + ".\n")
    return results, "".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tiny", action="store_true", help="Run through with tiny sizes.")
    parser.add_argument("--repeats", metavar="SIZE", choices=list(MAKERS), help="Measure this alone, and print it as JSON.")
    options = parser.parse_args()
    if options.repeats:
        print(json.dumps(repeats(options.repeats, choose_device(options.device, deterministic=True).device)))
        return
    device = choose_device(options.device).device
    results, text = measure(device, options.tiny, Clock(options.minutes))
    publish("gpu-tiny" if options.tiny else "gpu", results, text)


if __name__ == "__main__":
    main()
