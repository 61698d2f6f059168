"""Sphere tracing and shading of figures given as signed distance fields: exact depth and colour for any ray."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera, screen_height
from inv3d.core.procedural.kind import Channels, Kind
from inv3d.core.procedural.named import Named
from inv3d.core.procedural.primitives import length
from inv3d.core.procedural.toon import TOON

NEAR, FAR = 2.2, 3.25
"""Distances along the ray, in world units, between which a head of the canonical volume can be hit."""

_RELAXATION = 0.85  # the field is a distance only to first order; longer steps would cut corners
_HIT = 0.0008
_TRACE_ROUNDS = (4, 4, 4, 5, 6, 8, 10)  # steps between two compactions of the active rays
_NORMAL_OFFSET = 0.0015
_FILL, _BACK = (-0.796, 0.100, 0.597), (-0.191, 0.476, -0.858)
_TINTS = ((0.74, 0.17, 0.30, 0.24), (0.70, 0.18, 0.31, 0.25), (0.66, 0.20, 0.33, 0.28))  # key, fill, back, sky
_LENS = 0.10  # grey of tinted glass


@dataclass(frozen=True)
class HeadRender:
    """`image` [B,3,H,W] in [-1,1], `alpha` [B,1,H,W] in [0,1], `depth` [B,1,H,W] along the ray (FAR where empty)."""

    image: Tensor
    alpha: Tensor
    depth: Tensor


def backdrop(height: Tensor, p: Named) -> Tensor:
    """The background [B,P,3] at `height` [B,P] in the picture: one colour above another, with a soft or sharp edge."""
    below, above = (torch.stack(p.colour(name), -1) for name in ("background", "backdrop"))
    step = torch.sigmoid((height - p.backdrop_height) * p.backdrop_edge)
    return below + step[..., None] * (above - below)


@functools.cache
def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one kernel; needs a C++ compiler."""
    return torch.compile(function, dynamic=True)


class HeadRenderer:
    """Renders heads of a `kind` given as parameter matrices (see `parameters.head_parameters`).

    `compiled` fuses the distance field and the colours with torch.compile: worth it for data sets (needs a C++
    compiler, about a minute to start), not for a handful of pictures.
    """

    def __init__(self, compiled: bool = False, kind: Kind = TOON) -> None:
        self.kind = kind
        self._distance: Callable[..., Tensor] = kind.signed_distance
        self._albedo: Callable[..., Channels] = kind.albedo
        if compiled:
            self._distance, self._albedo = fused(kind.signed_distance), fused(kind.albedo)

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
        """Colours [B,P,3] in [0,1] at surface points: a key light, two fill lights, sky, ambient occlusion.

        Lights are fixed to the head and do not depend on the view, so that one colour per point describes a head.
        """
        p = self.kind.parameters(parameters)
        normal = self.normals(points, parameters)
        nx, ny, nz = normal.unbind(-1)
        x, y, z = (c.contiguous() for c in points.unbind(-1))
        colour = self._albedo(x, y, z, parameters)
        occlusion = torch.ones_like(nx)
        for height, weight in ((0.015, 9.0), (0.04, 4.0), (0.09, 1.8)):
            gap = height - self.distance(points + normal * height, parameters)
            occlusion = occlusion - 0.75 * weight * gap.clamp(min=0.0)
        occlusion = occlusion.clamp(0.25, 1.0)

        def light(direction: tuple[Tensor | float, Tensor | float, Tensor | float], wrap: float) -> Tensor:
            cosine = nx * direction[0] + ny * direction[1] + nz * direction[2]
            return ((cosine + wrap) / (1.0 + wrap)).clamp(min=0.0)

        towards = (p.light_x, p.light_y, p.light_z)
        key = p.light_contrast * light(towards, 0.35) * (0.35 + 0.65 * occlusion)
        fill = (1.6 - 0.6 * p.light_contrast) * light(_FILL, 0.5)
        back, sky = light(_BACK, 0.4), (1.3 - 0.3 * p.light_contrast) * (0.5 + 0.5 * ny)
        half = (0.5 * p.light_x, 0.5 * p.light_y, 0.5 * p.light_z + 0.5)
        norm = length(*half)
        specular = light((half[0] / norm, half[1] / norm, half[2] / norm), 0.0) ** 24 * 0.09 * occlusion
        channels = []
        for colour_, (k, f, b, s), warm in zip(colour, _TINTS, (0.08, 0.0, -0.10), strict=True):
            lit = occlusion * (s * sky + f * fill + b * back) + k * (1.0 + warm * p.light_warmth) * key
            channels.append(colour_ * lit + specular)
        return torch.stack(channels, -1).clamp(0.0, 1.0)

    def seen(
        self, origins: Tensor, directions: Tensor, distance: Tensor, colours: Tensor, parameters: Tensor
    ) -> Tensor:
        """Surface `colours` [B,P,3] as they look through the lenses of glasses, if there are any."""
        if self.kind.lenses is None:
            return colours
        cover, glare = self.kind.lenses(origins, directions, distance, parameters)
        cover, glare = cover[..., None], glare[..., None]
        return colours * (1.0 - cover) + cover * (_LENS * (1.0 - 0.6 * glare) + 0.6 * glare)

    @torch.no_grad()
    def render_rays(self, parameters: Tensor, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Colours [B,P,3] in [0,1], hits [B,P] and depths [B,P] (FAR where empty) of rays [B,P,3], one head per row."""
        rows = [
            self._render_one(parameters[i : i + 1], origins[i : i + 1], directions[i : i + 1])
            for i in range(len(parameters))
        ]
        colours, hit, depth = (torch.cat(maps) for maps in zip(*rows, strict=True))
        return colours, hit, depth

    def _render_one(self, parameters: Tensor, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        radius = float(length(*origins[0, 0]))
        t, hit = self.trace(origins, directions, parameters, NEAR + radius - 2.7, FAR + radius - 2.7)
        colours = backdrop(screen_height(origins, directions), self.kind.parameters(parameters))
        if hit.any():
            o, d, t_hit = origins[hit][None], directions[hit][None], t[hit][None]
            shaded = self.shade(o + d * t_hit[..., None], parameters)
            colours[hit] = self.seen(o, d, t_hit, shaded, parameters)[0]
        return colours, hit, torch.where(hit, t, torch.full_like(t, FAR))

    @torch.no_grad()
    def render(
        self, parameters: Tensor, camera: Camera, resolution: int | tuple[int, int], supersample: int = 2
    ) -> HeadRender:
        """Render head i with camera i; [B] of both. `supersample` squared rays are averaged per pixel."""
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        size = (height * supersample, width * supersample)
        pictures: list[Channels] = []
        for i in range(len(camera)):
            colours, hit, depth = self.render_rays(parameters[i : i + 1], *camera[i].rays(size))
            maps = (
                colours.transpose(1, 2).reshape(1, 3, *size),
                *(m.reshape(1, 1, *size) for m in (hit.float(), depth)),
            )
            pictures.append(tuple(F.avg_pool2d(m, supersample) for m in maps) if supersample > 1 else maps)  # type: ignore[arg-type]
        image, alpha, depth = (torch.cat(maps) for maps in zip(*pictures, strict=True))
        return HeadRender(image * 2.0 - 1.0, alpha, depth)
