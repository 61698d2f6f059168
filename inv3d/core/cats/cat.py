"""The kind of cats, and where people look at them."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.cats.anatomy import EYE_Z
from inv3d.core.cats.coat import ORIGIN_Y, WORLD_PER_UNIT, albedo, signed_distance
from inv3d.core.cats.parameters import EXPRESSION_DIM, IDENTITY_DIM, Parameters, cat_parameters
from inv3d.core.procedural.aim import BODY, Aim
from inv3d.core.procedural.kind import Kind

_SHARES = {"body": BODY, "eyes": 0.16, "muzzle": 0.16, "ears": 0.18}
"""Of the rays aimed at each region; the rest goes to the front of the face."""


def targets(parameters: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Places [B,count,3] in the world that rays are aimed at."""
    p, aim = Parameters(parameters), Aim(len(parameters), generator, WORLD_PER_UNIT, ORIGIN_Y)
    counts = {name: int(count * share) for name, share in _SHARES.items()}
    body = aim.box(counts["body"], (0.26, 0.35, 0.22), (0.0, -0.02, 0.0))
    s = aim.side(counts["eyes"])
    eyes = aim.around(s * p.eye_spacing, 0 * s, EYE_Z + p.eye_radius, (0.026, 0.024, 0.010))
    s = torch.zeros(len(parameters), counts["muzzle"])
    muzzle = aim.around(s, s - 0.075, p.muzzle_length + 0.012, (0.034, 0.026, 0.016))
    s, along = aim.side(counts["ears"]), aim.uniform(counts["ears"])
    high = 0.58 * p.head_height + along * p.ear_length
    ears = aim.around(s * (0.60 * p.head_width + along * p.ear_spread), high, -0.01 + 0 * s, (0.030, 0.014, 0.016))
    face = aim.box(count - sum(counts.values()), (0.20, 0.18, 0.08), (0.0, -0.02, 0.11))
    return torch.cat([body, eyes, muzzle, ears, face], 1)


CAT = Kind(IDENTITY_DIM, EXPRESSION_DIM, cat_parameters, Parameters, signed_distance, albedo, targets)
