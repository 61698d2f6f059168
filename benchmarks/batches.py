"""How `inv3d batch` grows with the number of clips and of processes: `python benchmarks/batches.py`.

Copies of a sample clip, one job after another and several at once, with the preset `draft`: seconds of the whole command, of
its processors, and clips an hour. The growth law is a line through the times of one job at a time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from presets import processor_seconds
from results import publish, table

CLIP = Path("samples/headturn.mp4")
CLIPS = (1, 2, 4)


def measured(clips: int, jobs: int) -> tuple[float, float]:
    """Seconds, and seconds of processors, of so many `clips` with so many `jobs` at a time."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "clips")
        inputs.mkdir()
        for number in range(clips):
            shutil.copy(CLIP, inputs / f"clip-{number}.mp4")
        command = [sys.executable, "-m", "inv3d", "batch", inputs, "--out", Path(folder, "heads"), "--preset", "draft", "--views", "5"]
        start, busy = time.perf_counter(), processor_seconds()
        subprocess.run([*map(str, command), "--jobs", str(jobs)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start, processor_seconds() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    cores = os.cpu_count() or 1
    most = CLIPS[-1]
    cases = [(clips, 1) for clips in CLIPS] + [(most, jobs) for jobs in sorted({cores, most}) if jobs > 1]
    data, rows = [], []
    for clips, jobs in cases:
        seconds, busy = measured(clips, jobs)
        data.append({"clips": clips, "jobs": jobs, "seconds": seconds, "processor_seconds": busy})
        rows.append([clips, jobs, seconds, busy, 3600 * clips / seconds])
    alone = [case for case in data if case["jobs"] == 1]
    each, once = np.polyfit([case["clips"] for case in alone], [case["seconds"] for case in alone], 1)
    law = f"{cores} cores. One at a time: {once:.0f} s and {each:.0f} s for each clip."
    header = ["clips", "jobs at a time", "seconds", "seconds of processors", "clips an hour"]
    publish("batches", data, law + "\n\n" + table(header, rows))


if __name__ == "__main__":
    main()
