"""The body below a head: whether it stays where it is while the head turns, and where frames show it then.

Cameras are told relative to the head. A body that has turned with it, or past which the camera went, is where those cameras see
its points. One that stays, as people sit when they film themselves, is at the same place of all pictures.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera

_NECK = (-0.26, -0.18)  # heights, world units, below which an aligned head has its body, and above which it has none
_SURE = 0.9  # share of the body, and coverage, above which a pixel shows nothing else
_CLEARLY = 0.8  # of the differences that pictures of a body that has turned would show: what wrong depths do is less


def body_of(points: Tensor) -> Tensor:
    """How far [P] points [3,P] of an aligned head belong to its body: 1, falling to 0 along the neck."""
    low, high = _NECK
    return ((high - points[1]) / (high - low)).clamp(0.0, 1.0)


def stayed(points: Tensor, camera: Camera, cameras: Camera) -> Tensor:
    """Where points [3,P] of a body that stays, seen by `camera` [1], are relative to the head when it is turned to `cameras` [K]:
    [K,3,P]."""
    return cameras.cam2world[:, :3, :3] @ camera.cam2world[:, :3, :3].mT @ points


def body_stays(pictures: Tensor, cameras: Camera, depth: Tensor) -> bool:
    """Whether the body of a head in pictures [K,4,s,s] of colours and coverage in [0,1], with the `depth` [K,1,s,s] of their pixels,
    stays where it is: whether each shows it as the next ones by yaw do, clearly more so than if it had turned with the head. Of a
    single picture nobody knows: False."""
    turned, still = 0.0, 0.0
    for row, other in pairwise(cameras.yaw.argsort().tolist()):
        rays, own = cameras[row].rays(depth.shape[-1]), pictures[row].flatten(1)
        points = (rays.origins[0] + rays.directions[0] * depth[row].reshape(-1, 1)).T
        some = (torch.minimum(body_of(points), own[3]) > _SURE).nonzero()[:, 0]
        points, colours = points[:, some], own[:3, some]
        there = torch.cat([points[None], stayed(points, cameras[row], cameras[other])])
        places = 2.0 * cameras[[other, other]].project(there.mT)[0] - 1.0
        shown = F.grid_sample(pictures[[other, other], :3], places[:, None], align_corners=False)[:, :, 0]
        inside = places.abs().amax((0, 2)) < 1.0
        differences = ((shown - colours).abs().mean(1) * inside).sum(1)
        turned, still = turned + float(differences[0]), still + float(differences[1])
    return still < _CLEARLY * turned
