"""The README's picture from an output folder: `python benchmarks/make_picture.py samples/headturn-inv3d docs/headturn.png`.

Above the frames that were fitted, below renders of the head from the same sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from skimage.io import imread, imsave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    pairs = [imread(path) for path in sorted((options.output / "views").glob("*-pair.png"))][::2]
    columns = [np.concatenate(np.split(pair, 2, axis=1), axis=0) for pair in pairs]
    sheet = np.concatenate(columns, axis=1)
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    imsave(options.picture, sheet)


if __name__ == "__main__":
    main()
