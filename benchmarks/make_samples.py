"""Renders the sample clips: `python benchmarks/make_samples.py samples/headturn.mp4 --seed 503`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.video.write import write_mp4


def clip_frames(turn: HeadTurn, compiled: bool = True) -> Iterator[NDArray[np.uint8]]:
    """All frames of a clip as RGB arrays."""
    renderer = HeadRenderer(compiled)
    for frame in range(turn.frames):
        image = turn.render(renderer, frame).image[0].permute(1, 2, 0)
        yield image.add(1.0).mul(127.5).round().clamp(0, 255).byte().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=503)
    parser.add_argument("--frames", type=int, default=150)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(options.out, clip_frames(HeadTurn(options.seed, options.frames)), fps=30, quality=23)


if __name__ == "__main__":
    main()
