"""Sheets and videos of edits: what directions do to a head of a model, and what edits do to a person's head."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.counting import Counted, counting, uncounted
from inv3d.core.editing.directions import Direction
from inv3d.core.editing.edits import Edit, displacement
from inv3d.core.files import write_whole
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.views import to_array
from inv3d.export.film import write_moving
from inv3d.export.table import table


@torch.no_grad()
def direction_sheet(
    bundle: Bundle, directions: Sequence[Direction], strengths: Sequence[float], code: Tensor, resolution: int,
    counted: Counted,
) -> Tensor:  # fmt: skip
    """What every direction, a row each, makes of a `code` [1,num_ws,w_dim] at every strength, from the front, as one
    picture [3,H,W]."""
    generator = bundle.generator
    camera, rows = bundle.info.front.to(generator.device), []
    for done, direction in enumerate(directions):
        moved = [code + displacement(direction, strength, generator.code_space) for strength in strengths]
        rows.append([generator(each, camera, resolution).image[0].cpu() for each in moved])
        counted(done + 1, len(directions))
    return table(rows, [direction.name for direction in directions], [f"{strength:+g}" for strength in strengths])


def before_and_after(before: Head, after: Head, yaws: Tensor, resolution: int, counted: Counted = uncounted) -> Tensor:
    """Two heads from the same yaws [C] (radians), one above the other, as one picture [3,H,W]."""
    cameras = before.camera(yaws, torch.zeros_like(yaws))

    def drawn(render: Render) -> Tensor:
        return render.image[0].cpu()

    picture = counting(drawn, counted, 2 * len(yaws))
    rows = [head.render_each(cameras, picture, resolution, sparse=True) for head in (before, after)]
    return table(rows, ["before", "after"], [f"{angle:z.0f} deg" for angle in yaws.rad2deg().tolist()])


def sweep_sheet(
    head: Head, choices: Sequence[Sequence[Edit]], words: Sequence[str], yaws: Tensor, resolution: int, counted: Counted
) -> Tensor:
    """The head with each of these choices of edits, a row each with its `words`, from yaws [C] (radians), as one picture
    [3,H,W]."""
    columns = []
    for done, yaw in enumerate(yaws):
        camera = head.camera(yaw[None], torch.zeros(1))
        columns.append(head.render_edits(choices, camera, functools.partial(_sized, size=resolution), resolution))
        counted(done + 1, len(yaws))
    return table(list(zip(*columns, strict=True)), words, [f"{angle:z.0f} deg" for angle in yaws.rad2deg().tolist()])


def _sized(render: Render, size: int) -> Tensor:
    """The image [3,size,size] of a render, whatever super-resolution or frames made of it."""
    image = render.image
    if image.shape[-1] != size:
        image = F.interpolate(image, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return image[0].cpu()


def shares_of(frames: int) -> list[float]:
    """The shares of its way, from 0 to 1 and back, that a sweep has gone at every frame of a video that repeats smoothly."""
    return [0.5 - 0.5 * math.cos(2.0 * math.pi * i / frames) for i in range(frames)]


def write_animation(
    head: Head, choices: Sequence[Sequence[Edit]], cameras: Camera, resolution: int | None, out: Path, fps: int, replace: bool,
    counted: Counted,
) -> None:  # fmt: skip
    """Write a video of the head with each of the choices of edits, one after the other; of a single camera, or of as many as
    choices. A still camera sees the same on the way back (see `shares_of`) as on the way there, which is rendered once.

    Raises UsageError if the file exists and may not be replaced, OSError.
    """
    total = len(choices)
    still = len(cameras) == 1
    needed = total // 2 + 1 if still else total

    def drawn(render: Render) -> NDArray[np.uint8]:
        even = render.image.shape[-1] // 2 * 2  # as codecs need
        return to_array(render.image[0, :, :even, :even])

    picture = counting(drawn, counted, needed)

    with write_whole(out, replace) as part:
        if still:
            images = head.render_edits(choices[:needed], cameras, picture, resolution)
            images += images[total - needed : 0 : -1]
        else:
            images = [
                image
                for i, choice in enumerate(choices)
                for image in head.render_edits([choice], cameras[i], picture, resolution)
            ]
        write_moving(part, out.suffix.lower(), images, fps)
