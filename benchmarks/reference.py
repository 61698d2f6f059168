"""A plain workload of fixed size, timed beside what is measured: machines differ, ratios to it differ less."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

REPEATS = 7
_SIDE = 1024
_PLANE, _CHANNELS, _POINTS = 256, 32, 1 << 16


def clock(device: torch.device) -> float:
    """Seconds: of processors where they do the work, which other programs on the machine change less; a GPU's after it has
    finished."""
    if device.type == "cpu":
        return time.process_time()
    finished(device)
    return time.perf_counter()


def finished(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_seconds(work: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> float:
    """Of some repetitions, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        finished(device)
        start = time.perf_counter()
        work()
        finished(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@torch.no_grad()
def reference(device: torch.device) -> dict[str, float]:
    """Seconds of a product of two matrices [1024,1024], and of 65,536 bilinear samples of a plane [32,256,256]."""
    random = torch.Generator().manual_seed(0)
    a, b = (torch.randn(_SIDE, _SIDE, generator=random).to(device) for _ in range(2))
    plane = torch.randn(1, _CHANNELS, _PLANE, _PLANE, generator=random).to(device)
    places = (torch.rand(1, 1, _POINTS, 2, generator=random) * 2 - 1).to(device)
    return {
        "matrix product": median_seconds(lambda: a @ b, device),
        "grid sample": median_seconds(lambda: F.grid_sample(plane, places, align_corners=False), device),
    }


def sentence(found: dict[str, float]) -> str:
    """What the workload took, for a table's text."""
    product, sample = (1000 * found[name] for name in ("matrix product", "grid sample"))
    return (
        f"Plain workload beside it: a matrix product of 1024 x 1024 in {product:.1f} ms, 65,536 bilinear samples of 32 "
        f"channels in {sample:.1f} ms.\n\n"
    )
