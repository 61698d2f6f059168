"""Depth-based warping and depth smoothness (Ko et al. 2023, "3D GAN Inversion with Pose Optimization", Eq. 10-12)."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.generator import Render
from inv3d.core.resampling import sample

_SOLID = 0.9  # alpha above which a pixel shows only the head
_HIDDEN = 0.03  # world units by which a point must lie behind the surface to count as hidden


def surface_points(render: Render, camera: Camera) -> Tensor:
    """World points [B,P,3] that the pixels of a render show."""
    origins, directions = camera.rays(render.depth.shape[-1])
    return origins + directions * render.depth.flatten(1)[..., None]


def warp(image: Tensor, seen: Render, camera: Camera, other: Render, other_camera: Camera) -> Tensor:
    """`image` [B,3,H,W], taken by `camera`, as it looks from `other_camera` [B,3,r,r]; differentiable in both cameras.

    `other` says where the surface is, `seen` (a render by `camera`) which part of it the image shows. What it does not
    show is filled with `other.image_raw`.
    """
    size = other.depth.shape[-1]
    points = surface_points(other, other_camera)
    uv, distance = camera.project(points)  # Eq. 10
    grid = (2.0 * uv - 1.0).reshape(-1, size, size, 2)
    found = sample(image, grid)
    nearest = sample(seen.depth, grid)[:, 0]
    visible = (distance.reshape_as(nearest) < nearest + _HIDDEN) & (grid.abs().amax(-1) < 1.0)
    visible = visible & (other.alpha[:, 0] > _SOLID)
    return torch.where(visible[:, None], found, other.image_raw)


def depth_smoothness(depth: Tensor, alpha: Tensor) -> Tensor:
    """Mean squared difference [B] between neighbouring depths of a map [B,1,H,W] (Eq. 12), where `alpha` covers both.

    The step from the head to the background is not roughness of the head, nor is its translucent outline.
    """
    solid = (alpha > _SOLID).float()
    total = depth.new_zeros(len(depth))
    for axis in (-2, -1):
        a, b = depth.narrow(axis, 1, depth.shape[axis] - 1), depth.narrow(axis, 0, depth.shape[axis] - 1)
        both = solid.narrow(axis, 1, solid.shape[axis] - 1) * solid.narrow(axis, 0, solid.shape[axis] - 1)
        total = total + ((a - b).square() * both).flatten(1).mean(1)
    return total
