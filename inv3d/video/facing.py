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

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.crops import Crops
from inv3d.core.facepoints import CHIN, FOREHEAD, LEFT_EYE, RIGHT_EYE, around, in_image, mesh_in

_OFF = 0.02  # of a head's crop: points further away, as on the chin of an open mouth, count for less


@dataclass(frozen=True)
class FaceWorld:
    """How a model sees faces: its `cameras` for yaws and pitches [B] in radians, and the mean face's `points` [468,3] in its world."""

    cameras: Callable[[Tensor, Tensor], Camera]
    points: Tensor

    @staticmethod
    def of(bundle: Bundle) -> FaceWorld | None:
        """None if it is not known where the model has faces."""
        return None if bundle.face is None else FaceWorld(bundle.info.camera, bundle.face.cpu())


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


def facing(image: Tensor, heads: Crops, yaw: Tensor, pitch: Tensor, world: FaceWorld) -> Facing:
    """What the faces of `heads` tell, which crops [B] of an `image` [3,H,W] in [-1,1] show, with about this `yaw` and `pitch` [B], in
    a model's `world`."""
    where, far = world.cameras(yaw, pitch).project(world.points.expand(len(heads), -1, -1))
    faces = around(in_image(heads, torch.cat([where, far[..., None]], -1)))
    points, logits = mesh_in(image, faces)
    return seen_by(points, logits, world)


def seen_by(points: Tensor, logits: Tensor, world: FaceWorld) -> Facing:
    """What the points [B,468,3] of faces in pixels of a picture tell, and their logits [B]."""
    rows = [_pose(face, world) for face in points.cpu()]
    x, y, size, roll, yaw, pitch = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6).unbind(1)
    return Facing(Crops(torch.stack([x, y], 1), size, roll), yaw, pitch, logits.cpu())


def _pose(points: Tensor, world: FaceWorld) -> tuple[float, ...]:
    """Centre, side and roll of the crop, yaw and pitch, for which the mean face is nearest to the points [468,3] of a face.

    For a yaw and a pitch, place, size and roll of the crop follow: they are a similarity of the plane (Umeyama 1991).
    """
    where = points.double().numpy()
    flat, depth = where[:, 0] + 1j * where[:, 1], where[:, 2] - where[:, 2].mean()

    def fitted(angles: NDArray[np.float64]) -> tuple[complex, complex, NDArray[np.float64]]:
        yaw, pitch = torch.tensor(angles, dtype=torch.float32)[:, None]
        camera = world.cameras(yaw, pitch)
        image, far = camera.project(world.points[None])
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
    across, down = points[RIGHT_EYE] - points[LEFT_EYE], points[CHIN] - points[FOREHEAD]
    away = np.cross(across, down)
    return np.array([math.atan2(away[0], away[2]), -math.asin(away[1] / float(np.linalg.norm(away)))])
