"""The exact surface of a stylised head as a mesh, to measure reconstructed geometry against."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.measure import marching_cubes
from torch import Tensor

from inv3d.core.procedural.renderer import HeadRenderer


@torch.no_grad()
def head_mesh(
    renderer: HeadRenderer, parameters: Tensor, resolution: int = 160, box: float = 0.74
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vertices [V,3] in world units and triangles [F,3] (outward) of one head [1,K], within a cube of side `box`.

    Vertices are moved onto the zero of the field after marching cubes, so that they are exact to about 1e-4.
    """
    axis = ((torch.arange(resolution) + 0.5) / resolution - 0.5) * box
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(1, -1, 3)
    field = torch.cat([renderer.distance(part, parameters) for part in points.split(1 << 18, 1)], 1)
    padded = np.pad(field.reshape(resolution, resolution, resolution).numpy(), 1, constant_values=box)
    vertices, triangles, _, _ = marching_cubes(padded, 0.0, gradient_direction="descent")
    located = torch.from_numpy(((vertices - 0.5) * (box / resolution) - box / 2).astype(np.float32))[None]
    inside = located.abs().amax(-1, keepdim=True) < box / 2 - box / resolution
    for _ in range(3):
        step = renderer.distance(located, parameters)[..., None] * renderer.normals(located, parameters)
        located = torch.where(inside, located - step, located)
    return located[0].numpy(), triangles.astype(np.int64)
