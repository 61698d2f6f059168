"""Kills the main command again and again, resumes it, and compares the head: `python benchmarks/unbroken.py`.

A run is killed (SIGKILL) at a random moment of what it still has to do, resumed, killed again at another, until the
given number of kills is reached; every run that comes to its end must have made the same bytes as an unbroken one.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from results import publish, table


def command(clip: Path, out: Path) -> list[str]:
    quick = ["--views", "5", "--latents", "--effort", "0.2", "--out", str(out)]
    return [sys.executable, "-m", "inv3d", "video", str(clip), *quick, "--resume"]


def finished_stages(out: Path) -> str:
    """What the unfinished run has on disk."""
    stages = out.with_name(out.name + ".partial") / "stages"
    names = {path.stem for path in stages.glob("*") if path.suffix in (".json", ".safetensors")}
    order = ("track", "wplus", "latents", "tuned")
    return ([name for name in order if name in names] or ["nothing"])[-1]


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
        start = time.perf_counter()
        subprocess.run(command(options.clip, whole), check=True, stdout=subprocess.DEVNULL)
        unbroken = time.perf_counter() - start
        expected = {path.name: path.read_bytes() for path in (whole / "head").iterdir()}
        while killed.total() < options.kills or ended == 0:
            out = Path(folder, f"broken{ended}")
            while not out.exists():
                process = subprocess.Popen(command(options.clip, out), stdout=subprocess.DEVNULL)
                try:
                    process.wait(source.uniform(2.0, unbroken) if killed.total() < options.kills else None)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    killed[finished_stages(out)] += 1
            ended += 1
            found = {path.name: path.read_bytes() for path in (out / "head").iterdir()}
            differing += found != expected
    text = f"`inv3d video {options.clip}` killed {killed.total()} times and resumed: {ended} runs came to their end, {differing} of them\n"
    text += f"with other bytes in head/ than the unbroken run of {unbroken:.0f} s.\n\n"
    text += table(["last finished stage when killed", "kills"], [[name, count] for name, count in killed.items()])
    publish("unbroken", {"kills": dict(killed), "ended": ended, "differing": differing}, text)
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
