"""MediaPipe's face detector for pictures taken at arm's length (Bazarevsky et al. 2019, "BlazeFace")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inv3d.core.networks.blaze import Block, Same

DETECTOR_INPUT = 128
"""Side in pixels of the pictures that the network receives."""
_FINE = (28, 32, 36, 42, 48, 56, 64, 72, 80, 88)
_COARSE = (96, 96, 96, 96, 96)
_HALVED = (32, 48)  # of `_FINE`
_STEM = 24
_ANCHORS = ((16, 2), (8, 6))  # cells per side, and boxes in each
_NUMBERS = 16  # centre, size, and six points


def _chain(before: int, widths: tuple[int, ...], halved: tuple[int, ...]) -> nn.Sequential:
    blocks, left = [], list(halved)
    for width in widths:
        stride = 2 if left[:1] == [width] else 1
        left = left[stride - 1 :]
        blocks.append(Block(before, width, nn.ReLU(), stride))
        before = width
    return nn.Sequential(*blocks)


class BlazeFace(nn.Module):
    """Faces in pictures [B,3,128,128] in [-1,1]: logits [B,896] and what each candidate tells [B,896,16] in picture widths: its
    box's centre and size, then points (right, down): eyes on the left and right of the picture, nose, mouth, ears."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Same(3, _STEM, 5, 2), nn.ReLU(), Block(_STEM, _STEM, nn.ReLU()))
        self.fine = _chain(_STEM, _FINE, _HALVED)
        self.coarse = _chain(_FINE[-1], _COARSE, _COARSE[:1])
        widths = (_FINE[-1], _COARSE[-1])
        self.numbers = nn.ModuleList(nn.Conv2d(w, n * _NUMBERS, 1) for w, (_, n) in zip(widths, _ANCHORS, strict=True))
        self.scores = nn.ModuleList(nn.Conv2d(w, n, 1) for w, (_, n) in zip(widths, _ANCHORS, strict=True))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(self.stem(image))
        levels = (fine, self.coarse(fine))

        def listed(heads: nn.ModuleList, numbers: int) -> Tensor:
            found = (head(level) for head, level in zip(heads, levels, strict=True))
            return torch.cat([each.permute(0, 2, 3, 1).reshape(len(image), -1, numbers) for each in found], 1).float()

        told = listed(self.numbers, _NUMBERS).unflatten(2, (-1, 2)) / DETECTOR_INPUT
        # all but the box's size is told from the candidate's place
        told = told + anchors().to(told)[:, None] * told.new_tensor([1.0, 0.0, *[1.0] * (_NUMBERS // 2 - 2)])[:, None]
        return listed(self.scores, 1)[..., 0], told.flatten(2)


def anchors() -> Tensor:
    """Where the candidates lie [896,2] (right, down), in picture widths."""
    found = []
    for cells, boxes in _ANCHORS:
        axis = (torch.arange(cells) + 0.5) / cells
        down, right = torch.meshgrid(axis, axis, indexing="ij")
        found.append(torch.stack([right, down], -1).reshape(-1, 1, 2).expand(-1, boxes, -1).reshape(-1, 2))
    return torch.cat(found)
