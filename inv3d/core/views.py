"""Views: target images with their cameras and their positions in the clip."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.camera import Camera


@dataclass(frozen=True)
class Views:
    """N aligned targets: `images` [N,3,R,R] in [-1,1], `cameras` [N], the `frames` and `times` (s) they come from, and,
    if known, `mattes` [N,1,R,R]: how much of each pixel head and body cover. `fine` [N,3,S,S], 0 to 255, are the same
    pictures with more pixels than the model renders, where the input has them."""

    images: Tensor
    cameras: Camera
    frames: tuple[int, ...]
    times: tuple[float, ...]
    mattes: Tensor | None = None
    fine: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice | list[int]) -> Views:
        """Select views; the batch dimension is kept."""
        rows = [index] if isinstance(index, int) else index
        numbers = range(len(self))[rows] if isinstance(rows, slice) else rows
        return Views(
            self.images[rows],
            self.cameras[rows],
            tuple(self.frames[i] for i in numbers),
            tuple(self.times[i] for i in numbers),
            None if self.mattes is None else self.mattes[rows],
            None if self.fine is None else self.fine[rows],
        )

    def followed_by(self, others: Views) -> Views:
        """These views and then `others`."""
        cameras = Camera(
            torch.cat([self.cameras.cam2world, others.cameras.cam2world]),
            torch.cat([self.cameras.intrinsics, others.cameras.intrinsics]),
        )
        images = torch.cat([self.images, others.images])
        mattes, fine = _both(self.mattes, others.mattes), _both(self.fine, others.fine)
        return Views(images, cameras, self.frames + others.frames, self.times + others.times, mattes, fine)

    def mirrored(self) -> Views:
        """Their mirror images, as the mirror image of the subject shows them."""
        mattes, fine = (None if each is None else each.flip(3) for each in (self.mattes, self.fine))
        return replace(self, images=self.images.flip(3), cameras=self.cameras.mirrored(), mattes=mattes, fine=fine)

    def to(self, device: torch.device | str) -> Views:
        mattes, fine = (None if each is None else each.to(device) for each in (self.mattes, self.fine))
        return Views(self.images.to(device), self.cameras.to(device), self.frames, self.times, mattes, fine)


def to_bytes(images: Tensor) -> Tensor:
    """Pictures in [-1,1] as whole numbers from 0 to 255."""
    return (images.clamp(-1.0, 1.0) + 1.0).mul(127.5).round().byte()


def to_array(image: Tensor) -> NDArray[np.uint8]:
    """A picture [C,H,W] in [-1,1] as bytes [H,W,C], which lie in this order."""
    array: NDArray[np.uint8] = to_bytes(image).permute(1, 2, 0).contiguous().cpu().numpy()
    return array


def from_bytes(images: Tensor) -> Tensor:
    """The inverse of `to_bytes`."""
    return images.float() / 127.5 - 1.0


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Both after each other; None if either is unknown, or of another size."""
    return None if one is None or other is None or one.shape[1:] != other.shape[1:] else torch.cat([one, other])
