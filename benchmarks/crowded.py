"""What other processes on the same cores cost: `python benchmarks/crowded.py`.

Times a search for heads and a small render with its gradient, alone and beside one busy process per core, with OpenMP's own
patience of idle threads and with inv3d's.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

from results import table

from inv3d.__main__ import SPINS

_WORK = """
import sys, time
from pathlib import Path
import torch
from inv3d.core.bundle import load_bundle
from inv3d.video.decode import frames
from inv3d.video.locate import search
bundle = load_bundle("demo")
image = next(iter(frames(Path(sys.argv[1])))).tensor()
code = bundle.generator.code_space.repeat(bundle.generator.mean_w[None]).requires_grad_()
def both():
    search(bundle.aligner, image)
    middle = time.perf_counter()
    bundle.generator(code, bundle.info.front, 64).image.square().mean().backward()
    return middle
both()
start = time.perf_counter()
middle = both()
print(middle - start, time.perf_counter() - middle)
"""
CLIP = Path(__file__).parents[1] / "samples" / "headturn.mp4"
REPEATS = 3


def burn() -> None:
    """Keeps a core busy."""
    while True:
        pass


def measure(spins: str | None) -> tuple[float, float]:
    """Seconds of a search and of a step, the best of a few processes."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if spins is not None:
        environment["GOMP_SPINCOUNT"] = spins
    times = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", _WORK, str(CLIP)], env=environment, capture_output=True, text=True, check=True
        )
        times.append(tuple(map(float, done.stdout.split())))
    return min(search for search, _ in times), min(step for _, step in times)


def main() -> None:
    rows = []
    for busy in (0, os.cpu_count() or 1):
        others = [multiprocessing.Process(target=burn, daemon=True) for _ in range(busy)]
        for other in others:
            other.start()
        for name, spins in (("OpenMP's own", None), (SPINS, SPINS)):
            search, step = measure(spins)
            rows.append([str(busy), name, f"{search:.2f} s", f"{step:.2f} s"])
        for other in others:
            other.kill()
    print(table(["busy processes", "GOMP_SPINCOUNT", "search", "step"], rows))


if __name__ == "__main__":
    main()
