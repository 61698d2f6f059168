"""How far to trust the aligner's confidence: `python benchmarks/confidence.py`.

Photos of people that no training has seen, each from a random side, as they are drawn and spoiled in four ways: yellowed, dark,
blurred with noise, and partly covered. How often the yaw is misread, by the confidence with which the head was found: the reason of the
limit in `inv3d/video/advice.py`. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from results import publish, table
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import load_bundle
from inv3d.core.errors import InputError
from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.store import people_basis
from inv3d.core.views import to_bytes
from inv3d.video.decode import Frame
from inv3d.video.photo import head_in

LIMITS = (0.0, 0.65, 0.75, 0.85, 1.0)
MISREAD = 8.0
"""Degrees of yaw."""
_SIDE, _FIRST_SEED = 256, 720


def _yellowed(photo: Tensor, random: torch.Generator) -> Tensor:
    grey = (photo * torch.tensor([0.3, 0.6, 0.1])[:, None, None]).sum(0, keepdim=True)
    return (0.7 * grey + 0.15).expand(3, -1, -1) ** torch.tensor([0.8, 1.0, 1.4])[:, None, None]


def _dark(photo: Tensor, random: torch.Generator) -> Tensor:
    return 0.25 * photo


def _blurred(photo: Tensor, random: torch.Generator) -> Tensor:
    small = F.interpolate(photo[None], scale_factor=0.18, mode="area")
    large = F.interpolate(small, photo.shape[1:], mode="bilinear")[0]
    return (large + 0.06 * torch.randn(photo.shape, generator=random)).clamp(0.0, 1.0)


def _covered(photo: Tensor, random: torch.Generator) -> Tensor:
    """A square of one colour lies somewhere on the face."""
    x, y, *colour = torch.rand(5, generator=random).tolist()
    left, top, side = round((0.3 + 0.25 * x) * _SIDE), round((0.2 + 0.4 * y) * _SIDE), round(0.22 * _SIDE)
    covered = photo.clone()
    covered[:, top : top + side, left : left + side] = torch.tensor(colour)[:, None, None]
    return covered


SPOILED: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "as drawn": lambda photo, random: photo, "yellowed": _yellowed, "dark": _dark, "blurred": _blurred, "covered": _covered,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="Number of people.")
    count = parser.parse_args().count
    bundle, renderer = load_bundle("demo", torch.device("cpu")), PeopleRenderer(people_basis())
    random = torch.Generator().manual_seed(0)
    data: list[dict[str, object]] = []
    for number in range(count):
        turn = PersonTurn(
            _FIRST_SEED + number, frames=180, width=_SIDE, height=_SIDE, crop=190.0, center=(0.5, 0.5), cluttered=number % 2 == 1
        )
        frame = int(torch.randint(12, 168, (1,), generator=random))
        photo = turn.render(renderer, frame).image[0].clamp(-1, 1).add(1).div(2)
        for name, spoil in SPOILED.items():
            pixels = to_bytes(spoil(photo, random) * 2 - 1).permute(1, 2, 0).numpy()
            row: dict[str, object] = {"person": turn.seed, "photo": name, "yaw": round(math.degrees(turn.yaw(frame)), 1)}
            try:
                found = head_in(Frame(0, 0.0, np.ascontiguousarray(pixels), (1.0, 1.0)), bundle, None, name)
                error = abs(math.degrees(found.yaw - turn.yaw(frame)))
                row |= {"confidence": round(found.confidence, 3), "error": round(error, 1)}
            except InputError:
                pass
            data.append(row)
            print(row, flush=True)
    found_rows = [(row["photo"], float(str(row["confidence"])), float(str(row["error"]))) for row in data if "error" in row]
    rows: list[list[object]] = []
    for low, high in itertools.pairwise(LIMITS):
        inside = [(photo, error) for photo, confidence, error in found_rows if low <= confidence < high]
        errors = [error for _, error in inside]
        plain = sum(photo == "as drawn" for photo, _ in inside)
        median = float(np.median(errors)) if errors else None
        rows.append([f"{low:g} to {high:g}", len(inside), plain, median, sum(error > MISREAD for error in errors)])
    text = f"{len(data)} photos of {count} drawn people; no head was found in {len(data) - len(found_rows)}.\n\n"
    header = ["confidence", "photos", "of these as drawn", "median error of yaw (°)", f"more than {MISREAD:g}° off"]
    publish("confidence", data, text + table(header, rows))


if __name__ == "__main__":
    main()
