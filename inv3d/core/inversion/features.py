"""Where eyes, nose and mouth are: the points of faces that MediaPipe's mesh finds in pictures, and in renders of them.

Terms of pixels and of perceptual features tell colours before they tell places. The mesh, which has been trained on photographs,
finds the same points in renders of a generator that has seen drawings alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.crops import Crops, joined, sampling_grid
from inv3d.core.facepoints import around, in_image
from inv3d.core.networks.facemesh import MESH_INPUT
from inv3d.core.networks.photographic import face_mesh

_ACROSS, _DOWN, _SIZE = 0.5, 0.47, 0.75
"""Where an aligned picture is looked at first, in its widths: a crop's middle and side."""
_ROUNDS = 3
_CLEAR = 5.0  # logit from which there is a face to tell of
_AWAY = 0.5  # what depths count, which the mesh can only guess, beside places
_LEAST = 1e-3  # widths of a crop, below which the gradient of a distance fades


@dataclass(frozen=True)
class Faces:
    """The faces in B pictures: the `crops` [B] of these that the mesh looks at, in widths of a picture; its `points` [B,468,3] in
    widths of a crop; and whether there `is_one` [B], 1 or 0."""

    crops: Crops
    points: Tensor
    is_one: Tensor

    @staticmethod
    @torch.no_grad()
    def of(images: Tensor) -> Faces:
        """Those of aligned `images` [B,3,R,R] in [-1,1]."""
        one = torch.ones(len(images), device=images.device)
        crops = Crops(torch.stack([_ACROSS * one, _DOWN * one], 1), _SIZE * one, 0.0 * one)
        for _ in range(_ROUNDS):
            points, _ = _read(images, crops)
            crops = around(in_image(crops, points))
        points, logits = _read(images, crops)
        return Faces(crops, points, (logits > _CLEAR).to(images))

    @staticmethod
    def joined(parts: Sequence[Faces]) -> Faces:
        """Those of several batches as one."""
        crops = parts[0].crops
        for part in parts[1:]:
            crops = joined(crops, part.crops)
        return Faces(crops, *(torch.cat(each) for each in zip(*((part.points, part.is_one) for part in parts), strict=True)))

    def __getitem__(self, rows: Tensor) -> Faces:
        return Faces(self.crops[rows], self.points[rows], self.is_one[rows])

    def apart(self, images: Tensor) -> Tensor:
        """How far [B] the points of faces in renders [B,3,R,R] of the same pictures are from these, on average, in widths of the crop;
        0 where there is none."""
        away = _read(images, self.crops)[0] - self.points
        away = away * away.new_tensor([1.0, 1.0, _AWAY])
        return self.is_one * (away.square().sum(-1) + _LEAST**2).sqrt().mean(1)


def _read(images: Tensor, crops: Crops) -> tuple[Tensor, Tensor]:
    """The points [B,468,3] of faces in `crops` [B] of images [B,3,R,R], in widths of these, and their logits [B]."""
    grid = sampling_grid(crops, MESH_INPUT, 1, 1)
    points, logits = face_mesh(images.device)(F.grid_sample(images, grid, padding_mode="border", align_corners=False))
    return points, logits
