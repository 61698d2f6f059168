"""The points of a face that MediaPipe's mesh finds in pictures, and where a model has them in its world."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.codes import sample_codes
from inv3d.core.crops import Crops, cut, turned
from inv3d.core.files import write_whole
from inv3d.core.generator import Generator
from inv3d.core.networks.facemesh import MESH_INPUT
from inv3d.core.networks.photographic import face_mesh

FILE = "face.safetensors"
"""Of a model: the mean face's `points` [468,3] in its world."""
ROOM = 1.5
"""Sides of the crops that the mesh wants, in those of the face."""
LEFT_EYE, RIGHT_EYE, FOREHEAD, CHIN = 33, 263, 10, 152
"""Points of the mesh: outer corners of the eyes on the left and right of the picture, and the ends of the midline."""
_ROUNDS = 2
_VIEWS, _LEAST = 3, 30  # of a head, in random poses; pictures with a clear face that tell where it is
_YAW, _PITCH = math.radians(35), math.radians(15)
_CLEAR = 12.0  # logit of a face whose points are where they seem to be
_STARTS = (0.6, 1.0)  # of a picture: where its face is looked for first
_SEED = 70_000
_TURNS, _LOST = 4, 0.02  # points further off, in widths of the picture, count for little


@torch.no_grad()
def mesh_in(image: Tensor, faces: Crops, rounds: int = _ROUNDS) -> tuple[Tensor, Tensor]:
    """The points [B,468,3] of faces in an `image` [3,H,W] in [-1,1], in pixels, and their logits [B]: read off crops of the
    `faces` [B], then off those that the points tell."""
    network = face_mesh(image.device)
    for _ in range(rounds):
        found, logits = network(cut(image, faces, MESH_INPUT))
        points = in_image(faces, found)
        faces = around(points)
    return points, logits


def in_image(crops: Crops, points: Tensor) -> Tensor:
    """Points [B,P,3] in widths of their crops as pixels of the image."""
    size = crops.size[:, None, None]
    flat = crops.center[:, None] + turned(size * (points[..., :2] - 0.5), crops.roll[:, None])
    return torch.cat([flat, size * points[..., 2:]], -1)


def around(points: Tensor) -> Crops:
    """The crops [B] that the mesh wants of faces with these points [B,P,3]: their eyes level."""
    right, down = (points[:, RIGHT_EYE] - points[:, LEFT_EYE])[:, :2].unbind(-1)
    roll = torch.atan2(down, right)
    level = turned(points[..., :2], -roll[:, None])
    low, high = level.amin(1), level.amax(1)
    return Crops(turned((low + high) / 2, roll), ROOM * (high - low).amax(1), roll)


def triangulated(cameras: Camera, points: Tensor) -> Tensor:
    """The points [P,3] in the world that are nearest to where cameras [N] see `points` [N,P,2], in widths of the picture from its
    middle."""
    world2cam = torch.linalg.inv(cameras.cam2world).double()
    focal, points = float(cameras.intrinsics[0, 0, 0]), points.double()
    weights = torch.ones_like(points[..., 0])
    for _ in range(_TURNS):
        # for each coordinate: focal (r X + t) = u (f X + t_f)
        rows = focal * world2cam[:, None, :2, :3] - points[..., None] * world2cam[:, None, 2:3, :3]
        right = points * world2cam[:, None, 2, 3:] - focal * world2cam[:, None, :2, 3]
        weighted = rows * weights[..., None, None]
        matrix, vector = torch.einsum("npai,npaj->pij", weighted, rows), torch.einsum("npai,npa->pi", weighted, right)
        found = torch.linalg.solve(matrix, vector)
        local = torch.einsum("nij,pj->npi", world2cam[:, :3, :3], found) + world2cam[:, None, :3, 3]
        off = (focal * local[..., :2] / local[..., 2:] - points).norm(dim=-1)
        weights = 1.0 / (1.0 + (off / _LOST) ** 2)
    return found.float()


def save_points(folder: Path, points: Tensor) -> None:
    """Write the mean face's points [468,3] of the model in `folder`."""
    with write_whole(folder / FILE, replace=True) as file:
        file.write_bytes(save({"points": points.float().cpu().contiguous()}))


@torch.no_grad()
def mean_face(generator: Generator, cameras: Callable[[Tensor, Tensor], Camera], heads: int) -> Tensor | None:
    """The mean face's points [468,3] in the world of a generator that sees heads by `cameras` of yaws and pitches [B] in
    radians, read off random `heads` and their mirror images; None if these show hardly any face."""
    random = torch.Generator().manual_seed(_SEED)
    front = cameras(torch.zeros(1), torch.zeros(1))

    def renders() -> Iterator[tuple[Tensor, Camera]]:
        for code in sample_codes(generator, front, heads):
            codes = generator.code_space.repeat(code[None])
            for yaw, pitch in torch.rand(_VIEWS, 2, generator=random) * 2.0 - 1.0:
                camera = cameras(_YAW * yaw[None], _PITCH * pitch[None])
                yield generator(codes, camera.to(generator.device)).image[0].clamp(-1.0, 1.0), camera

    return face_in(renders())


def face_in(pictures: Iterable[tuple[Tensor, Camera]]) -> Tensor | None:
    """The mean face's points [468,3] in the world of aligned `pictures` [3,R,R] in [-1,1], each with the camera [1] that took it,
    and of their mirror images; None if hardly any of them shows a clear face."""
    return seen_in(pictures, lambda picture, _: clear_face(picture), _LEAST)


def seen_in(
    pictures: Iterable[tuple[Tensor, Camera]], read: Callable[[Tensor, Camera], Tensor | None], least: int
) -> Tensor | None:
    """The points [P,3] in the world of what pictures [3,R,R] show, each with the camera [1] that took it, and their mirror images: where
    `read` finds them in one [P,2], in its widths from its middle; None if it does in fewer than the `least`."""
    seen: list[Camera] = []
    points: list[Tensor] = []
    for image, camera in pictures:
        for picture, own in ((image, camera), (image.flip(2), camera.mirrored())):
            found = read(picture, own)
            if found is not None:
                seen.append(own.to("cpu"))
                points.append(found.cpu())
    if len(points) < least:
        return None
    joined = Camera(torch.cat([each.cam2world for each in seen]), torch.cat([each.intrinsics for each in seen]))
    return triangulated(joined, torch.stack(points))


def clear_face(picture: Tensor) -> Tensor | None:
    """The points [468,2] of the one face of an aligned picture [3,R,R] in [-1,1], in its widths from its middle; None if it is not
    clear."""
    size, sizes = picture.shape[-1], torch.tensor(_STARTS).to(picture)
    starts = Crops(torch.full((len(sizes), 2), size / 2).to(picture), size * sizes, torch.zeros_like(sizes))
    found, logits = mesh_in(picture, starts, 3)
    best = int(logits.argmax())
    return None if float(logits[best]) < _CLEAR else found[best, :, :2].cpu() / size - 0.5
