"""What can be shown of a head besides its colours: depth, normals, coverage, and its shape in grey."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.generator import Render
from inv3d.export.background import KEEP, Background

MAPS = ("color", "depth", "normals", "alpha", "grey")
DEPTH_SCALE = 10_000
"""Values of a depth map per world unit."""
_COVERED = 0.5
_LIGHT = (-0.35, 0.45, 0.82)  # from the camera's upper left
_AMBIENT = 0.12


def picture(kind: str, render: Render, camera: Camera, background: Background = KEEP) -> Tensor:
    """A map of one render as a picture [3,R,R] in [-1,1]; `kind` is one of `MAPS`, and only colours have a `background`
    (with transparency they are [4,R,R]).

    Depth is brighter where it is closer; normals are those of the camera's space (x right, y up, z towards the camera) as
    red, green and blue.
    """
    if kind == "color":
        return background.show(render)
    covered = render.alpha[0] > _COVERED
    if kind == "alpha":
        return (render.alpha[0] * 2 - 1).expand(3, -1, -1)
    if kind == "depth":
        depth = render.depth[0]
        near, far = (float(end) for end in depth[covered].aminmax()) if covered.any() else (0.0, 1.0)
        shade = 1 - 2 * (depth - near) / max(far - near, 1e-6)
        return torch.where(covered, shade, torch.full_like(depth, -1.0)).expand(3, -1, -1)
    facing = normals(render, camera)
    if kind == "normals":
        return torch.where(covered, facing, facing.new_tensor([-1.0, -1.0, -1.0])[:, None, None])
    lit = (facing * facing.new_tensor(_LIGHT)[:, None, None]).sum(0, keepdim=True).clamp(min=0)
    shade = 2 * (_AMBIENT + (1 - _AMBIENT) * lit) ** (1 / 2.2) - 1
    return torch.where(covered, shade, torch.full_like(shade, -1.0)).expand(3, -1, -1)


def normals(render: Render, camera: Camera) -> Tensor:
    """Unit normals [3,r,r] of the visible surface, in the camera's space with y up and z towards the camera."""
    depth = render.depth[0]
    size = depth.shape[-1]
    rays = camera.to(depth.device).rays(size)
    pose = camera.to(depth.device).cam2world[0, :3, :3]
    local = (rays.directions[0] @ pose).T.reshape(3, size, size) * depth  # x right, y down, z forward
    padded = F.pad(local[None], (1, 1, 1, 1), mode="replicate")[0]
    right, down = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2], padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    facing = F.normalize(torch.linalg.cross(down, right, dim=0), dim=0)
    return facing * facing.new_tensor([1.0, -1.0, -1.0])[:, None, None]


def on_head(depth: Tensor, alpha: Tensor) -> Tensor:
    """The distances of a depth map where it shows the head, and 0 elsewhere."""
    return torch.where(alpha > _COVERED, depth, torch.zeros_like(depth))


def write_depth(path: Path, depth: Tensor, alpha: Tensor) -> None:
    """Write distances [1,R,R] along the rays in world units as a 16-bit PNG in units of 1/10,000, with 0 where there is
    no head; the file says so itself. Raises OSError."""
    values = on_head(depth, alpha)[0] * DEPTH_SCALE
    array: NDArray[np.uint16] = values.round().clamp(0, 65535).cpu().numpy().astype(np.uint16)
    note = PngImagePlugin.PngInfo()
    note.add_text("Description", f"depth along the ray; {DEPTH_SCALE} is one world unit, 0 is no head")
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG", pnginfo=note)
    path.write_bytes(buffer.getvalue())
