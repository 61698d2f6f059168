"""The README's picture of people who exchange traits: `python benchmarks/make_exchange.py docs/exchange.png HEAD HEAD HEAD`.

Heads are output folders, made for instance of the three sample clips by `inv3d video CLIP --latents --preset draft`. In each
row a person, and the same with the first one's hair, the third one's hair and glasses, and the first one's skin.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from inv3d.core.headfile import load_head
from inv3d.edited import Taking, changed
from inv3d.export.pictures import column, row, save_png

GIVEN = (("hair", 0), ("hair", 2), ("glasses", 2), ("skin", 0))
YAW, SIZE = 15.0, 192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("heads", type=Path, nargs=3)
    options = parser.parse_args()
    people = [load_head(folder / "head") for folder in options.heads]
    camera = people[0].camera(torch.tensor([YAW]).deg2rad(), torch.zeros(1))
    lines = []
    for i, person in enumerate(people):
        given = [
            person if giver == i else changed(person, (), takes=[Taking(trait, people[giver], options.heads[giver].name)])
            for trait, giver in GIVEN
        ]
        lines.append(row([each.render(camera, size=SIZE).image[0] for each in (person, *given)]))
    save_png(options.picture, column(lines))


if __name__ == "__main__":
    main()
