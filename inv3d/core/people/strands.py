"""Strands: curves that grow from skin, fall, keep off the body, curl, and become ribbons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import warp as wp
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.growth import grow
from inv3d.core.people.mesh import Piece


@dataclass(frozen=True)
class Roots:
    """N places strands grow from: `points` and `normals` [N,3] in the world, `place` [N,3] on the template, `random`
    [N,6] fixed uniform numbers."""

    points: Tensor
    normals: Tensor
    place: Tensor
    random: Tensor

    def select(self, which: Tensor) -> Roots:
        return Roots(self.points[which], self.normals[which], self.place[which], self.random[which])

    def __len__(self) -> int:
        return len(self.points)


class Skin:
    """The surface that strands grow from and keep off."""

    def __init__(self, vertices: Tensor, triangles: Tensor, normals: Tensor) -> None:
        self.vertices, self.normals = vertices.contiguous(), normals.contiguous()
        self.corners = triangles.int().flatten().contiguous()
        self.mesh = wp.Mesh(wp.from_torch(self.vertices, dtype=wp.vec3), wp.from_torch(self.corners), bvh_constructor="sah", bvh_leaf_size=4)


def grow_strands(
    skin: Skin, roots: Roots, starts: Tensor, lengths: Tensor, layers: Tensor, steps: int, weight: float = 0.0,
    curl: float = 0.0, wave: float = 0.0, turns: float = 0.0, keep_off: float = 0.0,
    cling: float = 0.0, target: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Points and outward normals [N,steps+1,3] of strands; see `grow`."""
    count, device = len(roots), roots.points.device
    points, outward = (torch.empty(count, steps + 1, 3, device=device) for _ in range(2))
    # neighbours turn nearly alike, so that locks form
    locks = torch.sin(roots.place * 210.0).sum(1) * 1.6 + 1.5 * roots.random[:, 5]
    wp.launch(
        grow, count,
        [skin.mesh.id, wp.from_torch(skin.corners), wp.from_torch(skin.normals, dtype=wp.vec3), steps, weight, curl, wave,
         turns, keep_off, cling, wp.vec3(*(target.tolist() if target is not None else (0.0, 0.0, 0.0))),
         0.0 if target is None else 1.0, wp.from_torch(roots.points.contiguous(), dtype=wp.vec3),
         wp.from_torch(F.normalize(starts, dim=1).contiguous(), dtype=wp.vec3), wp.from_torch(lengths.contiguous()),
         wp.from_torch(layers.contiguous()), wp.from_torch(locks.contiguous())],
        [wp.from_torch(points, dtype=wp.vec3), wp.from_torch(outward, dtype=wp.vec3)],
        device=str(device),
    )  # fmt: skip
    return points, outward


def ribbons(kind: int, points: Tensor, outward: Tensor, half: Tensor, depth: Tensor, roots: Roots) -> Piece:
    """Strands [N,S+1,3] as flat ribbons of half width `half` [N], tapered, turned a little about their axes.

    `depth` [N] says how much light reaches them in the body of hair.
    """
    count, steps = points.shape[0], points.shape[1] - 1
    device = points.device
    tangents = torch.empty_like(points)
    tangents[:, 1:-1] = points[:, 2:] - points[:, :-2]
    tangents[:, 0], tangents[:, -1] = points[:, 1] - points[:, 0], points[:, -1] - points[:, -2]
    tangents = F.normalize(tangents, dim=2, eps=1e-9)
    across = F.normalize(torch.linalg.cross(tangents, outward), dim=2, eps=1e-9)
    roll = ((roots.random[:, 3] - 0.5) * 1.5)[:, None, None]
    across = F.normalize(across * roll.cos() + torch.linalg.cross(tangents, across) * roll.sin(), dim=2, eps=1e-9)
    along = torch.linspace(0.0, 1.0, steps + 1, device=device)
    taper = (1.0 - 0.75 * along**3) * (0.55 + 0.45 * (along * 6.0).clamp(max=1.0))
    side = across * (half[:, None] * taper)[..., None]
    vertices = torch.stack([points - side, points + side], 2).reshape(-1, 3)
    place = torch.empty(count, steps + 1, 2, 3, device=device)
    place[..., 0] = along[None, :, None]
    place[..., 1] = torch.tensor([-1.0, 1.0], device=device)
    place[..., 2] = torch.arange(count, device=device)[:, None, None]
    extra = torch.empty(count, steps + 1, 2, 4, device=device)
    extra[..., :3] = outward[:, :, None]
    extra[..., 3] = (depth[:, None] * (0.55 + 0.45 * along))[..., None]
    first = (torch.arange(count, device=device)[:, None] * (steps + 1) + torch.arange(steps, device=device)) * 2
    triangles = torch.stack(
        [torch.stack([first, first + 1, first + 2], -1), torch.stack([first + 1, first + 3, first + 2], -1)], 2
    ).reshape(-1, 3)
    normals = tangents[:, :, None].expand(-1, -1, 2, -1).reshape(-1, 3)
    return Piece(kind, vertices, triangles, place.reshape(-1, 3), extra.reshape(-1, 4), normals=normals)
