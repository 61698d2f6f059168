"""Renders the sample clips and photos again: `python benchmarks/make_samples.py samples`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.video.write import write_mp4

CLIPS = {
    "headturn.mp4": HeadTurn(513),
    "headturn-glasses.mp4": HeadTurn(512, frames=100, crop=470.0, center=(0.55, 0.50)),
    "headturn-hat.mp4": HeadTurn(514, frames=100, crop=380.0, center=(0.47, 0.45)),
}
PHOTOS = {
    "photo-glasses.jpg": (HeadTurn(509, width=640, height=800, crop=520.0, center=(0.5, 0.48)), 70),
    "photo-freckles.jpg": (HeadTurn(524, width=640, height=800, crop=460.0, center=(0.46, 0.45)), 86),
    "photo-beard.jpg": (HeadTurn(529, width=800, height=800, crop=600.0, center=(0.52, 0.5)), 62),
}
"""A turn of which one frame is taken, and which."""


def still(turn: HeadTurn, frame: int, renderer: HeadRenderer) -> NDArray[np.uint8]:
    """One frame as RGB."""
    image = turn.render(renderer, frame).image[0].permute(1, 2, 0)
    array: NDArray[np.uint8] = image.add(1.0).mul(127.5).round().clamp(0, 255).byte().numpy()
    return array


def clip_frames(turn: HeadTurn, compiled: bool = True) -> Iterator[NDArray[np.uint8]]:
    """All frames of a clip as RGB arrays."""
    renderer = HeadRenderer(compiled)
    for frame in range(turn.frames):
        yield still(turn, frame, renderer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, (turn, frame) in PHOTOS.items():
        imageio.imwrite(options.folder / name, still(turn, frame, HeadRenderer()), quality=92)
    for name, turn in CLIPS.items():
        write_mp4(options.folder / name, clip_frames(turn), fps=turn.fps, quality=23)


if __name__ == "__main__":
    main()
