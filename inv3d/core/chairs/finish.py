"""Colours of a chair: wood with its grain, paint, metal, cloth of one colour or striped."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.chairs.joinery import parts
from inv3d.core.chairs.parameters import Parameters
from inv3d.core.procedural.kind import Channels
from inv3d.core.procedural.primitives import smooth_step

_BLEND = 0.0012  # width of the colour transition between two parts


def signed_distance(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Tensor:
    """Distance to the chair [N,P], negative inside; a lower bound up to a factor of about 0.85."""
    return parts(x, y, z, Parameters(parameters)).nearest()


def albedo(x: Tensor, y: Tensor, z: Tensor, parameters: Tensor) -> Channels:
    """Unshaded colour at surface points, three channels [N,P] in [0,1]."""
    p = Parameters(parameters)
    blend = parts(x, y, z, p).blend(_BLEND)
    rings = torch.sin(210.0 * x + 3.0 * torch.sin(23.0 * y + 17.0 * z)) + torch.sin(160.0 * z + 40.0 * y)
    grain = 1.0 + 0.07 * p.grain * rings
    weave = 1.0 + 0.04 * torch.sin(400.0 * x) * torch.sin(400.0 * (y + z))
    striped = p.stripes * smooth_step(torch.sin(130.0 * p.stripe_scale * x), -0.25, 0.25)
    names = ("frame", "seat", "base", "fabric", "stripe")
    channels = []
    for frame, seat, base, fabric, stripe in zip(*(p.colour(name) for name in names), strict=True):
        cloth = (fabric + striped * (stripe - fabric)) * weave
        channels.append(blend.of((frame * grain, seat * grain, base.expand_as(x), cloth)).clamp(0.0, 1.0))
    return channels[0], channels[1], channels[2]
