"""Supervision of the shape that a code stands for, by the generator's own shapes (E3DGE, Eq. 2 and 4 to 6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Rays
from inv3d.core.generator import Generator, Scene
from inv3d.core.inversion.loop import Losses

_SOLID = 0.5
"""Coverage from which a ray ends on the surface."""


@dataclass(frozen=True)
class GeometryWeights:
    """The weights lambda_g1, lambda_g2 and lambda_g3 of Eq. 4 and 5, and how points around the surface are drawn."""

    surface: float = 1.0
    depth: float = 1.0
    around: float = 0.2
    scatter: float = 0.03
    """Standard deviation of the points near the surface, in sides of the generator's box."""


def geometry_losses(
    generator: Generator,
    predicted: Scene,
    true: Scene,
    rays: Rays,
    depth: Tensor,
    weights: GeometryWeights,
    random: torch.Generator,
    samples: int | None = None,
) -> Losses:
    """L_geo between the scenes of predicted and true codes, both of M.

    `depth` [M,P] is what the predicted scenes have along `rays` [M,P,3]. Points of the true surface (P_O) are where the
    rays meet it; those around it (P_F) are half near them, half anywhere in the box. The level of the field stands for
    the density, which says the same, but has no gradient far from the surface.
    """
    with torch.no_grad():
        found = generator.render_rays(true, rays, random, 1 << 20, samples)
        solid = (found.alpha > _SOLID).float()
        surface = rays.origins + rays.directions * found.depth[..., None]
        near = torch.randn(surface.shape, generator=random).to(surface) * (weights.scatter * generator.box)
        anywhere = (torch.rand(surface.shape, generator=random).to(surface) - 0.5) * generator.box
        # a ray that meets nothing has no surface to be near to
        around = torch.where(solid[..., None] > 0, surface + near, anywhere)
        around[:, ::2] = anywhere[:, ::2]
        points = torch.cat([surface, around], 1)
        level = generator.surface(true, points).level
    error = F.smooth_l1_loss(generator.surface(predicted, points).level, level, reduction="none")
    on_surface, off_surface = error.chunk(2, 1)
    count = solid.sum().clamp(min=1.0)
    return {
        "surface": weights.surface * (on_surface * solid).sum() / count,
        "depth": weights.depth * ((depth - found.depth).abs() * solid).sum() / count,
        "around": weights.around * off_surface.mean(),
    }
