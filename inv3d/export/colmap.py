"""Cameras in COLMAP's text format: the folder of a sparse model, with `cameras.txt`, `images.txt` and `points3D.txt`.

Poses are world-to-camera, as quaternion and translation; the axes of a camera are OpenCV's, as inv3d's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from scipy.spatial.transform import Rotation
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.errors import InputError
from inv3d.core.records import Border, Number, Text, read_bounded, reason
from inv3d.export.lens import Lens

SPARSE = Path("sparse") / "0"
CAMERAS, IMAGES, POINTS = "cameras.txt", "images.txt", "points3D.txt"

Parsed = TypeVar("Parsed")


class _File(Border):
    hint: ClassVar[str] = "export the sparse model as text, with undistorted square pictures (PINHOLE cameras)"
    largest: ClassVar[int] = 1 << 26  # images.txt also lists what COLMAP has matched


@dataclass(frozen=True)
class _Image:
    """A picture: quaternion (w, x, y, z) and translation of world-to-camera, its camera and its name."""

    qw: Number
    qx: Number
    qy: Number
    qz: Number
    tx: Number
    ty: Number
    tz: Number
    camera: Text
    name: Text


def write_sparse(folder: Path, cameras: Camera, size: int, names: Sequence[str]) -> None:
    """Write `cameras` of square pictures of `size` pixels, called `names`, as a sparse model without points. Raises
    OSError."""
    folder.mkdir(parents=True)
    lens = Lens.of(cameras.intrinsics[0], size)
    row = f"1 PINHOLE {size} {size} {lens.fx:.6f} {lens.fy:.6f} {lens.cx:.6f} {lens.cy:.6f}"
    (folder / CAMERAS).write_text(f"# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n{row}\n")
    lines = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME", "# POINTS2D[]"]
    world2cam = torch.linalg.inv(cameras.cam2world.cpu().double()).numpy()
    for number, (pose, name) in enumerate(zip(world2cam, names, strict=True), 1):
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        numbers = " ".join(f"{value:.9g}" for value in (w, x, y, z, *pose[:3, 3]))
        lines += [f"{number} {numbers} 1 {name}", ""]
    (folder / IMAGES).write_text("\n".join(lines) + "\n")
    (folder / POINTS).write_text("# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]\n")


def read_sparse(path: Path) -> Camera:
    """The cameras of `images.txt` at `path`, with `cameras.txt` beside it, by the names of their pictures.

    Raises InputError for files that cannot be read, distorted lenses, and pictures that are not square.
    """
    lenses = dict(_lenses(path.with_name(CAMERAS)))
    poses, intrinsics = [], []
    for image in sorted(_images(path), key=lambda image: image.name):
        lens = lenses.get(image.camera)
        if lens is None:
            raise InputError(f"{path}: {image.name} belongs to camera {image.camera}, which is unknown", _File.hint)
        quaternion = np.array([image.qx, image.qy, image.qz, image.qw])
        if not np.linalg.norm(quaternion) > 0:
            raise InputError(f"{path}: {image.name} has a quaternion of zeros", _File.hint)
        world2cam = np.eye(4)
        world2cam[:3, :3] = Rotation.from_quat(quaternion).as_matrix()
        world2cam[:3, 3] = image.tx, image.ty, image.tz
        poses.append(np.linalg.inv(world2cam))
        intrinsics.append(lens)
    if not poses:
        raise InputError(f"{path} contains no cameras", _File.hint)
    return Camera(torch.tensor(np.stack(poses), dtype=torch.float32), torch.stack(intrinsics))


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file that are not comments."""
    text = read_bounded(path, _File).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("#"):
            yield number, line


def _lenses(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The names and intrinsics of the cameras in a file."""
    for number, line in _rows(path):
        if not line.strip():
            continue
        words = line.split()
        name, kind = words[0], words[1] if len(words) > 1 else ""
        if kind == "SIMPLE_PINHOLE":  # one focal length for both axes
            words[5:5] = words[4:5]
        elif kind != "PINHOLE":
            raise InputError(f"{path}: line {number}: its lens is '{kind}', not PINHOLE", _File.hint)
        yield name, _parsed(Lens, words[2:], path, number).intrinsics(path)


def _images(path: Path) -> Iterator[_Image]:
    rows = list(_rows(path))
    while rows and not rows[-1][1].strip():
        rows.pop()
    # every second line lists points of the picture
    for number, line in rows[::2]:
        yield _parsed(_Image, line.split(maxsplit=9)[1:], path, number)


def _parsed(kind: type[Parsed], words: Sequence[str], path: Path, number: int) -> Parsed:
    """The fields of a line. Raises InputError."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if len(words) < len(names):
        raise InputError(f"{path}: line {number} has too few fields", _File.hint)
    try:
        return TypeAdapter(kind).validate_strings(dict(zip(names, words, strict=False)))
    except ValidationError as error:
        raise InputError(f"{path}: line {number}: {reason(error)}", _File.hint) from error
