"""Features that no stylised head has in the training data: face paint, a scar, a scarf, a patterned cap, asymmetry.

To a generator that has learned stylised heads alone, these are what real people are to a generator of photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.procedural import surface
from inv3d.core.procedural.kind import Channels
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.primitives import ellipsoid, length, smooth_max, smooth_step
from inv3d.core.procedural.renderer import HeadRenderer, fused

_BLUE, _WHITE, _RED = (0.10, 0.25, 0.75), (0.95, 0.95, 0.92), (0.80, 0.12, 0.12)
_GREEN, _CREAM, _PINK, _YELLOW = (0.10, 0.36, 0.25), (0.93, 0.86, 0.70), (0.86, 0.55, 0.50), (0.96, 0.78, 0.15)


@dataclass(frozen=True)
class Oddities:
    """Which of them a head has; `skew` is the asymmetry in head units at the height of the jaw."""

    paint: bool = False
    scar: bool = False
    scarf: bool = False
    cap: bool = False
    skew: float = 0.0


class OddHeadRenderer(HeadRenderer):
    """Renders heads with oddities, with exact depth; `compiled` as for its parent."""

    def __init__(self, oddities: Oddities, compiled: bool = False) -> None:
        super().__init__()
        self.oddities = oddities
        self._distance, self._albedo = self._odd_distance, self._odd_albedo
        if compiled:
            self._distance, self._albedo = fused(self._odd_distance), fused(self._odd_albedo)

    def _bend(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """World coordinates in the head before it was bent: jaw and nose lean to one side, one eye sits lower."""
        unit = surface.WORLD_PER_HEAD_UNIT
        below = smooth_step(-y / unit, -0.05, 0.15) * smooth_step(z / unit, -0.05, 0.10)
        side = torch.tanh(x / (0.05 * unit)) * smooth_step(z / unit, 0.0, 0.10)
        level = torch.exp(-((y / unit - 0.03) ** 2) / 0.004)
        skew = self.oddities.skew * unit
        return x - skew * below, y - 0.35 * skew * side * level, z

    def _worn(self, x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Distances to the scarf and to the cap, in head units; far where there is none."""
        p = Parameters(parameters)
        far = torch.full_like(x, 1.0)
        scarf, cap = far, far
        if self.oddities.scarf:
            ring = torch.sqrt(x * x + 1.15 * (z + 0.020) ** 2 + 1e-9) - 0.105
            folds = 0.006 * torch.sin(4.0 * torch.atan2(x, z + 0.02) + 60.0 * y)
            scarf = torch.minimum(
                length(ring, 0.9 * (y + 0.218 + 0.18 * z)) - 0.036 - folds,
                length(ring + 0.012, 0.9 * (y + 0.262 + 0.18 * z)) - 0.042 + folds,
            )
        if self.oddities.cap:
            grow = 0.030 + p.hair_volume.clamp(min=0.0)
            cap = ellipsoid(x, y - 0.064, z + 0.034, p.head_width + grow, p.head_height + grow, p.head_depth + grow)
            cap = smooth_max(cap, 0.112 + 0.25 * (z - 0.10) - y, 0.010)
            peak = smooth_max(length(x / 1.1, z - 0.150) - 0.085, (y - 0.124 + 2.0 * x * x).abs() - 0.005, 0.006)
            cap = torch.minimum(cap, peak)
        return scarf, cap

    def _odd_distance(self, x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Tensor:
        bent = self._bend(x, y, z)
        unit = surface.WORLD_PER_HEAD_UNIT
        worn = torch.minimum(*self._worn(*surface.to_head(*bent), parameters)) * unit
        distance = torch.minimum(surface.signed_distance(*bent, parameters), worn)
        # bends and folds stretch space, so that the steps of sphere tracing must be shorter
        return distance * (0.8 if self.oddities.skew or self.oddities.scarf else 1.0)

    def _odd_albedo(self, x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Channels:
        bent = self._bend(x, y, z)
        colour = surface.albedo(*bent, parameters)
        own = surface.signed_distance(*bent, parameters) / surface.WORLD_PER_HEAD_UNIT
        x, y, z = surface.to_head(*bent)
        scarf, cap = self._worn(x, y, z, parameters)
        face = smooth_step(z, 0.02, 0.05)
        layers: list[tuple[Tensor, tuple[float, float, float]]] = []
        if self.oddities.paint:
            cheek = smooth_step(0.026 - (y + 0.045).abs(), 0.0, 0.003) * smooth_step(x.abs(), 0.032, 0.036) * face
            stripe = smooth_step(torch.sin(300.0 * y), -0.2, 0.2)
            layers += [(cheek, _BLUE), (cheek * stripe, _WHITE)]
            angle = torch.atan2(x, y - 0.090)
            star = smooth_step(0.020 + 0.010 * torch.cos(5.0 * angle) - length(x, y - 0.090), 0.0, 0.003) * face
            layers.append((star, _RED))
        if self.oddities.scar:
            along = (x - 0.045) * 0.5 + (y + 0.01) * -0.866
            across = (x - 0.045) * 0.866 + (y + 0.01) * 0.5 + 0.004 * torch.sin(90.0 * along)
            line = smooth_step(0.0045 - across.abs(), 0.0, 0.002) * smooth_step(0.075 - along.abs(), 0.0, 0.01)
            layers.append((0.85 * line * face, _PINK))
        plaid = smooth_step(torch.sin(22.0 * torch.atan2(x, z + 0.02)), -0.1, 0.1)
        weave = smooth_step(torch.sin(190.0 * y), -0.1, 0.1)
        dots = torch.sin(70.0 * torch.atan2(x, z + 0.034) * 0.16) * torch.sin(75.0 * y)
        on_scarf, on_cap = ((worn < own).to(x.dtype) for worn in (scarf, cap))
        layers += [(on_scarf, _GREEN), (on_scarf * 0.5 * (plaid + weave), _CREAM)]
        layers += [(on_cap, _RED), (on_cap * smooth_step(dots, 0.25, 0.45), _YELLOW)]
        red, green, blue = colour
        for cover, (r, g, b) in layers:
            red, green, blue = (c + cover * (k - c) for c, k in zip((red, green, blue), (r, g, b), strict=True))
        return red, green, blue
