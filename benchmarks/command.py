"""Time and memory of the main command, model loading included: `python benchmarks/command.py`."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import publish, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, default=Path("samples/headturn.mp4"))
    parser.add_argument("--keep", type=Path, help="Keep the output in this folder.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "inv3d", "video", str(options.clip)]
        out = options.keep or Path(folder, "head")
        start = time.perf_counter()
        subprocess.run(
            [*command, "--views", "9", "--latents", "--out", str(out)], check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - start
        run = json.loads((out / "run.json").read_text())
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows = [["whole command", seconds], *([name, value] for name, value in run["seconds"].items())]
    text = f"`inv3d video {options.clip} --views 9 --latents` on {run['device']}: {seconds:.0f} s, {memory / 1024:.1f} GB resident at most.\n\n"
    publish(
        "command",
        {"seconds": seconds, "peak_mb": memory, "stages": run["seconds"]},
        text + table(["stage", "seconds"], rows),
    )


if __name__ == "__main__":
    main()
