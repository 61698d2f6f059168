"""How fast the parts of the embedded model are: `python benchmarks/speed.py`, on a machine with nothing else to do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from results import publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import look_at
from inv3d.core.crops import Crops
from inv3d.memory import peak_memory_mb
from inv3d.video.decode import Frame
from inv3d.video.locate import align, search
from inv3d.video.track import SEARCH_SIDE

REPEATS = 7


def median_seconds(work: Callable[[], object]) -> float:
    """Of some repetitions, after one that does not count."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@torch.no_grad()
def main() -> None:
    bundle = load_bundle("demo")
    generator = bundle.generator
    random = torch.Generator().manual_seed(0)
    codes = generator.mapping(torch.randn(1, generator.z_dim, generator=random))
    scene = generator.scene(codes, guide=generator.guide(codes))
    camera = look_at(torch.tensor([0.4]), torch.tensor([0.1]))
    pixels = torch.randint(0, 255, (SEARCH_SIDE, SEARCH_SIDE * 16 // 9, 3), generator=random, dtype=torch.uint8)
    frame = Frame(0, 0.0, pixels.numpy())
    crop = Crops(torch.tensor([[480.0, 270.0]]), torch.tensor([300.0]), torch.zeros(1))
    figures = {
        "scene of a head": median_seconds(lambda: generator.scene(codes)),
        "guide of a head": median_seconds(lambda: generator.guide(codes)),
        "render, 256 px": median_seconds(lambda: generator.render(scene, camera)),
        "render, 128 px": median_seconds(lambda: generator.render(scene, camera, 128)),
        "search in a 1080p frame": median_seconds(lambda: search(bundle.aligner, frame.tensor())),
        "follow a head to the next frame": median_seconds(lambda: align(bundle.aligner, frame.tensor(), crop, 2)),
    }
    text = f"{torch.get_num_threads()} threads, median of {REPEATS}; 1080p frames are searched at {SEARCH_SIDE} lines, to which the decoder\n"
    text += f"shrinks them. {peak_memory_mb()} MB resident at most.\n\n"
    rows = [[name, 1000 * seconds] for name, seconds in figures.items()]
    publish("speed", {**figures, "memory_mb": peak_memory_mb()}, text + table(["part", "milliseconds"], rows))


if __name__ == "__main__":
    main()
