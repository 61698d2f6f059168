"""A head from all sides: pictures for exports to start from, and to be compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.views import Views, from_bytes
from inv3d.export.pictures import to_floats
from inv3d.export.texture import Shot, inside, own_shot, photo_shot

_AROUND = tuple((float(yaw), 0.0) for yaw in range(0, 360, 45))
_SHOTS = (
    *((float(yaw), 0.0) for yaw in (*range(-90, 91, 30), 120, 180, 240)),
    (0.0, 50.0), (180.0, 50.0), (0.0, -40.0), (180.0, -40.0),
)  # fmt: skip
_FRONT = 12.0  # preference for the front: both eyes and the mouth come from one picture, not from two that differ
_NEAR = 25.0  # degrees between cameras that see nearly the same
_FACE_YAW = 45.0  # degrees up to which a side shows the face
_FACE = torch.tensor([[-0.115, -0.185, 0.07], [0.115, 0.10, 0.30]])  # where an aligned head has it; world units

Show = Callable[[Camera, int], tuple[NDArray[np.float32], NDArray[np.bool_]]]
"""What an export looks like: for a camera and a size, colours [size,size,3] in [0,1] and which pixels are covered."""


def sides(head: Head, directions: Sequence[tuple[float, float]] = _AROUND) -> Camera:
    """Cameras at yaws and pitches in degrees; by default eight around the head."""
    yaw, pitch = torch.tensor(directions, device=head.generator.device).deg2rad().unbind(1)
    return head.camera(yaw, pitch)


def shots(head: Head, photos: Views | None = None, resolution: int | None = None) -> list[Shot]:
    """Renders of the frontal head from all sides with their trust, as fine as its frames; and, of a head without frames, the
    aligned `photos` with theirs: with frames, the renders show what the photos do, where it belongs. `resolution` is that of
    the renders (default: the model's own)."""
    cameras, size = sides(head, _SHOTS), None
    if head.lumigraph is not None:
        photos = None
        if resolution in (None, head.generator.raw_resolution):
            resolution, size = head.rays, head.finest or head.generator.resolution
    if photos is not None:
        cameras = _more(photos.cameras.to(head.generator.device), cameras)
    renders = head.frontal().render_each(cameras, lambda render: render, resolution, size=size, sparse=True)
    frontal = (torch.maximum(cameras.yaw.abs(), cameras.pitch.abs()) < 1e-3).tolist()
    found = [own_shot(each, cameras[i], _FRONT if frontal[i] else 1.0) for i, each in enumerate(renders)]
    if photos is not None:
        images = photos.images if photos.fine is None else from_bytes(photos.fine)
        found += [photo_shot(image, renders[i], cameras[i]) for i, image in enumerate(images)]
    return found


def _more(cameras: Camera, others: Camera) -> Camera:
    """`cameras`, and those of the `others` that look from elsewhere."""
    directions, away = (torch.nn.functional.normalize(each.position, dim=1) for each in (cameras, others))
    far = ((away @ directions.T).amax(1) < math.cos(math.radians(_NEAR))).nonzero()[:, 0]
    return Camera(
        torch.cat([cameras.cam2world, others.cam2world[far]]), torch.cat([cameras.intrinsics, others.intrinsics[far]])
    )


@dataclass(frozen=True)
class Likeness:
    """PSNR (dB) between an export and its head: inside the silhouette from eight sides, and inside the `face` from those
    that show it, if the model has heads."""

    around: float
    face: float | None


def likeness(head: Head, show: Show, resolution: int = 128) -> Likeness:
    """How much an export looks like its `head` from eight sides, in renders of `resolution` rays per side."""
    return likeness_each(head, [show], resolution)[0]


def likeness_each(head: Head, shows: Sequence[Show], resolution: int = 128) -> list[Likeness]:
    """The same for several exports of one head, which are compared with the same renders."""
    cameras = sides(head)
    renders = head.frontal().render_each(cameras, lambda render: render, resolution)
    found = [_compared(cameras, renders, show) for show in shows]
    return [replace(each, face=None) for each in found] if head.bundle.shows_things else found


def _compared(cameras: Camera, renders: Sequence[Render], show: Show) -> Likeness:
    squares, faces = [], []
    for i, render in enumerate(renders):
        own = to_floats(render.image)
        colors, covered = show(cameras[i], len(own))
        within = torch.nn.functional.interpolate(inside(render).cpu(), own.shape[:2], mode="bilinear")[0, 0].numpy()
        both = covered & (within > 0)
        error = (colors - own) ** 2
        squares.append(error[both].reshape(-1))
        if abs(math.remainder(_AROUND[i][0], 360)) <= _FACE_YAW:
            faces.append(error[both & _face(render, cameras[i], len(own))].reshape(-1))
    return Likeness(_psnr(squares), _psnr(faces))


def _face(render: Render, camera: Camera, size: int) -> NDArray[np.bool_]:
    """Which pixels [size,size] show the face."""
    depth = torch.nn.functional.interpolate(render.depth, (size, size), mode="bilinear").reshape(1, -1, 1)
    origins, directions = camera.rays(size)
    shown: NDArray[np.bool_] = in_face((origins + directions * depth)[0]).reshape(size, size).cpu().numpy()
    return shown


def in_face(points: Tensor) -> Tensor:
    """Which world points [...,3] lie where an aligned head has its face."""
    low, high = _FACE.to(points.device)
    return ((points > low) & (points < high)).all(-1)


def _psnr(squares: list[NDArray[np.float32]]) -> float:
    every = np.concatenate(squares)
    return float(-10 * np.log10(max(float(every.mean()), 1e-10))) if len(every) else 0.0
