"""The folder `views/` of an output folder: targets, pairs of target and render, and `cameras.json`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.errors import InputError
from inv3d.core.generator import Render
from inv3d.core.records import read_record, write_record
from inv3d.core.views import Views
from inv3d.export.pictures import evenly, row, save_png
from inv3d.export.results import Cameras, ViewCamera, rows_of
from inv3d.video.picture import read_picture

VIEWS, CAMERAS = "views", "cameras.json"
_UNSEEN_PAIRS = 6
_UNKNOWN = 0.5  # light grey, where nothing was filmed
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+\.png")


def write_views(folder: Path, targets: Views, renders: list[Render]) -> None:
    """Targets as PNG, pairs of target and render, and `cameras.json` in the EG3D convention. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for i, (frame, seconds) in enumerate(zip(targets.frames, targets.times, strict=True)):
        camera = targets.cameras[i]
        name = f"{i:02d}-frame{frame:05d}.png"
        save_png(folder / name, targets.images[i])
        save_png(folder / f"{i:02d}-pair.png", _pair(targets, i, renders[i].image))
        entries.append(
            ViewCamera(
                file=name,
                frame=frame,
                time=seconds,
                yaw_degrees=math.degrees(float(camera.yaw)),
                pitch_degrees=math.degrees(float(camera.pitch)),
                cam2world=rows_of(camera.cam2world[0]),
                intrinsics=rows_of(camera.intrinsics[0]),
            )
        )
    write_record(folder / CAMERAS, Cameras(views=tuple(entries)))


def write_unseen(folder: Path, held_out: Views, images: list[Tensor]) -> None:
    """Pairs of target and render [1,3,R,R] of some frames that the fit never used, evenly spaced by yaw. Raises OSError."""
    for number, i in enumerate(evenly(len(held_out), _UNSEEN_PAIRS)):
        name = f"unseen-{number:02d}-frame{held_out.frames[i]:05d}.png"
        save_png(folder / name, _pair(held_out, i, images[i]))


def _pair(views: Views, number: int, render: Tensor) -> Tensor:
    """One of the views beside its `render` [1,3,R,R], where something was filmed: what was made up around it tells nothing."""
    both = torch.stack([views.images[number], render[0].cpu()])
    filmed = views.filmed
    return row(list(both if filmed is None else torch.where(filmed[number].cpu() > 0.0, both, _UNKNOWN)))


def read_views(head: Path) -> Views | None:
    """The targets of an output folder; None if it contains none. Raises InputError if they are damaged."""
    folder = head / VIEWS
    if not (folder / CAMERAS).exists():
        return None
    entries = read_record(folder / CAMERAS, Cameras).views
    images = [_image(folder, entry.file) for entry in entries]
    if not images:
        return None
    if len({image.shape for image in images}) > 1:
        raise InputError(f"the pictures in {folder} differ in size", "restore them from a copy")
    cameras = Camera(*(torch.tensor([getattr(e, name) for e in entries]) for name in ("cam2world", "intrinsics")))
    frames, times = tuple(entry.frame for entry in entries), tuple(entry.time for entry in entries)
    return Views(torch.stack(images), cameras, frames, times)


def _image(folder: Path, name: str) -> Tensor:
    """A target [3,R,R] in [-1,1]. Raises InputError."""
    if not _PLAIN_NAME.fullmatch(name):
        raise InputError(f"{folder / CAMERAS} names a file that inv3d did not write", "restore it from a copy")
    return read_picture(folder / name).image
