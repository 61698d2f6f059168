"""How far heads turn in clips: `python benchmarks/turns.py [CLIP ...]`.

Of the sample clips and the six of `clips.py` the yaw of every frame is known: errors of what the aligner reads off each frame,
and of what is measured by points that are followed on the head (`inv3d/video/motion.py`). Of other clips, how far the head
turns by either.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from clips import CLIPS
from make_samples import CLIPS as SAMPLES
from numpy.typing import NDArray
from results import publish, table

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.counting import uncounted
from inv3d.core.turn import Turn
from inv3d.video.detect import faces_of
from inv3d.video.track import read


def errors(yaws: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and the largest error, in degrees."""
    off = np.abs(np.degrees(yaws - truth))
    return float(off.mean()), float(off.max())


def row(path: Path, turn: Turn | None, bundle: Bundle) -> dict[str, Any]:
    """Figures of a clip, whose `turn` may be known."""
    found, pictures = read(path, bundle.aligner, uncounted, faces_of(bundle), None)
    before = time.process_time()
    measured = found.measured(pictures)
    seconds = time.process_time() - before
    both = [np.array([frame.yaw for frame in each.frames]) for each in (found, measured)]
    ranges = [f"{math.degrees(each.min()):.0f}° to {math.degrees(each.max()):.0f}°" for each in both]
    figures: dict[str, Any] = {"clip": path.name, "read": ranges[0], "measured": ranges[1], "CPU seconds": seconds}
    if turn is not None:
        truth = np.array([turn.yaw(frame.index) for frame in found.frames])
        figures["true"] = f"{math.degrees(truth.min()):.0f}° to {math.degrees(truth.max()):.0f}°"
        figures["errors read"], figures["errors measured"] = (errors(each, truth) for each in both)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, help="Others, of which nothing is known.")
    parser.add_argument("--folder", type=Path, default=Path("runs/headturn/clips"), help="Where drawn clips are kept.")
    options = parser.parse_args()
    bundle = load_bundle("demo")
    known: list[tuple[Path, Turn]] = [(Path("samples", name), turn) for name, turn in SAMPLES.items()]
    known += [(clip.write(options.folder), clip.turn) for clip in CLIPS]
    rows = [row(path, turn, bundle) for path, turn in known] + [row(path, None, bundle) for path in options.clips]
    lines = []
    for figures in rows:
        off = [figures.get(name, (None, None)) for name in ("errors read", "errors measured")]
        lines.append([figures["clip"], figures.get("true"), figures["read"], figures["measured"],
                      off[0][0], off[1][0], off[0][1], off[1][1], figures["CPU seconds"]])  # fmt: skip
    header = ["clip", "yaws", "read", "measured", "mean error, read (°)", "measured (°)", "largest, read (°)", "measured (°)", "CPU seconds"]
    publish("turns", rows, table(header, lines))


if __name__ == "__main__":
    main()
