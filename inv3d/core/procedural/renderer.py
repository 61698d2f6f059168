"""Sphere tracing and shading of procedural heads: exact depth and colour for any ray."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.procedural import surface
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.primitives import length

NEAR, FAR = 2.2, 3.25
"""Distances along the ray, in world units, between which a head of the canonical volume can be hit."""

_RELAXATION = 0.85  # the field is a distance only to first order; longer steps would cut corners
_HIT = 0.0008
_TRACE_ROUNDS = (4, 4, 4, 5, 6, 8, 10)  # steps between two compactions of the active rays
_NORMAL_OFFSET = 0.0015
_HALF_VECTOR = (0.3, 0.42, 0.86)

Channels = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class HeadRender:
    """`image` [B,3,H,W] in [-1,1], `alpha` [B,1,H,W] in [0,1], `depth` [B,1,H,W] along the ray (FAR where empty)."""

    image: Tensor
    alpha: Tensor
    depth: Tensor


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=True)


class HeadRenderer:
    """Renders heads given as parameter matrices (see `parameters.head_parameters`).

    `compiled` fuses the distance field and the colours with torch.compile: worth it for data sets (needs a C++
    compiler, about a minute to start), not for a handful of pictures.
    """

    def __init__(self, compiled: bool = False) -> None:
        self._distance: Callable[..., Tensor] = surface.signed_distance
        self._albedo: Callable[..., Channels] = surface.albedo
        if compiled:
            self._distance, self._albedo = _compiled(surface.signed_distance), _compiled(surface.albedo)

    def distance(self, points: Tensor, parameters: Tensor) -> Tensor:
        """Signed distance [B,P] in world units at `points` [B,P,3] of the heads `parameters` [B,K]."""
        x, y, z = (c.contiguous() for c in points.unbind(-1))
        return self._distance(x, y, z, parameters)

    def trace(
        self, origins: Tensor, directions: Tensor, parameters: Tensor, near: float = NEAR, far: float = FAR
    ) -> tuple[Tensor, Tensor]:
        """Distance along the ray [B,P] and whether it hit [B,P], for rays [B,P,3] (one head per row)."""
        rows = [
            self._trace_one(origins[i], directions[i], parameters[i : i + 1], near, far) for i in range(len(parameters))
        ]
        distance, hit = zip(*rows, strict=True)
        return torch.stack(distance), torch.stack(hit)

    def _trace_one(
        self, origins: Tensor, directions: Tensor, parameters: Tensor, near: float, far: float
    ) -> tuple[Tensor, Tensor]:
        """Sphere tracing of rays [P,3] for one head; rays that are done leave the computation."""
        count = len(origins)
        distance = origins.new_full((count,), near)
        hit = torch.zeros(count, dtype=torch.bool, device=origins.device)
        active = torch.arange(count, device=origins.device)
        for round_, steps in enumerate(_TRACE_ROUNDS):
            ox, oy, oz = (c[None, active] for c in origins.unbind(-1))
            dx, dy, dz = (c[None, active] for c in directions.unbind(-1))
            t = distance[None, active]
            step = t
            for _ in range(steps):
                step = self._distance(
                    torch.addcmul(ox, dx, t), torch.addcmul(oy, dy, t), torch.addcmul(oz, dz, t), parameters
                )
                t = t + step * _RELAXATION
            reached = (step < (0.005 if round_ == len(_TRACE_ROUNDS) - 1 else _HIT))[0]
            distance[active] = t[0]
            hit[active] = reached & (t[0] < far)
            active = active[~reached & (t[0] < far)]
            if len(active) == 0:
                break
        return distance, hit

    def normals(self, points: Tensor, parameters: Tensor) -> Tensor:
        """Unit outward normals [B,P,3] from four field samples around each point."""
        signs = points.new_tensor([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
        gradient = sum(sign * self.distance(points + _NORMAL_OFFSET * sign, parameters)[..., None] for sign in signs)
        return F.normalize(gradient, dim=-1)

    def shade(self, points: Tensor, parameters: Tensor) -> Tensor:
        """Colours [B,P,3] in [0,1] at surface points: three soft lights fixed to the head, sky, ambient occlusion.

        The shading does not depend on the view, so that one colour per point describes a head.
        """
        normal = self.normals(points, parameters)
        nx, ny, nz = normal.unbind(-1)
        x, y, z = (c.contiguous() for c in points.unbind(-1))
        colour = self._albedo(x, y, z, parameters)
        occlusion = torch.ones_like(nx)
        for height, weight in ((0.015, 9.0), (0.04, 4.0), (0.09, 1.8)):
            gap = height - self.distance(points + normal * height, parameters)
            occlusion = occlusion - 0.75 * weight * gap.clamp(min=0.0)
        occlusion = occlusion.clamp(0.25, 1.0)

        def light(direction: tuple[float, float, float], wrap: float) -> Tensor:
            norm = math.sqrt(sum(c * c for c in direction))
            cosine = (nx * direction[0] + ny * direction[1] + nz * direction[2]) / norm
            return ((cosine + wrap) / (1.0 + wrap)).clamp(min=0.0)

        key = light((0.55, 0.65, 0.85), 0.35) * (0.35 + 0.65 * occlusion)
        fill, back = light((-0.8, 0.1, 0.6), 0.5), light((-0.2, 0.5, -0.9), 0.4)
        sky = 0.5 + 0.5 * ny
        specular = light(_HALF_VECTOR, 0.0) ** 24 * 0.09 * occlusion
        tints = ((0.74, 0.17, 0.30, 0.24), (0.70, 0.18, 0.31, 0.25), (0.66, 0.20, 0.33, 0.28))
        channels = [
            c * (occlusion * (s * sky + f * fill + b * back) + k * key) + specular
            for c, (k, f, b, s) in zip(colour, tints, strict=True)
        ]
        return torch.stack(channels, -1).clamp(0.0, 1.0)

    @torch.no_grad()
    def render(
        self, parameters: Tensor, camera: Camera, resolution: int | tuple[int, int], supersample: int = 2
    ) -> HeadRender:
        """Render head i with camera i; [B] of both. `supersample` squared rays are averaged per pixel."""
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        renders = [
            self._render_one(parameters[i : i + 1], camera[i], height * supersample, width * supersample)
            for i in range(len(camera))
        ]
        image, alpha, depth = (torch.cat(maps) for maps in zip(*renders, strict=True))
        if supersample > 1:
            image, alpha, depth = (F.avg_pool2d(m, supersample) for m in (image, alpha, depth))
        return HeadRender(image * 2.0 - 1.0, alpha, depth)

    def _render_one(self, parameters: Tensor, camera: Camera, height: int, width: int) -> Channels:
        origins, directions = camera.rays((height, width))
        radius = float(length(*camera.position[0]))
        t, hit = self.trace(origins, directions, parameters, NEAR + radius - 2.7, FAR + radius - 2.7)
        image = torch.stack(Parameters(parameters).colour("background"), -1).reshape(1, 1, 3).repeat(1, t.shape[1], 1)
        points = (origins + directions * t[..., None])[hit][None]
        if points.shape[1]:
            image[hit] = self.shade(points, parameters)[0]
        depth = torch.where(hit, t, torch.full_like(t, FAR))
        shape = (1, -1, height, width)
        return image.transpose(1, 2).reshape(shape), hit.float().reshape(shape), depth.reshape(shape)
