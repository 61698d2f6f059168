"""Where the time of a step of tuning and of a render goes, by kinds of kernels: `python benchmarks/kernels.py`.

Nine views and nine codes with the preset `fast`, of one thread; the time of kernels themselves, as PyTorch's profiler tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import torch
from inverting import CPU
from problems import problem
from results import publish, table
from torch.profiler import ProfilerActivity, profile

from inv3d.core.bundle import load_bundle
from inv3d.core.inversion.settings import FAST
from inv3d.core.inversion.stages import tune
from inv3d.core.latents import LatentTrack
from inv3d.memory import keep_freed_memory

STEPS, VIEWS = 12, 9
KINDS = {
    "convolutions: backbone and perceptual networks": ".*conv.*",
    "look-ups in planes": ".*grid_sampler_2d.*",
    "look-ups in the density grid": ".*grid_sampler_3d.*",
    "matrix products: decoder and styles": "mm|bmm|addmm|baddbmm|linear",
    "Adam": ".*adam.*",
    "copies, zeros and sums of gradients": "copy_|fill_|add_?|cat|zero_",
}
"""And what their names look like."""
REST = "everything else, number by number"


def kind_of(kernel: str) -> str:
    """To which of the kinds a kernel of PyTorch belongs."""
    name = kernel.removeprefix("aten::")
    return next((kind for kind, names in KINDS.items() if re.fullmatch(names, name)), REST)


def milliseconds(work: Callable[[], object], count: int) -> dict[str, float]:
    """What each kind takes of one part of the `work`, which is done twice."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        work()
    spent = dict.fromkeys((*KINDS, REST), 0.0)
    for event in seen.key_averages():
        spent[kind_of(event.key)] += event.self_cpu_time_total / 1000 / count
    return spent


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command does
    bundle = load_bundle("demo")
    task = problem(bundle, VIEWS, replace(FAST, tuning_steps=STEPS), CPU)
    generator = bundle.generator
    codes = generator.code_space.repeat(bundle.mean_code[None]).repeat(VIEWS, 1, 1)
    track = LatentTrack(codes, task.yaws)

    @torch.no_grad()
    def render() -> None:
        generator.render(generator.scene(codes[:1]), bundle.info.front, sparse=True)

    found = {"a step of tuning": milliseconds(lambda: tune(task, track), STEPS), "a render of 256 px": milliseconds(render, 1)}
    rows = [[kind, *(found[part][kind] for part in found)] for kind in (*KINDS, REST)]
    rows.append(["together", *(sum(spent.values()) for spent in found.values())])
    publish("kernels", found, "Milliseconds of one thread.\n\n" + table(["", *found], rows))


if __name__ == "__main__":
    main()
