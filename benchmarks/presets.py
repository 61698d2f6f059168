"""What the presets for CPUs cost and give: `python benchmarks/presets.py [CLIP ...]`.

Runs the whole command `inv3d video CLIP --views 9 --latents --preset NAME` on every clip and prints processor time as a
ratio to `fast`. Then every preset makes its head again, to be measured by the same frames as all: those in which all of them
follow the head and that none of them uses. Finished rows are kept in --folder; with --presets the table has these rows and
those that are there. The presets of the paper take hours on a CPU: with --hours, the time of their fits is told from some steps
of every stage, beside that of fast, told in the same way.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from detail import FIGURES
from results import means_of, publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.counting import uncounted
from inv3d.core.inversion.settings import DRAFT, FAST, FINE, PAPER, PAPER_FAST, PRESETS, FitSettings
from inv3d.estimate import trial_fit
from inv3d.pipeline import VideoJob, settings_for_several, video_to_head
from inv3d.video.material import Recording
from inv3d.video.select import Selection, select
from inv3d.video.track import HeadTrack

VIEWS = 9
CLIPS = tuple(Path("samples", f"headturn{name}.mp4") for name in ("", "-hat", "-glasses"))


@dataclass(frozen=True)
class Row:
    """The runs with a preset."""

    name: str


ROWS = tuple(Row(preset.name) for preset in (FAST, DRAFT, FINE))
LONG = (PAPER_FAST, PAPER)


@dataclass(frozen=True)
class Watched(Recording):
    """A clip of which the frames with the numbers in `unused` are measured, whatever else is asked for."""

    unused: frozenset[int] = frozenset()

    def select(self, found: HeadTrack, views: int, held_out: int) -> Selection:
        kept = sorted((frame for frame in found.frames if frame.index in self.unused), key=lambda frame: frame.yaw)
        return replace(select(found, views, 0), held_out=tuple(kept))


@functools.cache
def watched(clip: Path) -> Watched:
    """The clip, and at most as many frames as `fast` measures, evenly over the turn, that no preset uses and all could."""
    bundle, recording = load_bundle("demo"), Recording.of(clip)
    rates = {PRESETS[row.name].frame_rate for row in ROWS}
    tracks = [recording.track(bundle, None, uncounted, rate) for rate in rates]
    followed = [{frame.index for frame in track.frames} for track in tracks]
    used = {frame.index for track in tracks for frame in select(track, VIEWS, 0).frames}
    numbers = set.intersection(*followed) - used
    ordered = sorted((frame for frame in tracks[0].frames if frame.index in numbers), key=lambda frame: frame.yaw)
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), FAST.output.held_out)).round().astype(int)
    return Watched(recording.path, recording.info, unused=frozenset(ordered[place].index for place in places))


def measured(clip: Path, row: Row) -> dict[str, Any]:
    """Figures of one clip with one preset, and the processor seconds of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = commanded(clip, ("--views", str(VIEWS), "--latents", "--preset", row.name), Path(folder, "head"))
        job = VideoJob(
            material=watched(clip), out=Path(folder, "again"), views=VIEWS, latents=True, settings=PRESETS[row.name]
        )
        means = video_to_head(job)["means"]["held_out"]
    return {"seconds": seconds} | {name: means[name] for name in FIGURES}


def commanded(clip: Path, options: Sequence[str], out: Path) -> tuple[float, dict[str, Any]]:
    """Runs `inv3d video CLIP` with some options into the folder `out`: the processor seconds that it used, and its metrics."""
    before = processor_seconds()
    subprocess.run(
        [sys.executable, "-m", "inv3d", "video", str(clip), *options, "--out", str(out)], check=True, stdout=subprocess.DEVNULL
    )
    seconds = processor_seconds() - before
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    return seconds, metrics


def told(preset: FitSettings) -> float:
    """Seconds of a fit with a preset, by some steps of every stage."""
    bundle = load_bundle("demo")
    return trial_fit(bundle, settings_for_several(bundle, preset), VIEWS, True)


def processor_seconds() -> float:
    """What the processes that this one started and that have ended used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, default=CLIPS)
    parser.add_argument("--folder", type=Path, default=Path("runs/presets"), help="Where finished figures are kept.")
    parser.add_argument("--presets", nargs="*", default=[row.name for row in ROWS], help="Which to run.")
    parser.add_argument("--hours", action="store_true", help="Also tell how long the presets of the paper take.")
    options = parser.parse_args()

    def wanted(clip: Path, row: Row) -> bool:
        return row.name in options.presets or (options.folder / f"{clip.stem}-{row.name}.json").exists()

    data: dict[str, Any] = {}
    lines = []
    for clip in options.clips:
        data[clip.name] = found = means_of(
            {clip.stem: clip}, [row for row in ROWS if wanted(clip, row)], measured, options.folder
        )
        base = found[FAST.name]["seconds"]
        lines += [
            [clip.name, name, row["seconds"] / base, *(row[figure] for figure in FIGURES)] for name, row in found.items()
        ]
    header = ["clip", "preset", "processor time, of that of fast", *FIGURES.values()]
    text = "Frames that no preset used, the same ones for all, model `demo`.\n\n" + table(header, lines)
    if options.hours:
        base = told(FAST)
        seconds = {preset.name: told(preset) for preset in LONG}
        data["told"] = {name: {"seconds": each, "times": each / base} for name, each in seconds.items()}
        times = [[name, each["times"], each["seconds"] / 3600.0] for name, each in data["told"].items()]
        text += "\n\nFits, by some steps of every stage; not run:\n\n"
        text += table(["preset", "times as long as a fit with fast", "hours"], times)
    publish("presets", data, text)


if __name__ == "__main__":
    main()
