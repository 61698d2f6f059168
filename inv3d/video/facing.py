"""Where a face looks, read off its mesh.

An aligner that has seen drawn people alone is unsure of some photographs, and reads turns of photographed heads too small.
A network that knows photographs (see `photographic`) finds points of a face in three dimensions; the camera that would see
the mean face there tells yaw, pitch, roll, place and size as the generator knows them. It needs a face: from the side
it is unsure, and behind the ear there is none.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.crops import Crops, cut
from inv3d.core.networks.facemesh import MESH_INPUT
from inv3d.core.networks.photographic import face_mesh, face_shape

CameraOf = Callable[[Tensor, Tensor], Camera]
"""The generator's cameras for yaws and pitches [B] in radians."""
_LEFT_EYE, _RIGHT_EYE, _FOREHEAD, _CHIN = 33, 263, 10, 152
"""Points of the mesh: outer corners of the eyes on the left and right of the picture, and the ends of the midline."""
ROOM = 1.5
"""Sides of the crops that the mesh wants, in those of the face."""
_ROUNDS = 2
_OFF = 0.02  # of a head's crop: points further away, as on the chin of an open mouth, count for less


@dataclass(frozen=True)
class Facing:
    """What B faces tell: their heads' `crops`, `yaw` and `pitch` [B] in radians, and `logit` [B] of whether they are faces."""

    crops: Crops
    yaw: Tensor
    pitch: Tensor
    logit: Tensor

    def __len__(self) -> int:
        return len(self.logit)

    def __getitem__(self, rows: slice | list[int] | Tensor) -> Facing:
        return Facing(self.crops[rows], self.yaw[rows], self.pitch[rows], self.logit[rows])


def facing(image: Tensor, heads: Crops, yaw: Tensor, pitch: Tensor, camera_of: CameraOf) -> Facing:
    """What the faces of `heads` tell, which crops [B] of an `image` [3,H,W] in [-1,1] show, with about this `yaw` and `pitch` [B], as a
    generator with these cameras sees heads."""
    where, far = camera_of(yaw, pitch).project(face_shape().expand(len(heads), -1, -1))
    faces = _around(_in_image(heads, torch.cat([where, far[..., None]], -1)))
    points, logits = mesh_in(image, faces)
    return seen_by(points, logits, camera_of)


def seen_by(points: Tensor, logits: Tensor, camera_of: CameraOf) -> Facing:
    """What the points [B,468,3] of faces in pixels of a picture tell, and their logits [B]."""
    rows = [_pose(face, camera_of) for face in points.cpu()]
    x, y, size, roll, yaw, pitch = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6).unbind(1)
    return Facing(Crops(torch.stack([x, y], 1), size, roll), yaw, pitch, logits.cpu())


def _pose(points: Tensor, camera_of: CameraOf) -> tuple[float, ...]:
    """Centre, side and roll of the crop, yaw and pitch, for which the mean face is nearest to the points [468,3] of a face.

    For a yaw and a pitch, place, size and roll of the crop follow: they are a similarity of the plane (Umeyama 1991).
    """
    shape = face_shape()
    where = points.double().numpy()
    flat, depth = where[:, 0] + 1j * where[:, 1], where[:, 2] - where[:, 2].mean()

    def fitted(angles: NDArray[np.float64]) -> tuple[complex, complex, NDArray[np.float64]]:
        yaw, pitch = torch.tensor(angles, dtype=torch.float32)[:, None]
        camera = camera_of(yaw, pitch)
        image, far = camera.project(shape[None])
        u, v = (image[0].double() - 0.5).numpy().T
        away = far[0].double().numpy() * float(camera.intrinsics[0, 0, 0]) / float(camera.position.norm())
        own = u + 1j * v
        middle, center = own.mean(), flat.mean()
        turned = np.vdot(own - middle, flat - center) / np.vdot(own - middle, own - middle).real
        left = (flat - center) / turned - (own - middle)
        behind = depth / abs(turned) - (away - away.mean())
        return turned, center - turned * middle, np.concatenate([left.real, left.imag, behind])

    found = least_squares(lambda angles: fitted(angles)[2], _guess(where), loss="soft_l1", f_scale=_OFF, diff_step=1e-3, ftol=1e-4, xtol=1e-4)
    turned, middle, _ = fitted(found.x)
    return middle.real, middle.imag, abs(turned), cmath.phase(turned), *map(float, found.x)


def _guess(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Yaw and pitch of a face whose points [468,3] are as deep as the mesh says."""
    across, down = points[_RIGHT_EYE] - points[_LEFT_EYE], points[_CHIN] - points[_FOREHEAD]
    away = np.cross(across, down)
    return np.array([math.atan2(away[0], away[2]), -math.asin(away[1] / float(np.linalg.norm(away)))])


@torch.no_grad()
def mesh_in(image: Tensor, faces: Crops, rounds: int = _ROUNDS) -> tuple[Tensor, Tensor]:
    """The points [B,468,3] of faces in an `image` [3,H,W] in [-1,1], in pixels, and their logits [B]: read off crops of the
    `faces` [B], then off those that the points tell."""
    network = face_mesh(image.device)
    for _ in range(rounds):
        found, logits = network(cut(image, faces, MESH_INPUT))
        points = _in_image(faces, found)
        faces = _around(points)
    return points, logits


def _in_image(crops: Crops, points: Tensor) -> Tensor:
    """Points [B,P,3] in widths of their crops as pixels of the image."""
    cos, sin = crops.roll.cos()[:, None], crops.roll.sin()[:, None]
    size = crops.size[:, None]
    x, y, z = points.unbind(-1)
    x, y = size * (x - 0.5), size * (y - 0.5)
    center_x, center_y = crops.center[:, None].unbind(-1)
    return torch.stack([center_x + cos * x - sin * y, center_y + sin * x + cos * y, size * z], -1)


def _around(points: Tensor) -> Crops:
    """The crops [B] that the mesh wants of faces with these points [B,P,3]: their eyes level."""
    right, down = (points[:, _RIGHT_EYE] - points[:, _LEFT_EYE])[:, :2].unbind(-1)
    roll = torch.atan2(down, right)
    cos, sin = roll.cos(), roll.sin()
    axes = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -1)  # columns: right, down
    level = points[..., :2] @ axes
    low, high = level.amin(1), level.amax(1)
    center = torch.einsum("bij,bj->bi", axes, (low + high) / 2)
    return Crops(center, ROOM * (high - low).amax(1), roll)
