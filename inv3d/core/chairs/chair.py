"""The kind of chairs, and where training looks at them."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.chairs.finish import albedo, signed_distance
from inv3d.core.chairs.joinery import FRONT, REAR, leg_foot
from inv3d.core.chairs.parameters import EXPRESSION_DIM, FLOOR, IDENTITY_DIM, Parameters, chair_parameters
from inv3d.core.procedural.aim import BODY, Aim
from inv3d.core.procedural.kind import Kind

_SHARES = {"body": BODY, "legs": 0.22, "middle": 0.06, "back": 0.20, "arms": 0.08}
"""Of the rays aimed at each region; the rest goes to the seat."""


def targets(parameters: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Places [B,count,3] in the world that rays are aimed at."""
    p, aim = Parameters(parameters), Aim(len(parameters), generator)
    counts = {name: int(count * share) for name, share in _SHARES.items()}
    body = aim.box(counts["body"], (0.20, 0.27, 0.20), (0.0, 0.0, 0.0))

    s, along = aim.side(counts["legs"]), aim.uniform(counts["legs"])
    (x1, front), (_, rear) = leg_foot(p, FRONT), leg_foot(p, REAR)
    z1 = torch.where(aim.side(counts["legs"]) > 0.0, front, rear)
    legs = aim.around(s * x1, FLOOR + along * (p.seat_height - FLOOR), z1, (0.016, 0.010, 0.016))
    s = torch.zeros(len(parameters), counts["middle"])
    middle = aim.around(s, FLOOR + aim.uniform(counts["middle"]) ** 2 * (p.seat_height - FLOOR), s, (0.06, 0.010, 0.06))
    up = aim.uniform(counts["back"]) * p.back_height
    x = (2.0 * aim.uniform(counts["back"]) - 1.0) * p.back_width
    back = aim.around(x, p.seat_height + up, -0.86 * p.half_depth - p.back_lean * up, (0.014, 0.010, 0.012))
    s, along = aim.side(counts["arms"]), 2.0 * aim.uniform(counts["arms"]) - 1.0
    arms = aim.around(s * p.half_width, p.seat_height + p.arm_height, 0.7 * along * p.half_depth, (0.014, 0.020, 0.012))
    n = count - sum(counts.values())
    x, z = (2.0 * aim.uniform(2, n) - 1.0).unbind(1)
    seat = aim.around(x * p.half_width, p.seat_height + p.seat_thickness, z * p.half_depth, (0.014, 0.010, 0.014))
    return torch.cat([body, legs, middle, back, arms, seat], 1)


CHAIR = Kind(
    IDENTITY_DIM, EXPRESSION_DIM, chair_parameters, Parameters, signed_distance, albedo, targets, all_round=True, varied=True
)
