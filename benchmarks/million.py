"""What a million heads cost, from a batch that was measured: `python benchmarks/million.py heads/summary.csv`; without one, from
the main command on its clip (`results/command.json`).

Hours, storage and money grow in proportion to the number of clips: every head is made by a process of its own that shares
nothing with the others. The error given is that of the mean over the measured heads. Prices are parameters; their defaults
are round figures of large clouds.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import FOLDER, publish, table


@dataclass(frozen=True)
class Prices:
    """Dollars for an hour of a core or a GPU, and for a month of a gigabyte."""

    core_hour: float = 0.04
    gpu_hour: float = 2.5
    gigabyte_month: float = 0.023


@dataclass(frozen=True)
class Mean:
    """A mean and its standard error, infinite for a single value."""

    value: float
    error: float

    @staticmethod
    def of(values: Sequence[float]) -> Mean:
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
        return Mean(statistics.fmean(values), error)

    def times(self, factor: float) -> Mean:
        return Mean(self.value * factor, self.error * factor)

    def __str__(self) -> str:
        error = f" ± {self.error:.2g}" if math.isfinite(self.error) else ""
        return f"{self.value:.3g}{error}" if self.value < 1000 else f"{self.value:,.0f}" + (f" ± {self.error:,.0f}" if error else "")


@dataclass(frozen=True)
class Measured:
    """What was measured of one input on average: hours of a core or of a GPU, bytes of a head, the part of inputs that
    became heads, and the highest memory in gigabytes. Inputs that became none cost their time, too."""

    heads: int
    hours: Mean
    size: Mean
    usable: float
    memory: float
    on_gpu: bool


def of_the_command(told: dict[str, Any]) -> Measured:
    """What `benchmarks/command.py` has measured of its clip: a single head, so that nothing is known of others."""
    hours, size = (Mean.of([value]) for value in (told["processor_seconds"] / 3600, told["output_bytes"]))
    return Measured(1, hours, size, 1.0, told["peak_mb"] / 1024, on_gpu=False)


def measured(rows: Sequence[dict[str, str]]) -> Measured:
    """Raises ValueError if no head was measured. A core is taken at the seconds for which it worked: on a crowded machine a head
    takes longer. A GPU is paid for from start to end."""
    told = [row for row in rows if row["state"] in ("finished", "failed") and row["cpu_seconds"]]
    heads = [row for row in told if row["state"] == "finished"]
    if not heads:
        raise ValueError("no head was measured: summary.csv has no row of a finished head with its processor time")
    on_gpu = all(row["device"] == "cuda" for row in heads)
    seconds = [float(row["seconds"] if on_gpu else row["cpu_seconds"]) for row in told]
    return Measured(
        len(heads), Mean.of(seconds).times(1 / 3600), Mean.of([float(row["bytes"]) for row in heads]), len(heads) / len(told),
        max(float(row["peak_memory_mb"]) for row in heads) / 1024, on_gpu,
    )  # fmt: skip


def costs(of: Measured, clips: int, units: int, prices: Prices) -> list[list[str]]:
    """The rows of the table for so many `clips` on machines with so many cores or GPUs (`units`)."""
    hour = prices.gpu_hour if of.on_gpu else prices.core_hour
    hours, stored = of.hours.times(clips), of.size.times(clips * of.usable / 1e9)
    return [
        [f"{'GPU' if of.on_gpu else 'core'}-hours", str(hours)],
        [f"days on {units:,} {'GPUs' if of.on_gpu else 'cores'}", str(hours.times(1 / units / 24))],
        ["heads", f"{clips * of.usable:,.0f}"],
        ["GB of output", str(stored)],
        ["dollars for computing", str(hours.times(hour))],
        ["dollars a month for storage", str(stored.times(prices.gigabyte_month))],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summary", type=Path, nargs="?")
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=1000, help="Cores or GPUs that work at once.")
    parser.add_argument("--core-hour", type=float, default=Prices.core_hour)
    parser.add_argument("--gpu-hour", type=float, default=Prices.gpu_hour)
    parser.add_argument("--gigabyte-month", type=float, default=Prices.gigabyte_month)
    options = parser.parse_args()
    if options.summary is None:
        of = of_the_command(json.loads((FOLDER / "command.json").read_text(encoding="utf-8")))
    else:
        with options.summary.open(newline="", encoding="utf-8") as file:
            of = measured(list(csv.DictReader(file)))
    prices = Prices(options.core_hour, options.gpu_hour, options.gigabyte_month)
    thousand, all_of_them = (costs(of, clips, options.units, prices) for clips in (1000, options.clips))
    rows = [[name, small, large] for (name, small), (_, large) in zip(thousand, all_of_them, strict=True)]
    where = "a GPU" if of.on_gpu else "a core"
    text = (
        f"From {of.heads} measured head{'s' if of.heads > 1 else ''}, of {100 * of.usable:.0f} % of the inputs: {of.hours.times(3600)} s of {where} and "
        f"{of.size.times(1e-6)} MB each, at most {of.memory:.1f} GB of memory. {options.core_hour} dollars for an hour of a "
        f"core, {options.gpu_hour} of a GPU, {options.gigabyte_month} for a GB and month.\n\n"
    )
    text += table(["", "1,000 clips", f"{options.clips:,} clips"], rows)
    publish("million", {"measured": {"seconds": of.hours.times(3600).value, "bytes": of.size.value, "heads": of.heads}, "rows": rows}, text)


if __name__ == "__main__":
    main()
