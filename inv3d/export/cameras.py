"""Files of cameras: `cameras.json` of an output folder, nerfstudio's `transforms.json`, and COLMAP's (see `colmap`).

Cameras of nerfstudio have OpenGL's axes (x right, y up, z backward), those of inv3d OpenCV's (x right, y down, z forward).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.errors import InputError
from inv3d.core.records import STRICT, Checked, Count, Number, Positive, Text, read_record, write_record
from inv3d.export import colmap
from inv3d.export.lens import Lens
from inv3d.export.results import Cameras, Row4, rows_of
from inv3d.export.views import CAMERAS

_FLIP = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
_HINT = "use cameras.json of an output folder, nerfstudio's transforms.json, or COLMAP's images.txt"


@dataclass(frozen=True)
class Frame:
    """A picture of nerfstudio; the pose is that of an OpenGL camera."""

    file_path: Text
    transform_matrix: tuple[Row4, Row4, Row4, Row4]


class Transforms(Checked):
    """The part of nerfstudio's `transforms.json` that a pinhole camera needs; lengths in pixels. Others are ignored."""

    model_config = ConfigDict(**STRICT, extra="ignore")
    hint: ClassVar[str] = _HINT
    largest: ClassVar[int] = 1 << 24

    w: Annotated[Count, Field(ge=1)]
    h: Annotated[Count, Field(ge=1)]
    fl_x: Positive
    fl_y: Positive
    cx: Number
    cy: Number
    camera_model: Text = "OPENCV"
    frames: Annotated[tuple[Frame, ...], Field(min_length=1)]


def read_cameras(path: Path) -> Camera:
    """The cameras in a file of any kind. Raises InputError for other files, and for cameras that cannot be rendered:
    pictures that are not square, poses that are no rotation and translation."""
    if path.name == CAMERAS:
        views = read_record(path, Cameras).views
        poses = torch.tensor([view.cam2world for view in views])
        lenses = torch.tensor([view.intrinsics for view in views])
    elif path.name == colmap.IMAGES:
        sparse = colmap.read_sparse(path)
        poses, lenses = sparse.cam2world, sparse.intrinsics
    else:
        found = read_record(path, Transforms)
        lens = Lens(found.w, found.h, found.fl_x, found.fl_y, found.cx, found.cy).intrinsics(path)
        poses = torch.tensor([frame.transform_matrix for frame in found.frames]) @ _FLIP
        lenses = lens.expand(len(poses), -1, -1)
    if not len(poses):
        raise InputError(f"{path} contains no cameras", _HINT)
    if not _rigid(poses) or not bool((lenses.diagonal(dim1=1, dim2=2) > 0).all()):
        raise InputError(f"{path} contains a camera that is no rotation and translation, or has no focal length", _HINT)
    return Camera(poses, lenses)


def _rigid(poses: Tensor) -> bool:
    turns = poses[:, :3, :3]
    orthogonal = (turns @ turns.transpose(1, 2) - torch.eye(3)).abs().amax() < 1e-3
    last = (poses[:, 3] - torch.tensor([0.0, 0.0, 0.0, 1.0])).abs().amax() < 1e-6
    return bool(orthogonal & last & (torch.linalg.det(turns) > 0).all())


def write_cameras(path: Path, cameras: Camera, size: int, names: Sequence[str]) -> None:
    """Write `cameras` of square pictures of `size` pixels, called `names`, as `transforms.json`. Raises OSError."""
    lens = Lens.of(cameras.intrinsics[0], size)
    poses = cameras.cam2world.cpu() @ _FLIP
    frames = [Frame(name, rows_of(pose)) for name, pose in zip(names, poses, strict=True)]
    written = Transforms(w=size, h=size, fl_x=lens.fx, fl_y=lens.fy, cx=lens.cx, cy=lens.cy, frames=tuple(frames))
    write_record(path, written)
