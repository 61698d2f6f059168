"""Renders the sample clips and photos again: `python benchmarks/make_samples.py samples`. Needs the extra `train`."""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.store import people_basis
from inv3d.video.write import write_mp4

CLIPS = {
    "headturn.mp4": PersonTurn(519, frames=100, width=960, height=540, crop=315.0),
    "headturn-glasses.mp4": PersonTurn(521, frames=100, width=960, height=540, crop=350.0, center=(0.55, 0.50)),
    "headturn-hat.mp4": PersonTurn(
        523, frames=100, width=960, height=540, crop=285.0, center=(0.47, 0.45), cluttered=True
    ),
}
PHOTOS = {
    "photo-glasses.jpg": (PersonTurn(515, width=640, height=800, crop=520.0, center=(0.5, 0.48)), 70),
    "photo-bald.jpg": (PersonTurn(512, width=640, height=800, crop=520.0, center=(0.47, 0.47)), 64),
    "photo-beard.jpg": (PersonTurn(504, width=800, height=800, crop=600.0, center=(0.52, 0.5)), 62),
}
"""A turn of which one frame is taken, and which."""


def still(turn: PersonTurn, frame: int, renderer: PeopleRenderer) -> NDArray[np.uint8]:
    """One frame as RGB."""
    image = turn.render(renderer, frame).image[0].permute(1, 2, 0)
    array: NDArray[np.uint8] = image.add(1.0).mul(127.5).round().clamp(0, 255).byte().numpy()
    return array


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    renderer = PeopleRenderer(people_basis())
    for name, (turn, frame) in PHOTOS.items():
        imageio.imwrite(options.folder / name, still(turn, frame, renderer), quality=92)
    for name, turn in CLIPS.items():
        frames = (still(turn, frame, renderer) for frame in range(turn.frames))
        write_mp4(options.folder / name, frames, fps=turn.fps, quality=23)


if __name__ == "__main__":
    main()
