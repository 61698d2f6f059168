"""Faces in photographs: where the heads are that a search begins with, and what their meshes tell."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.crops import Crops, cut
from inv3d.core.facepoints import ROOM, mesh_in
from inv3d.core.networks.blazeface import DETECTOR_INPUT
from inv3d.core.networks.photographic import face_detector
from inv3d.video.facing import FaceWorld, Facing, facing, seen_by

FACE = 8.0
"""Logit from which the mesh sees a face; patterns that resemble one by chance have less."""
_LIKELY = 0.0  # logit of a candidate from which it may be a face
_APART = 0.5  # sides of the larger box between the middles of two faces
_WIDER = 1.5  # sides of a picture: of the square in which a face is found that fills it
_PARTS = 2  # of a picture's shorter side: the sides of squares, overlapping by half, in which small faces are found
_SMALLEST = 32  # pixels of a square; nothing could be read off a face in less
_LEFT_EYE, _RIGHT_EYE = 2, 3  # of a candidate's pairs of numbers
_EYES_AND_MOUTH = ([33, 133], [263, 362], [61], [291])
"""Of the mesh's points: corners of the eye on the left and right of the picture, corners of the mouth."""


@dataclass(frozen=True)
class Faces:
    """Reads photographed faces for a model, if it is known how the mean face lies in its `world`; otherwise they only tell where
    heads are."""

    world: FaceWorld | None

    def proposed(self, image: Tensor) -> tuple[Crops, Facing | None]:
        """Crops of the heads whose faces are found in a picture [3,H,W] in [-1,1], and what these tell; crops alone where the
        model's world is not known."""
        boxes = face_boxes(image)
        if not len(boxes):
            return boxes, None
        points, logits = mesh_in(image, boxes)
        points, logits = points[logits > FACE], logits[logits > FACE]
        if self.world is None:
            return ffhq_crops(points.cpu()), None
        found = seen_by(points, logits, self.world)
        return found.crops, found

    def told(self, image: Tensor, heads: Crops, yaw: Tensor, pitch: Tensor) -> Facing | None:
        """What the faces in the crops of `heads` [B] with about this `yaw` and `pitch` [B] tell, if the model's world is known."""
        return None if self.world is None else facing(image, heads, yaw, pitch, self.world)


def faces_of(bundle: Bundle) -> Faces | None:
    """What reads faces for a model; None if it shows things that have none."""
    return None if bundle.shows_things else Faces(FaceWorld.of(bundle))


def face_boxes(image: Tensor) -> Crops:
    """The faces in a picture [3,H,W] in [-1,1], as crops that the mesh wants, the surest first; none if there are none."""
    height, width = image.shape[-2:]
    short = min(height, width)
    middle, long = [(width / 2, height / 2)], float(max(height, width))
    found = _candidates(image, middle, long)
    if not len(found):
        found = _candidates(image, middle, _WIDER * long)
    if not len(found) and short >= _PARTS * _SMALLEST:
        side = short / _PARTS
        places = [(x, y) for y, x in itertools.product(_spread(height, side), _spread(width, side))]
        found = _candidates(image, places, side)
    return found


def _spread(extent: int, side: float) -> list[float]:
    """The middles of squares of a side that cover an extent, overlapping by half."""
    middles: list[float] = torch.linspace(side / 2, extent - side / 2, max(1, round(2 * extent / side) - 1)).tolist()
    return middles


@torch.no_grad()
def _candidates(image: Tensor, places: list[tuple[float, float]], side: float) -> Crops:
    """The faces in squares of a side around `places`."""
    centers = torch.tensor(places)
    squares = Crops(centers, torch.full((len(places),), side), torch.zeros(len(places)))
    logits, told = (each.cpu() for each in face_detector(image.device)(cut(image, squares, DETECTOR_INPUT)))
    square, box = (logits > _LIKELY).nonzero(as_tuple=True)
    order = logits[square, box].argsort(descending=True)
    square, box = square[order], box[order]
    pairs = told[square, box].unflatten(1, (-1, 2)) * side
    center = centers[square] + pairs[:, 0] - side / 2
    right, down = (pairs[:, _RIGHT_EYE] - pairs[:, _LEFT_EYE]).unbind(1)
    found = Crops(center, ROOM * pairs[:, 1].amax(1), torch.atan2(down, right))
    kept: list[int] = []
    for i in range(len(found)):
        if all((center[i] - center[j]).norm() > _APART / ROOM * found.size[[i, j]].max() for j in kept):
            kept.append(i)
    return found[kept]


def ffhq_crops(points: Tensor) -> Crops:
    """EG3D's crops of faces with these points [B,468,3] in pixels: the middle 700 of 1024 pixels of an FFHQ alignment (Karras et
    al. 2019, appendix C)."""
    left_eye, right_eye, mouth_left, mouth_right = (points[:, rows, :2].mean(1) for rows in _EYES_AND_MOUTH)
    eyes, across = (left_eye + right_eye) / 2, right_eye - left_eye
    down = (mouth_left + mouth_right) / 2 - eyes
    axis = across + torch.stack([down[:, 1], -down[:, 0]], 1)
    side = 2.0 * torch.maximum(2.0 * across.norm(dim=1), 1.8 * down.norm(dim=1)) * 700 / 1024
    return Crops(eyes + 0.1 * down, side, torch.atan2(axis[:, 1], axis[:, 0]))
