"""The texture of a mesh, baked from pictures of the head.

A texel, and a vertex of a mesh without texture, takes its colour mostly from the picture that sees it best: from the front,
unhidden, where the picture can be trusted. Only fine detail comes from that picture alone; coarse colours are a blend of all
that see the texel, so that no seam shows where the best picture changes (Allène et al. 2008; Burt and Adelson 1983). What no
picture shows keeps the colour of the radiance field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.generator import Render
from inv3d.export.pictures import to_floats
from inv3d.export.raster import Floats, project, rasterise, sample
from inv3d.export.unwrap import Unwrapped

_SHARPNESS = 16  # exponent of the cosine to a picture, for detail: a blend of pictures that disagree a little shows none
_SOFTNESS = 2  # the same for coarse colours, which pictures that disagree a little have in common
_COARSE = 0.02  # standard deviation of the blur that leaves the coarse colours, of a picture's size
_TRUSTING = 4  # exponent of the trust in a picture
_LEAST_FACING, _LEAST_TRUST = 0.25, 0.04  # cosine and trust below which the radiance field knows better
_FIELD = 1e-15  # weight of the radiance field's colour, which counts where no picture does
_ROUNDS = 20  # of smoothing the normals that choose pictures: an eye comes from one picture, whatever its lids do
_HIDDEN = 0.012  # of the head's height: a point that lies so much behind the surface is hidden
_SOLID = 0.9  # coverage of a pixel that shows the head alone; mattes of people are not wholly opaque inside
_RIM = 2  # pixels next to the background that are not trusted either
_DEPTHS = 384  # pixels per side of the depth maps that tell what is hidden
_TEXELS = 1 << 19  # texels that are coloured at a time
_AGREEMENT = 0.08  # by which a photo may differ from the head's own render, of the range of colours
_BLUR = 9  # pixels over which this difference is taken
_OWN_TRUST = 0.4  # of the head's own renders next to a photo


@dataclass(frozen=True)
class Shot:
    """A picture of the head: `image` [H,W,3] in [0,1], its camera, how far each of its pixels can be trusted,
    `trust` [h,w] in [0,1], and how many times a texture prefers it to others that see as much."""

    image: NDArray[np.float32]
    camera: Camera
    trust: NDArray[np.float32]
    preference: float = 1.0


def own_shot(render: Render, camera: Camera, preference: float = 1.0) -> Shot:
    """One of the head's own renders, trusted where it shows the head alone."""
    return Shot(to_floats(render.image), camera, inside(render).mul(_OWN_TRUST)[0, 0].cpu().numpy(), preference)


