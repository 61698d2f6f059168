"""Finding heads in a frame: a coarse grid of crops, scored and mended by the aligner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.crops import Crops, cut, joined
from inv3d.core.networks.aligner import INPUT_SIZE, Aligner, Alignment

Detector = Callable[[Tensor], Crops]
"""Proposes crops of an image [3,H,W] in [-1,1]."""
CONFIDENT = 0.5
"""Confidence from which a crop counts as showing a head."""
_SIZES = (0.30, 0.52, 0.90, 1.55)  # of the frame's height: a crop is about twice as high as the head in it
_STRIDE = 0.4
_REFINED = 8
_ITERATIONS = 3
_AROUND = ((0.0, 0.0, 1.0), (0.03, 0.02, 1.05), (-0.03, 0.02, 0.96), (0.02, -0.03, 0.95), (-0.02, -0.03, 1.06))
"""Shifts (in crop sizes) and scales of the crops that are read last."""


@dataclass(frozen=True)
class Located:
    """Heads in one frame, best first: mended `crops`, the aligner's last word on them, and their confidence."""

    crops: Crops
    alignment: Alignment
    confidence: Tensor

    def __len__(self) -> int:
        return len(self.crops)


def _grid(height: int, width: int) -> Crops:
    """Overlapping square crops of several sizes that cover the frame."""
    centers, sizes = [], []
    for share in _SIZES:
        size = share * height
        columns, rows = (max(1, round((extent - 0.5 * size) / (_STRIDE * size))) for extent in (width, height))
        for y in torch.linspace(0.3 * size, height - 0.3 * size, rows) if rows > 1 else torch.tensor([height / 2]):
            for x in (
                torch.linspace(0.3 * size, width - 0.3 * size, columns) if columns > 1 else torch.tensor([width / 2])
            ):
                centers.append([float(x), float(y)])
                sizes.append(size)
    return Crops(torch.tensor(centers), torch.tensor(sizes), torch.zeros(len(sizes)))


def _read(aligner: Aligner, image: Tensor, crops: Crops) -> Alignment:
    """What the aligner says of crops of `image`, on the CPU."""
    out: Alignment = aligner(cut(image, crops, INPUT_SIZE).to(next(aligner.parameters()).device))
    return out.map(Tensor.cpu)


@torch.no_grad()
def align(aligner: Aligner, image: Tensor, crops: Crops, iterations: int = _ITERATIONS) -> Located:
    """Let the aligner mend `crops` of `image` [3,H,W] in [-1,1] some times, then read the pose.

    The last word is the mean over slightly different crops, which is steadier than one reading.
    """
    for _ in range(iterations):
        crops = _read(aligner, image, crops).apply(crops)
        # a wild correction must not send a crop out of the frame or to nothing
        crops = Crops(crops.center, crops.size.clamp(INPUT_SIZE / 4, 4.0 * max(image.shape[-2:])), crops.roll)
    count = len(crops)
    offsets = torch.tensor(_AROUND).repeat_interleave(count, 0)
    size = crops.size.repeat(len(_AROUND))
    around = Crops(
        crops.center.repeat(len(_AROUND), 1) + offsets[:, :2] * size[:, None],
        size * offsets[:, 2],
        crops.roll.repeat(len(_AROUND)),
    )
    out = _read(aligner, image, around)
    mended = out.apply(around)

    def mean(values: Tensor) -> Tensor:
        return values.unflatten(0, (len(_AROUND), count)).mean(0)

    crops = Crops(mean(mended.center), mean(mended.size.log()).exp(), mean(mended.roll))
    out = out.map(mean)
    return Located(crops, out, out.confidence)


@torch.no_grad()
def search(aligner: Aligner, image: Tensor, confident: float = CONFIDENT, detect: Detector | None = None) -> Located:
    """All heads of a frame [3,H,W] in [-1,1] from a confidence on, best first; empty if there is none.

    What `detect` proposes is tried beside the grid of crops.
    """
    crops = _grid(*image.shape[-2:])
    if detect is not None:
        crops = joined(crops, detect(image))
    parts = [crops[rows.tolist()] for rows in torch.arange(len(crops)).split(32)]
    scores = torch.cat([_read(aligner, image, part).confidence for part in parts])
    best = scores.topk(min(_REFINED, len(crops))).indices
    found = align(aligner, image, crops[best])
    keep: list[int] = []
    for i in found.confidence.argsort(descending=True).tolist():
        if found.confidence[i] < confident or not _inside(found.crops[i], image):
            break
        apart = [
            float((found.crops.center[i] - found.crops.center[j]).norm())
            > 0.45 * float(torch.maximum(found.crops.size[i], found.crops.size[j]))
            for j in keep
        ]
        if all(apart):
            keep.append(i)
    return Located(found.crops[keep], found.alignment.map(lambda field: field[keep]), found.confidence[keep])


def _inside(crops: Crops, image: Tensor) -> bool:
    """Whether most of the head lies in the frame and its size makes sense there."""
    height, width = image.shape[-2:]
    x, y = crops.center[0].tolist()
    size = float(crops.size[0])
    margin = 0.05 * size
    within = -margin <= x < width + margin and -margin <= y < height + margin
    return within and 0.08 * height < size < 4.0 * height
