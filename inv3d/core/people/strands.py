"""Strands: curves that grow from skin, fall, keep off the body, curl, and become ribbons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import warp as wp
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.mesh import Piece

wp.set_module_options({"enable_backward": False})


@wp.kernel
def grow(
    skin: wp.uint64, corners: wp.array(dtype=wp.int32), normals: wp.array(dtype=wp.vec3), steps: int, weight: float,
    curl: float, wave: float, turns: float, keep_off: float, roots: wp.array(dtype=wp.vec3),
    starts: wp.array(dtype=wp.vec3), lengths: wp.array(dtype=wp.float32), layers: wp.array(dtype=wp.float32),
    phases: wp.array(dtype=wp.float32), points: wp.array2d(dtype=wp.vec3), outward: wp.array2d(dtype=wp.vec3),
):  # fmt: skip
    """One strand each: `steps` steps from `roots` along `starts`, bent down by `weight`, never nearer to the skin than
    its layer. World units. `keep_off` drives hair out of the face."""
    i = wp.tid()
    p = roots[i]
    d = starts[i]
    h = lengths[i] / float(steps)
    o = wp.normalize(d)
    for k in range(steps + 1):
        q = wp.mesh_query_point_no_sign(skin, p, 1.0)
        if q.result:
            surface = wp.mesh_eval_position(skin, q.face, q.u, q.v)
            n = wp.normalize(
                normals[corners[3 * q.face]] * q.u
                + normals[corners[3 * q.face + 1]] * q.v
                + normals[corners[3 * q.face + 2]] * (1.0 - q.u - q.v)
            )
            away = wp.dot(p - surface, n)
            rise = layers[i] * wp.min(1.0, (float(k) + 0.4) * h / 0.03)
            if away < rise and wp.length(p - surface) < 0.12:
                moved = surface + n * rise
                if k > 0:
                    d = wp.normalize(d * h + (moved - p) * 0.7)
                p = moved
            if wp.length(p - surface) < 0.10:
                o = n
            else:
                o = wp.normalize(o + 0.3 * n)
        points[i, k] = p
        outward[i, k] = o
        bend = wp.min(1.2, weight * h * 16.0)
        d = wp.normalize(d + wp.vec3(0.0, -bend, 0.0))
        if keep_off > 0.0 and p[2] > 0.03 and p[1] < 0.15:
            out = wp.vec3(wp.sign(p[0]), 0.0, -1.3)
            inside = wp.max(0.0, 1.0 - wp.abs(p[0]) / 0.17)
            d = wp.normalize(d + out * (keep_off * wp.min(1.0, h * 30.0) * (0.15 + inside)))
        p = p + d * h
    # curls and waves around the finished path
    for k in range(steps + 1):
        s = float(k) * h
        before = wp.max(k - 1, 0)
        after = wp.min(k + 1, steps)
        tangent = wp.normalize(points[i, after] - points[i, before] + wp.vec3(1.0e-6, 0.0, 0.0))
        a = outward[i, k]
        b = wp.normalize(wp.cross(tangent, a) + wp.vec3(1.0e-6, 0.0, 0.0))
        ramp = wp.min(1.0, s / 0.05)
        angle = 6.2831853 * turns * s + phases[i]
        offset = b * (curl * wp.cos(angle)) + a * (curl * (1.0 + wp.sin(angle)))
        slow = 6.2831853 * 7.0 * s + 0.6 * phases[i]
        offset += (b * wp.cos(slow) + a * (0.6 + 0.6 * wp.sin(slow))) * wave
        # the path itself is kept in `outward` until all offsets are known
        outward[i, k] = a
        points[i, k] = points[i, k] + offset * ramp


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
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Points and outward normals [N,steps+1,3] of strands; see `grow`."""
    count, device = len(roots), roots.points.device
    points, outward = (torch.empty(count, steps + 1, 3, device=device) for _ in range(2))
    # neighbours turn nearly alike, so that locks form
    locks = torch.sin(roots.place * 210.0).sum(1) * 1.6 + 1.5 * roots.random[:, 5]
    wp.launch(
        grow, count,
        [skin.mesh.id, wp.from_torch(skin.corners), wp.from_torch(skin.normals, dtype=wp.vec3), steps, weight, curl, wave,
         turns, keep_off, wp.from_torch(roots.points.contiguous(), dtype=wp.vec3),
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