def photo_shot(image: Tensor, render: Render, camera: Camera) -> Shot:
    """An aligned photo [3,R,R] in [-1,1], trusted where it agrees with the head's `render` from the same camera."""
    size = render.alpha.shape[-2:]
    photo, own = (F.interpolate(each.cpu(), size, mode="area") for each in (image[None], render.image))
    difference = F.avg_pool2d((photo - own) / 2, _BLUR, 1, _BLUR // 2, count_include_pad=False).norm(dim=1)
    trust = torch.exp(-((difference / _AGREEMENT) ** 2)) * inside(render)[:, 0].cpu()
    return Shot(to_floats(image[None]), camera, trust[0].numpy())


def inside(render: Render) -> Tensor:
    """Where a render shows the head alone [B,1,h,w], from 0 at the background to 1 a few pixels further in."""
    open_sky = (render.alpha < _SOLID).float()
    near = F.max_pool2d(open_sky, 2 * _RIM + 1, 1, _RIM)
    return F.avg_pool2d(1 - near, 2 * _RIM + 1, 1, _RIM, count_include_pad=False) * (1 - near)


def bake(mesh: trimesh.Trimesh, unwrapped: Unwrapped, shots: Sequence[Shot], size: int) -> NDArray[np.uint8]:
    """The texture [size,size,3] of a closed `mesh`, whose vertices have the colours of the radiance field."""
    raster = rasterise(unwrapped.uv * [size, -size] + [0, size], unwrapped.triangles, (size, size))
    corners = unwrapped.origin[unwrapped.triangles][raster.faces[raster.covered]]
    texture = np.zeros((size, size, 3), np.float32)
    texture[raster.covered] = _painted(mesh, shots, corners, raster.weights[raster.covered])
    return _filled(texture, raster.covered)


def bake_vertices(mesh: trimesh.Trimesh, shots: Sequence[Shot]) -> NDArray[np.uint8]:
    """The colours [V,3] that the texture of the same `mesh` has at its vertices."""
    count = len(mesh.vertices)
    corners = np.repeat(np.arange(count)[:, None], 3, 1)
    colors: NDArray[Any] = _painted(mesh, shots, corners, np.full((count, 3), 1 / 3, np.float32))
    return (colors * 255).round().clip(0, 255).astype(np.uint8)


def _painted(
    mesh: trimesh.Trimesh, shots: Sequence[Shot], corners: NDArray[np.int64], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The colours [N,3] in [0,1] of points on a mesh: the `corners` [N,3] between which each lies, and their `shares` [N,3]."""
    facing, trust = _seen(mesh, shots)
    coarse = [_coarse(shot) for shot in shots]
    detail = [shot.image - low for shot, low in zip(shots, coarse, strict=True)]
    points, field = np.asarray(mesh.vertices), colors_of(mesh)[:, :3] / np.float32(255)
    bands = (
        (coarse, trust * facing**_SOFTNESS, field),
        (detail, trust * facing**_SHARPNESS, np.zeros_like(field)),
    )
    colors = np.zeros((len(corners), 3), np.float32)
    for start in range(0, len(corners), _TEXELS):
        part = slice(start, start + _TEXELS)
        corner, share = corners[part], shares[part]
        place = np.einsum("nkc,nk->nc", points[corner], share)
        for pictures, weights, unseen in bands:
            color = _FIELD * np.einsum("nkc,nk->nc", unseen[corner], share)
            total = np.full(len(corner), _FIELD)
            for image, shot, weight in zip(pictures, shots, weights.T, strict=True):
                amount = (weight[corner] * share).sum(1)
                seen = np.flatnonzero(amount > _FIELD / 10)
                color[seen] += amount[seen, None] * sample(image, project(place[seen], shot.camera).places)
                total[seen] += amount[seen]
            colors[part] += color / total[:, None]
    return colors.clip(0, 1)


def _coarse(shot: Shot) -> NDArray[np.float32]:
    """A shot's picture [H,W,3] without its detail, blurred where it can be trusted only."""
    height, width = shot.image.shape[:2]
    trust = torch.from_numpy(shot.trust > _LEAST_TRUST).float()[None, None]
    known = F.interpolate(trust, (height, width), mode="bilinear")[0, 0].numpy()[..., None]
    sigma = (_COARSE * height, _COARSE * height, 0)
    blurred: NDArray[np.float32] = gaussian_filter(shot.image * known, sigma)
    blurred /= gaussian_filter(known, sigma).clip(1e-3)
    return blurred


def colors_of(mesh: trimesh.Trimesh) -> NDArray[np.uint8]:
    """The sRGB colours [V,4] of a mesh's vertices."""
    return np.asarray(mesh.visual.vertex_colors)  # type: ignore[union-attr]


def _seen(mesh: trimesh.Trimesh, shots: Sequence[Shot]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The cosine at which each vertex faces each of S shots, 0 where a shot does not show it, and how much it counts there
    otherwise, both [V,S]."""
    points, normals = np.asarray(mesh.vertices, np.float64), _smooth_normals(mesh)
    tolerance = _HIDDEN * float(np.ptp(points[:, 1]))
    shape = (len(points), len(shots))
    facings, trusts = np.zeros(shape), np.zeros(shape)
    for i, shot in enumerate(shots):
        seen = project(points, shot.camera)
        position = shot.camera.position[0].cpu().numpy()
        facing = (normals * (position - points)).sum(1) / np.linalg.norm(position - points, axis=1)
        visible = (facing > _LEAST_FACING) & ~_hidden(seen.places, seen.depth, mesh, tolerance)
        visible &= ((seen.places > 0) & (seen.places < 1)).all(1)
        trust = sample(shot.trust[..., None], seen.places)[:, 0]
        visible &= trust > _LEAST_TRUST
        facings[:, i] = np.where(visible, facing, 0.0)
        trusts[:, i] = trust**_TRUSTING * shot.preference
    return facings, trusts


def _smooth_normals(mesh: trimesh.Trimesh) -> NDArray[np.float64]:
    """The normals [V,3] of the vertices, averaged over their neighbourhood."""
    count, (start, end) = len(mesh.vertices), mesh.edges_unique.T
    rows, columns = np.r_[start, end, :count], np.r_[end, start, :count]
    near = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count)).tocsr()
    normals: NDArray[np.float64] = np.array(mesh.vertex_normals, np.float64)
    for _ in range(_ROUNDS):
        normals = near @ normals
        normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
    return normals


def _hidden(places: Floats, depth: Floats, mesh: trimesh.Trimesh, tolerance: float) -> NDArray[np.bool_]:
    """Which vertices lie behind the surface, or next to something that lies in front of them."""
    size = (_DEPTHS, _DEPTHS)
    triangles = np.asarray(mesh.faces, np.int64)
    raster = rasterise(places * _DEPTHS, triangles, size, depth)
    map_ = np.full(size, np.inf)
    map_[raster.covered] = raster.interpolate(triangles, depth[:, None])[:, 0]
    nearest = -F.max_pool2d(torch.from_numpy(-map_)[None], 3, 1, 1)[0].numpy()
    column, row = (places * _DEPTHS).clip(0, _DEPTHS - 1).astype(np.int64).T
    hidden: NDArray[np.bool_] = depth > nearest[row, column] + tolerance
    return hidden


def _filled(texture: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A texture whose unknown texels continue the known ones, so that no viewer blends anything else in at the seams."""
    pyramid: list[tuple[Tensor, Tensor]] = [
        (torch.from_numpy(texture).permute(2, 0, 1)[None], torch.from_numpy(known)[None, None].float())
    ]
    while pyramid[-1][0].shape[-1] > 1:
        color, mask = pyramid[-1]
        pooled = [F.avg_pool2d(each, 2, ceil_mode=True, count_include_pad=False) for each in (color * mask, mask)]
        pyramid.append((pooled[0] / pooled[1].clamp(min=1e-6), (pooled[1] > 0).float()))
    color = pyramid[-1][0]
    for finer, mask in reversed(pyramid[:-1]):
        coarse = F.interpolate(color, finer.shape[-2:], mode="bilinear", align_corners=False)
        color = torch.where(mask > 0, finer, coarse)
    filled: NDArray[Any] = color[0].permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()
    return filled
