"""Kills the main command again and again, resumes it, and compares the head: `python benchmarks/unbroken.py`.

A run is killed (SIGKILL) once in every stage, at a random moment of it, resumed each time and brought to its end; then
the next run, until the given number of kills is reached. Every run must have made the same bytes as an unbroken one.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from results import publish, table

STAGES = ("track", "wplus", "latents", "tuned", "output")
"""In order; each but the last leaves a file of its name."""


def start(clip: Path, out: Path) -> subprocess.Popen[bytes]:
    quick = ["--views", "5", "--latents", "--effort", "0.2", "--out", str(out)]
    command = [sys.executable, "-m", "inv3d", "video", str(clip), *quick, "--resume"]
    # another number of threads, as more or fewer processors are free, would differ by rounding
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})


def unfinished(out: Path) -> int:
    """Index of the stage that is under way."""
    if out.exists():
        return len(STAGES)
    folder = out.with_name(out.name + ".partial") / "stages"
    names = {path.stem for path in folder.glob("*") if path.suffix in (".json", ".safetensors")}
    return next(i for i, stage in enumerate(STAGES) if stage not in names)


def durations(clip: Path, out: Path) -> list[float]:
    """Seconds of each stage of an unbroken run that writes `out`; loading counts to the first."""
    process, ends, begin = start(clip, out), list[float](), time.perf_counter()
    while len(ends) < len(STAGES):
        if unfinished(out) > len(ends):
            ends.append(time.perf_counter() - begin)
        elif process.poll():
            raise SystemExit("the unbroken run failed")
        else:
            time.sleep(0.02)
    process.wait()
    return [end - before for end, before in zip(ends, [0.0, *ends], strict=False)]


def kill_in(stage: int, seconds: float, clip: Path, out: Path, source: random.Random) -> bool:
    """Go on with the run at `out` and kill it in a stage; False if it was over before."""
    process = start(clip, out)
    while unfinished(out) < stage and process.poll() is None:
        time.sleep(0.02)
    time.sleep(source.uniform(0.0, seconds))
    alive = process.poll() is None
    process.kill()
    process.wait()
    return alive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, default=Path("samples/headturn.mp4"))
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    source = random.Random(0)
    killed: Counter[str] = Counter()
    ended = differing = 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        seconds = durations(options.clip, whole)
        expected = {path.name: path.read_bytes() for path in (whole / "head").iterdir()}
        while killed.total() < options.kills:
            out = Path(folder, f"broken{ended}")
            for stage, name in enumerate(STAGES):
                if killed.total() < options.kills and kill_in(stage, seconds[stage], options.clip, out, source):
                    killed[name] += 1
            if not out.exists():
                start(options.clip, out).wait()
            ended += 1
            found = {path.name: path.read_bytes() for path in (out / "head").iterdir()}
            differing += found != expected
    text = f"`inv3d video {options.clip}` killed {killed.total()} times and resumed: {ended} runs came to their end, {differing} of them\n"
    text += f"with other bytes in head/ than the unbroken run of {sum(seconds):.0f} s.\n\n"
    text += table(["killed during", "kills"], [[name, killed[name]] for name in STAGES])
    publish("unbroken", {"kills": dict(killed), "ended": ended, "differing": differing}, text)
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
