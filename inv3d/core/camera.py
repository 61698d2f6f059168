"""Cameras in the EG3D convention.

World: right-handed, y up; the subject is at the origin and faces +z.
Camera: OpenCV axes (x right, y down, z forward); `cam2world` maps camera to world coordinates.
Intrinsics are normalised by the image size: focal 4.2647 means 4.2647 image widths.
Yaw and pitch give the position of the camera in radians: positive yaw towards +x, positive pitch upwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

CONVENTION = "cam2world 4x4, OpenCV axes (x right, y down, z forward); intrinsics normalised by the image size"
FFHQ_FOCAL = 2985.29 / 700.0
FFHQ_RADIUS = 2.7


class Rays(NamedTuple):
    """`origins` and unit `directions` [...,3] in the world."""

    origins: Tensor
    directions: Tensor


@dataclass(frozen=True)
class Camera:
    """A batch of cameras: `cam2world` [B,4,4] and normalised `intrinsics` [B,3,3]."""

    cam2world: Tensor
    intrinsics: Tensor

    def __len__(self) -> int:
        return self.cam2world.shape[0]

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Camera:
        """Select cameras; the batch dimension is kept, even for a single index."""
        if isinstance(index, int):
            index = slice(index, index + 1) if index >= 0 else [index]
        return Camera(self.cam2world[index], self.intrinsics[index])

    def to(self, device: torch.device | str) -> Camera:
        return Camera(self.cam2world.to(device), self.intrinsics.to(device))

    def mirrored(self) -> Camera:
        """The cameras that see the mirror image (x -> -x) of what these see, as the mirror image of what they see."""
        flip = self.cam2world.new_tensor([-1.0, 1.0, 1.0, 1.0])
        intrinsics = self.intrinsics.clone()
        intrinsics[:, 0, 1:] *= -1.0
        intrinsics[:, 0, 2] += 1.0
        return Camera(flip[:, None] * self.cam2world * flip, intrinsics)

    def window(self, corner: Tensor, side: float) -> Camera:
        """The cameras that see a square part of what these see: its upper left `corner` [2] (u, v) and its `side`, in
        widths of the image."""
        intrinsics = self.intrinsics.clone()
        intrinsics[:, :2, 2] -= corner
        intrinsics[:, :2] /= side
        return Camera(self.cam2world, intrinsics)

    @property
    def position(self) -> Tensor:
        """Camera centres in the world, [B,3]."""
        return self.cam2world[:, :3, 3]

    @property
    def yaw(self) -> Tensor:
        """Azimuth of the camera position in radians, [B]; 0 is frontal, positive towards +x."""
        x, _, z = self.position.unbind(-1)
        return torch.atan2(x, z)

    @property
    def pitch(self) -> Tensor:
        """Elevation of the camera position in radians, [B]; positive above the subject."""
        position = F.normalize(self.position, dim=-1)
        return torch.asin(position[:, 1].clamp(-1, 1))

    def vector(self) -> Tensor:
        """EG3D's 25-vector, [B,25]: row-major cam2world, then row-major intrinsics."""
        return torch.cat([self.cam2world.flatten(1), self.intrinsics.flatten(1)], 1)

    @staticmethod
    def from_vector(vector: Tensor) -> Camera:
        """Inverse of `vector`; `vector` is [B,25]."""
        return Camera(vector[:, :16].reshape(-1, 4, 4), vector[:, 16:25].reshape(-1, 3, 3))

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Image points (u, v) [B,P,2] in [0,1] and distances [B,P] from the camera of world `points` [B,P,3]."""
        offset = points - self.position[:, None]
        image = offset @ self.cam2world[:, :3, :3] @ self.intrinsics.transpose(1, 2)
        return image[..., :2] / image[..., 2:], offset.norm(dim=-1)

    def rays(self, resolution: int | tuple[int, int]) -> Rays:
        """Rays [B,H*W,3] through the pixel centres, in row-major order."""
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        device = self.cam2world.device
        v = (torch.arange(height, device=device) + 0.5) / height
        u = (torch.arange(width, device=device) + 0.5) / width
        grid_v, grid_u = torch.meshgrid(v, u, indexing="ij")
        points = torch.stack([grid_u, grid_v], -1).reshape(1, -1, 2).expand(len(self), -1, -1)
        return self.rays_through(points)

    def rays_through(self, points: Tensor) -> Rays:
        """Rays [B,P,3] through image points (u, v) in [0,1], `points` [B,P,2]."""
        k = self.intrinsics[:, :, :, None]
        fx, fy, cx, cy, skew = k[:, 0, 0], k[:, 1, 1], k[:, 0, 2], k[:, 1, 2], k[:, 0, 1]
        u, v = points.to(k.dtype).unbind(-1)
        x = (u - cx + cy * skew / fy - skew * v / fy) / fx
        y = (v - cy) / fy
        local = torch.stack([x, y, torch.ones_like(x)], -1)
        directions = local @ self.cam2world[:, :3, :3].transpose(1, 2)
        x, y, z = directions.unbind(-1)
        directions = directions * torch.rsqrt(x * x + y * y + z * z)[..., None]
        return Rays(self.position[:, None].expand_as(directions), directions)


def pixel_centers(pixels: Tensor, size: int) -> Tensor:
    """Image points (u, v) [...,2] in [0,1] of row-major `pixels` [...] of a square image."""
    return torch.stack([(pixels % size + 0.5) / size, (pixels // size + 0.5) / size], -1)


def screen_height(origins: Tensor, directions: Tensor) -> Tensor:
    """How far above the centre of an FFHQ-like picture rays [...,3] pass, [...]; -1 and 1 are its lower and upper edge.

    The picture's centre is the world's origin as seen from the rays' origins, and its vertical that of the world.
    """
    centre = -F.normalize(origins, dim=-1)
    vertical = torch.zeros_like(centre)
    vertical[..., 1] = 1.0
    up = F.normalize(vertical - centre * centre[..., 1:2], dim=-1)
    return 2.0 * FFHQ_FOCAL * (directions * up).sum(-1) / (directions * centre).sum(-1)


def intrinsics(focal: float = FFHQ_FOCAL) -> Tensor:
    """Normalised intrinsics [3,3] with the principal point in the middle."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def look_at(
    yaw: Tensor,
    pitch: Tensor,
    radius: float = FFHQ_RADIUS,
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0),
    focal: float = FFHQ_FOCAL,
    roll: Tensor | None = None,
) -> Camera:
    """Cameras on a sphere around the origin that look at `pivot`.

    `yaw`, `pitch` and `roll` are [B] in radians; `roll` turns the camera about its viewing axis.
    """
    position = radius * torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    forward = F.normalize(torch.tensor(pivot, device=yaw.device) - position, dim=-1)
    world_up = torch.tensor([0.0, 1.0, 0.0], device=yaw.device).expand_as(forward)
    right = F.normalize(torch.linalg.cross(forward, world_up), dim=-1)
    down = torch.linalg.cross(forward, right)
    if roll is not None:
        c, s = roll.cos()[:, None], roll.sin()[:, None]
        right, down = c * right + s * down, c * down - s * right
    cam2world = torch.eye(4, device=yaw.device).repeat(len(yaw), 1, 1)
    cam2world[:, :3, :3] = torch.stack([right, down, forward], -1)
    cam2world[:, :3, 3] = position
    return Camera(cam2world, intrinsics(focal).to(yaw.device).expand(len(yaw), 3, 3))


def dollied(camera: Camera, factor: Tensor) -> Camera:
    """Cameras `factor` [B] times as far from the origin with lenses as many times as long: what is there keeps its size,
    and the perspective changes."""
    scale = factor[:, None]
    cam2world, lens = camera.cam2world.clone(), camera.intrinsics.clone()
    cam2world[:, :3, 3] *= scale
    lens[:, (0, 1), (0, 1)] *= scale
    return Camera(cam2world, lens)


def in_frame(camera: Camera, center: tuple[float, float], side: float, width: int, height: int) -> Camera:
    """The camera that sees a whole frame of `width` x `height` pixels of which one `camera` sees a square crop.

    `center` (x, y) and `side` of the crop are in pixels.
    """
    focal = float(camera.intrinsics[0, 0, 0]) * side
    x, y = center
    whole = torch.tensor([[focal / width, 0.0, x / width], [0.0, focal / height, y / height], [0.0, 0.0, 1.0]])
    return Camera(camera.cam2world, whole.to(camera.cam2world.device)[None])
