"""Where people look at stylised heads: the places that training samples are taken from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inv3d.core.procedural.aim import BODY, Aim
from inv3d.core.procedural.parameters import Parameters
from inv3d.core.procedural.surface import HEAD_OFFSET_Y, WORLD_PER_HEAD_UNIT
from inv3d.core.procedural.wear import LENS_Z

_SHARES = {"body": BODY, "eyes": 0.16, "mouth": 0.12, "brows": 0.07, "ears": 0.08, "glasses": 0.07, "hairline": 0.09}
"""Of the rays aimed at each region; the rest goes to the front of the face."""


def targets(parameters: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Places [B,count,3] in the world that rays are aimed at."""
    p, aim = Parameters(parameters), Aim(len(parameters), generator, WORLD_PER_HEAD_UNIT, HEAD_OFFSET_Y)
    counts = {name: int(count * share) for name, share in _SHARES.items()}

    def face(n: int) -> Tensor:
        return aim.box(n, (0.125, 0.16, 0.05), (0.0, -0.02, 0.13))

    body = aim.box(counts["body"], (0.26, 0.33, 0.24), (0.0, -0.04, 0.0))
    s = aim.side(counts["eyes"])
    eyes = aim.around(s * p.eye_spacing, 0.012 + 0 * s, 0.101 + p.eye_radius, (0.026, 0.020, 0.008))
    s = torch.zeros(len(parameters), counts["mouth"])
    mouth = aim.around(s, s - 0.103, s + 0.136, (0.036, 0.020, 0.012))
    s = aim.side(counts["brows"])
    brows = aim.around(s * (p.eye_spacing + 0.004), 0.056 + p.brow_raise, 0.135 + 0 * s, (0.028, 0.010, 0.010))
    s = aim.side(counts["ears"])
    ears = aim.around(s * (p.head_width + 0.008), -0.008 + 0 * s, -0.015 + 0 * s, (0.012, 0.032, 0.020))
    n = counts["glasses"]
    s, angle = aim.side(n), aim.uniform(n) * 2.0 * math.pi
    rim = aim.around(
        s * p.eye_spacing + p.glasses_size * angle.cos(), 0.010 + 0.9 * p.glasses_size * angle.sin(),
        LENS_Z + 0 * s, (0.005, 0.005, 0.004),
    )  # fmt: skip
    glasses = torch.where((p.glasses > -0.004)[..., None], rim, face(n))
    x = (aim.uniform(counts["hairline"]) * 2.0 - 1.0) * 0.115
    line = p.hair_line - 1.1 * x * x + 0.35 * p.parting * x
    line = torch.where(p.hat > -0.035, 0.120 + 0 * x, line)
    hairline = aim.around(x, line, 0.115 - 3.0 * x * x, (0.010, 0.018, 0.018))
    rest = face(count - sum(counts.values()))
    return torch.cat([body, eyes, mouth, brows, ears, glasses, hairline, rest], 1)
