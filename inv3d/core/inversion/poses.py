"""Small corrections of estimated cameras, optimised together with the codes."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from inv3d.core.camera import Camera

_STEP = 10
_FARTHEST = (45, 25, 25)
"""Degrees of `turns_around`, to the side, up, and about the line of sight: steps as near as a camera finds its way, and as far as
estimators err."""


def correct(camera: Camera, offsets: Tensor) -> Camera:
    """Cameras moved by `offsets` [B,6], differentiably.

    Columns: rotation vector about the world's origin (radians), shift of the image (in image widths, right and
    down), logarithm of the magnification. A rotation stays a rotation (exponential map).
    """
    x, y, z = offsets[:, :3].unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    # Rodrigues' formula; torch's matrix_exp makes a GPU wait
    angle = (offsets[:, :3].square().sum(1) + 1e-12).sqrt()[:, None, None]
    half = torch.sinc(angle / (2.0 * math.pi))
    one = torch.eye(3, device=offsets.device)
    rotation = one + torch.sinc(angle / math.pi) * skew + 0.5 * half * half * (skew @ skew)
    cam2world = camera.cam2world.clone()
    cam2world[:, :3] = rotation @ camera.cam2world[:, :3]
    intrinsics = camera.intrinsics.clone()
    magnification = offsets[:, 5].exp()
    intrinsics[:, 0, 0] = camera.intrinsics[:, 0, 0] * magnification
    intrinsics[:, 1, 1] = camera.intrinsics[:, 1, 1] * magnification
    intrinsics[:, 0, 2] = camera.intrinsics[:, 0, 2] + offsets[:, 3]
    intrinsics[:, 1, 2] = camera.intrinsics[:, 1, 2] + offsets[:, 4]
    return Camera(cam2world, intrinsics)


def turns_around(camera: Camera) -> list[Tensor]:
    """Offsets [B,6] that turn cameras about all axes in coarse steps, within an ellipsoid; one turns them not at all."""
    right, _, forward = camera.cam2world[:, :3, :3].unbind(-1)
    up = torch.tensor([0.0, 1.0, 0.0], device=right.device)
    rest = torch.zeros_like(right)
    steps = (range(-(most // _STEP) * _STEP, most + 1, _STEP) for most in _FARTHEST)
    return [
        torch.cat([math.radians(side) * up - math.radians(above) * right + math.radians(about) * forward, rest], 1)
        for side, above, about in itertools.product(*steps)
        if sum((turn / most) ** 2 for turn, most in zip((side, above, about), _FARTHEST, strict=True)) <= 1.0
    ]


def interpolate_offsets(offsets: Tensor, keys: Tensor, yaw: Tensor) -> Tensor:
    """Offsets [B,6] at `yaw` [B], linear between those found at the ascending `keys` [N]: estimators err smoothly."""
    if len(keys) == 1:
        return offsets.expand(len(yaw), -1)
    right = torch.searchsorted(keys, yaw.contiguous()).clamp(1, len(keys) - 1)
    span = (keys[right] - keys[right - 1]).clamp(min=1e-8)
    weight = ((yaw - keys[right - 1]) / span).clamp(0.0, 1.0)[:, None]
    return torch.lerp(offsets[right - 1], offsets[right], weight)
