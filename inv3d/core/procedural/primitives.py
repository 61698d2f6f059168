"""Signed distances of simple solids and the smooth joins between them.

Coordinates and sizes are tensors that broadcast against each other; distances are negative inside.
"""

from __future__ import annotations

import torch
from torch import Tensor


def length(*components: Tensor) -> Tensor:
    """Euclidean length, differentiable at zero."""
    total = components[0] * components[0]
    for component in components[1:]:
        total = total + component * component
    return torch.sqrt(total + 1e-12)


def ellipsoid(x: Tensor, y: Tensor, z: Tensor, a: Tensor | float, b: Tensor | float, c: Tensor | float) -> Tensor:
    """First-order distance to an axis-aligned ellipsoid with semi-axes a, b, c at the origin."""
    u, v, w = x / a, y / b, z / c
    scaled = length(u, v, w)
    return scaled * (scaled - 1.0) / length(u / a, v / b, w / c)


Point = tuple[Tensor | float, Tensor | float, Tensor | float]


def capsule(
    x: Tensor, y: Tensor, z: Tensor, start: Point, end: Point, r0: Tensor | float, r1: Tensor | float
) -> Tensor:
    """Distance to the segment start-end with a radius that goes linearly from `r0` to `r1`."""
    bx, by, bz = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    px, py, pz = x - start[0], y - start[1], z - start[2]
    h = ((px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz)).clamp(0.0, 1.0)
    return length(px - h * bx, py - h * by, pz - h * bz) - (r0 + (r1 - r0) * h)


def _corner(u: Tensor, v: Tensor) -> Tensor:
    """Distance in the plane to where both u and v are negative."""
    return length(u.clamp(min=0.0), v.clamp(min=0.0)) + torch.maximum(u, v).clamp(max=0.0)


def rounded_rectangle(x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float, radius: Tensor | float) -> Tensor:
    """Distance in the plane to a rectangle with half sides a, b and corners of a `radius` no larger than those."""
    return _corner(x.abs() - a + radius, y.abs() - b + radius) - radius


def slab(outline: Tensor, across: Tensor, half: Tensor | float, edge: float) -> Tensor:
    """Distance to a plate `half` thick to either side, with a flat `outline` (a distance in its plane) and edges that are
    rounded by `edge`; `across` is the distance from its middle. A negative thickness means that there is none."""
    return _corner(outline + edge, across.abs() - half + edge) - edge


def smooth_min(a: Tensor, b: Tensor | float, k: float) -> Tensor:
    """Union with a fillet of width `k` (quadratic blend)."""
    h = (0.5 + 0.5 * (b - a) / k).clamp(0.0, 1.0)
    return b + (a - b) * h - k * h * (1.0 - h)


def smooth_max(a: Tensor, b: Tensor | float, k: float) -> Tensor:
    """Intersection with a fillet of width `k`."""
    return -smooth_min(-a, -b, k)


def smooth_step(x: Tensor, low: float, high: float) -> Tensor:
    """Cubic step from 0 at `low` to 1 at `high`."""
    t = ((x - low) / (high - low)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
