"""Geometric consistency of several codes (Barthel et al. 2024, Eq. 7-9)."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.camera import Rays
from inv3d.core.head import Head


def mean_deviation(depths: Tensor) -> float:
    """Eq. 7-9 for `depths` [V,M,...] of M codes at each of V viewpoints: mean standard deviation over the codes."""
    return float(depths.std(1, correction=0).mean())


@torch.no_grad()
def depth_consistency(head: Head, viewpoints: int = 12, resolution: int = 32) -> float:
    """Mean standard deviation of depth maps, world units, over codes interpolated at evenly spaced viewpoints.

    The paper takes 60 viewpoints and as many codes; the value changes little with their number.
    """
    yaw = torch.linspace(*head.yaw_range, viewpoints, device=head.generator.device)
    cameras = head.camera(yaw, torch.zeros_like(yaw))
    scene = head.scene(head.track.at(cameras))
    depths = []
    for i in range(viewpoints):
        rays = Rays(*(r.expand(viewpoints, -1, -1) for r in cameras[i].rays(resolution)))
        depths.append(head.generator.render_rays(scene, rays).depth)
    return mean_deviation(torch.stack(depths))
