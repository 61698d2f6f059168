"""Sheets of edits: what directions do to a head of a model, and what an edit does to a person's head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.editing.directions import Direction
from inv3d.core.editing.edits import displacement
from inv3d.core.head import Head
from inv3d.export.table import table

Progress = Callable[[int, int], None]


@torch.no_grad()
def direction_sheet(
    bundle: Bundle, directions: Sequence[Direction], strengths: Sequence[float], code: Tensor, resolution: int,
    progress: Progress,
) -> Tensor:  # fmt: skip
    """What every direction, a row each, makes of a `code` [1,num_ws,w_dim] at every strength, from the front, as one
    picture [3,H,W]."""
    generator = bundle.generator
    camera, rows = bundle.info.front.to(generator.device), []
    for done, direction in enumerate(directions):
        moved = [code + displacement(direction, strength, generator.code_space) for strength in strengths]
        rows.append([generator(each, camera, resolution).image[0].cpu() for each in moved])
        progress(done + 1, len(directions))
    return table(rows, [direction.name for direction in directions], [f"{strength:+g}" for strength in strengths])


def before_and_after(before: Head, after: Head, yaws: Tensor, resolution: int) -> Tensor:
    """Two heads from the same yaws [C] (radians), one above the other, as one picture [3,H,W]."""
    cameras = before.camera(yaws, torch.zeros_like(yaws))
    rows = [head.render_each(cameras, lambda render: render.image[0].cpu(), resolution) for head in (before, after)]
    return table(rows, ["before", "after"], [f"{angle:.0f} deg" for angle in yaws.rad2deg().tolist()])
