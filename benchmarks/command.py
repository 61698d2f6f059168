"""Time and memory of the main command by its stages, model loading included: `python benchmarks/command.py`.

The time of processors tells what a stage costs also where other programs share the machine. The estimate that the command
shows before it starts is made in this time, too, before the run and after it, and compared with what it took. Results with a
`--preset` other than `fast` are published under its name.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from reference import reference, sentence
from results import in_own_process, publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.inversion.settings import FAST, PRESETS
from inv3d.core.processors import limit_threads
from inv3d.estimate import trial_render, video_seconds
from inv3d.memory import keep_freed_memory, peak_memory_mb
from inv3d.pipeline import VideoJob, settings_for_several, video_to_head
from inv3d.places import find_material

BEFORE = {"track": "start", "W+": "cut, mattes, networks", "latents": "views that contradict, first render"}
"""What happens before the first step of a stage."""
NAMES = {"export head": "depths of frames, head", "export view": "page"}


class Stages:
    """A `Progress` that notes, for each stage, seconds and seconds of processors. The first step of a stage stands for what
    comes before it, too, by how much longer it takes than the others."""

    def __init__(self, aside: float = 0.0) -> None:
        """`aside` are seconds of processors of this process that do not count."""
        self.spent: dict[str, list[tuple[float, float]]] = {}
        self._last = (time.perf_counter() - time.process_time() + aside, aside)  # imports work alone

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        now = (time.perf_counter(), time.process_time())
        self.spent.setdefault(stage, []).append((now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    def table(self) -> dict[str, tuple[float, float]]:
        """Seconds, and seconds of processors, by stage."""
        found: dict[str, tuple[float, float]] = {}
        before = dict(BEFORE)
        if "latents" not in self.spent:
            before["tuning"] = before.pop("latents")
        for stage, steps in self.spent.items():
            wall, busy = (list(each) for each in zip(*steps, strict=True))
            for times in (wall, busy):
                if stage in before and len(times) > 1:
                    mean = sum(times[1:]) / (len(times) - 1)
                    times[0] = max(0.0, times[0] - mean)
                    times[1] += mean
            if stage in before:
                found[before[stage]] = (wall.pop(0), busy.pop(0))
            found[NAMES.get(stage, stage.removeprefix("export "))] = (sum(wall), sum(busy))
        return found


def measure(clip: Path, out: Path, preset: str) -> dict[str, Any]:
    """The stages of `inv3d video CLIP --views 9 --latents --preset PRESET`, the most memory in MB, and the estimates in seconds
    of processors: that of the whole, and what a trial render took."""
    keep_freed_memory()  # as the command does
    job = VideoJob(material=find_material([clip]), out=out, views=9, latents=True, settings=PRESETS[preset])

    def estimates() -> tuple[float, float]:
        return video_seconds(job, time.process_time), trial_render(load_bundle(job.model), job.device, time.process_time)

    imports = time.process_time()
    before = estimates()
    stages = Stages(aside=time.process_time() - imports)
    video_to_head(job, stages)
    found = {"stages": stages.table(), "memory_mb": peak_memory_mb(), "estimates": (before, estimates())}
    return {**found, "settings": dataclasses.asdict(settings_for_several(load_bundle(job.model), job.fit))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, default=Path("samples/headturn.mp4"))
    parser.add_argument("--preset", default=FAST.name, choices=list(PRESETS))
    parser.add_argument("--keep", type=Path, help="Keep the output in this folder.")
    parser.add_argument("--one", action="store_true", help="Measure in this process, and print JSON.")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.clip, options.keep, options.preset)))
        return
    limit_threads()  # of the process that is measured
    plain = reference(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        out = options.keep or Path(folder, "head")
        measured = in_own_process(__file__, "--one", "--clip", str(options.clip), "--keep", str(out), "--preset", options.preset)
        device = json.loads((out / "run.json").read_text())["device"]
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    found, memory = measured["stages"], measured["memory_mb"]
    whole, busy = (sum(each) for each in zip(*found.values(), strict=True))
    told = [each[0] for each in measured["estimates"]]
    text = (
        f"`inv3d video {options.clip} --views 9 --latents --preset {options.preset}` on {device}: {busy:.0f} s of processors in {whole:.0f} s, "
        f"{memory / 1024:.1f} GB resident at most, {size / 1e6:.0f} MB of output. Estimated: {told[0]:.0f} s of processors before the run, {told[1]:.0f} s after "
        f"it.\n\n"
    )
    rows = [[name, *times, f"{100 * times[1] / busy:.0f} %"] for name, times in found.items()]
    rows.append(["whole command", whole, busy, "100 %"])
    data = {"seconds": whole, "processor_seconds": busy, "peak_mb": memory, "output_bytes": size, "stages": found, "estimates": measured["estimates"], "settings": measured["settings"], "reference": plain}
    text += sentence(plain) + table(["stage", "seconds", "seconds of processors", "share"], rows)
    publish("command" if options.preset == FAST.name else f"command-{options.preset}", data, text)


if __name__ == "__main__":
    main()
