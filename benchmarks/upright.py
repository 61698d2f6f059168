"""Heads in photos that lie on their side or upside down, and pictures without a head: `python benchmarks/upright.py`.

Photos are scenes of `networks.py`, smaller and at other seeds: one head of 15 to 90 % of the height on clutter.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from unittest import mock

import networks
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from results import publish, table
from torch import Tensor

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.video import locate
from inv3d.video.photo import find_heads

SEED = 977
FRAME = (270, 480)
NAMES = ("upright", "turned by 90°", "by 180°", "by 270°")


@dataclass
class Count:
    """What became of the photos of one turn; `seconds` of the search."""

    right: int = 0
    wrong: int = 0
    several: int = 0
    missed: int = 0
    seconds: float = 0.0


def heads(bundle: Bundle, photos: int) -> tuple[list[Count], float]:
    """Counts of the four turns, and the seconds that upright photos take where no other turn is thought of."""
    random, source = torch.Generator().manual_seed(SEED), networks.Heads(bundle)
    counts, plain = [Count() for _ in NAMES], 0.0
    for _ in range(photos):
        picture, truth, _, _ = networks.scene(random, source)
        height, width = FRAME
        x, y = truth.center[0].tolist()
        for quarters, count in enumerate(counts):
            start = time.perf_counter()
            found = find_heads(bundle, picture.rot90(quarters, (1, 2)).contiguous())
            count.seconds += time.perf_counter() - start
            place = ((x, y), (y, width - x), (width - x, height - y), (height - y, x))[quarters]
            if not len(found):
                count.missed += 1
            elif len(found) > 1:
                count.several += 1
            elif math.dist(found.crops.center[0].tolist(), place) < 0.25 * float(truth.size) and _upright(
                float(found.crops.roll[0]) + quarters * math.pi / 2
            ):
                count.right += 1
            else:
                count.wrong += 1
        with mock.patch.multiple(locate, _SURE=-math.inf, _ROLLED=math.inf):
            start = time.perf_counter()
            locate.search(bundle.aligner, picture)
            plain += time.perf_counter() - start
    return counts, plain


def _upright(roll: float) -> bool:
    return abs(math.remainder(roll, 2 * math.pi)) < math.radians(30)


def patterns(height: int = 480, width: int = 640) -> dict[str, Tensor]:
    """Test patterns, gradients, noise, text: [3,H,W] in [-1,1]."""
    y, x = np.mgrid[:height, :width]
    random = np.random.default_rng(SEED)
    colours = np.array([(c >> 1 & 1, c >> 2 & 1, c & 1) for c in (7, 6, 5, 4, 3, 2, 1, 0)]) * 255
    bars = colours[np.arange(width) * 8 // width][None].repeat(height, 0)
    made: dict[str, np.ndarray] = {"bars": bars, "bars, 75 %": bars * 3 // 4}
    for side in (8, 20, 40, 64, 120):
        checkers = (x // side + y // side) % 2
        made[f"checkers of {side}"] = checkers * 255
        made[f"brown checkers of {side}"] = np.where(checkers[..., None], (200, 120, 90), (60, 40, 30))
        made[f"stripes of {side}"] = y // side % 2 * 255
        made[f"slanted stripes of {side}"] = (x + y) // side % 2 * 255
    away = np.hypot(x - width / 2, y - height / 2)
    made["gradient across"], made["gradient down"] = x * 255 / width, y * 255 / height
    made["radial gradient"] = 255 - away * 255 / away.max()
    made["radial gradient of skin"] = (1 - away / away.max())[..., None] * (255, 190, 150)
    made["rings"] = 127 + 127 * np.cos(away**2 / 300)
    made["target"] = away // 50 % 2 * 200
    for side in (1, 4, 16, 32, 64):
        cells = random.integers(0, 256, (height // side, width // side, 3)).astype(np.uint8)
        for name, kind in (("soft", Image.Resampling.BICUBIC), ("square", Image.Resampling.NEAREST)):
            made[f"{name} noise of {side}"] = np.asarray(Image.fromarray(cells).resize((width, height), kind))
    for name, ink, paper, size in (("text", "black", "white", 24), ("large text", "red", "white", 150)):
        page = Image.new("RGB", (width, height), paper)
        for line in range(0, height, size + 4):
            ImageDraw.Draw(page).text(
                (5, line), "The quick brown fox " * 4, fill=ink, font=ImageFont.load_default(size)
            )
        made[name] = np.asarray(page)
    oval = Image.new("RGB", (width, height), (120, 160, 220))
    ImageDraw.Draw(oval).ellipse((190, 70, 450, 410), fill=(224, 172, 140))
    made["oval of skin"], made["grey"], made["black"] = np.asarray(oval), x * 0 + 99, x * 0
    rgb = {name: pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, 2) for name, pixels in made.items()}
    return {name: torch.from_numpy(p.astype(np.float32)).permute(2, 0, 1) / 127.5 - 1.0 for name, p in rgb.items()}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100)
    options = parser.parse_args()
    networks.FRAME = FRAME
    bundle = load_bundle("demo")
    counts, plain = heads(bundle, options.photos)
    imagined = [name for name, picture in patterns().items() if len(find_heads(bundle, picture))]
    share = 100.0 / options.photos
    rows = [
        [name, share * c.right, share * c.wrong, share * c.several, share * c.missed, c.seconds / options.photos]
        for name, c in zip(NAMES, counts, strict=True)
    ]
    text = f"{options.photos} photos of one head on clutter, in four turns:\n\n"
    text += table(["photo", "right (%)", "wrong place or turn (%)", "several heads (%)", "none (%)", "seconds"], rows)
    text += (
        f"\n\nUpright photos take {counts[0].seconds / plain:.2f} times as long as where no other turn is thought of.\n"
    )
    text += f"Of {len(patterns())} patterns without a head, taken for one: {', '.join(imagined) or 'none'}."
    data = {"photos": [vars(count) for count in counts], "plain_seconds": plain, "imagined": imagined}
    publish("upright", data, text)


if __name__ == "__main__":
    main()
