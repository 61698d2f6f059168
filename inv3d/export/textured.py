"""The textured mesh of a head: its surface, cut open and painted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from inv3d.core.camera import Camera
from inv3d.core.head import Head
from inv3d.core.views import Views
from inv3d.export.mesh import of_width
from inv3d.export.raster import project, rasterise, sample
from inv3d.export.texture import bake, own_shot, photo_shot
from inv3d.export.unwrap import Unwrapped, unwrap

_AROUND = tuple((float(yaw), 0.0) for yaw in range(0, 360, 45))
_PAINTED = (*((float(yaw), 0.0) for yaw in range(0, 360, 60)), (0.0, 50.0), (180.0, 50.0), (0.0, -40.0), (180.0, -40.0))
_FINER = 4  # the texture goes all around the head
_NEAR = 25.0  # degrees between cameras that see nearly the same
_SUPERSAMPLING = 2
_FACE = 45.0  # degrees of yaw up to which a side shows the face
_SOLID = 0.98  # coverage of pixels that are compared


@dataclass(frozen=True)
class TexturedMesh:
    """A closed `mesh` (y up, facing +z), the same cut open, and its `texture` [S,S,3] in sRGB."""

    mesh: trimesh.Trimesh
    unwrapped: Unwrapped
    texture: NDArray[np.uint8]

    def scaled(self, width: float) -> TexturedMesh:
        """The same with a head of `width`; see `of_width`."""
        return dataclasses.replace(self, mesh=of_width(self.mesh, width))


def sides(head: Head, directions: Sequence[tuple[float, float]] = _AROUND) -> Camera:
    """Cameras at yaws and pitches in degrees; by default eight around the head."""
    yaw, pitch = torch.tensor(directions, device=head.generator.device).deg2rad().unbind(1)
    return head.camera(yaw, pitch)


def paint(head: Head, mesh: trimesh.Trimesh, photos: Views | None = None, size: int | None = None) -> TexturedMesh:
    """A mesh of `head` with a texture of `size` pixels a side (default: four times that of the model's pictures), from
    aligned `photos` and the head's own renders."""
    cameras = sides(head, _PAINTED)
    if photos is not None:
        cameras = _more(photos.cameras.to(head.generator.device), cameras)
    renders = head.frontal().render_each(cameras, lambda render: render)
    shots = [own_shot(render, cameras[i]) for i, render in enumerate(renders)]
    if photos is not None:
        shots += [photo_shot(image, renders[i], cameras[i]) for i, image in enumerate(photos.images)]
    unwrapped = unwrap(mesh)
    return TexturedMesh(mesh, unwrapped, bake(mesh, unwrapped, shots, size or _FINER * head.generator.resolution))


def _more(cameras: Camera, others: Camera) -> Camera:
    """`cameras`, and those of the `others` that look from elsewhere."""
    directions, away = (torch.nn.functional.normalize(each.position, dim=1) for each in (cameras, others))
    far = ((away @ directions.T).amax(1) < math.cos(math.radians(_NEAR))).nonzero()[:, 0]
    return Camera(
        torch.cat([cameras.cam2world, others.cam2world[far]]), torch.cat([cameras.intrinsics, others.intrinsics[far]])
    )


def picture(textured: TexturedMesh, camera: Camera, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What one camera sees of a mesh, unlit: colours [size,size,3] in [0,1] and which pixels it covers wholly."""
    fine = size * _SUPERSAMPLING
    points, triangles = np.asarray(textured.mesh.vertices, np.float64), textured.unwrapped.triangles
    seen = project(points[textured.unwrapped.origin], camera)
    raster = rasterise(seen.places * fine, triangles, (fine, fine), seen.depth)
    colors = np.zeros((fine, fine, 3), np.float32)
    uv = raster.interpolate(triangles, textured.unwrapped.uv)
    colors[raster.covered] = sample(textured.texture, uv * [1, -1] + [0, 1]) / np.float32(255)
    blocks = (size, _SUPERSAMPLING, size, _SUPERSAMPLING)
    whole = np.asarray(raster.covered.reshape(blocks).all((1, 3)))
    return colors.reshape(*blocks, 3).mean((1, 3)), whole


@dataclass(frozen=True)
class Likeness:
    """PSNR (dB) between the renders of a mesh and of its head, inside the silhouette: over eight sides, and over those
    that show the face."""

    around: float
    face: float


def likeness(head: Head, textured: TexturedMesh, resolution: int = 128) -> Likeness:
    """How much a mesh looks like its `head` from eight sides, in renders of `resolution` rays per side."""
    cameras = sides(head)
    renders = head.frontal().render_each(cameras, lambda render: render, resolution)
    squares, faces = [], []
    for i, render in enumerate(renders):
        own = render.image[0].clamp(-1, 1).add(1).div(2).permute(1, 2, 0).cpu().numpy()
        colors, covered = picture(textured, cameras[i], len(own))
        alpha = torch.nn.functional.interpolate(render.alpha.cpu(), own.shape[:2], mode="bilinear")[0, 0].numpy()
        both = covered & (alpha > _SOLID)
        squares.append(((colors - own)[both] ** 2).reshape(-1))
        if abs(math.remainder(_AROUND[i][0], 360)) <= _FACE:
            faces.append(squares[-1])
    return Likeness(_psnr(squares), _psnr(faces))


def _psnr(squares: list[NDArray[np.float32]]) -> float:
    every = np.concatenate(squares)
    return float(-10 * np.log10(max(float(every.mean()), 1e-10))) if len(every) else 0.0
