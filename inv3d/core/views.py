"""Views: target images with their cameras and their positions in the clip."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.camera import Camera

_MAPS = ("mattes", "fine", "outside")  # of views, where they are known


@dataclass(frozen=True)
class Views:
    """N aligned targets: `images` [N,3,R,R] in [-1,1], `cameras` [N], the `frames` and `times` (s) they come from, and,
    if known, `mattes` [N,1,R,R]: how much of each pixel head and body cover. `fine` [N,3,S,S], 0 to 255, are the same
    pictures with more pixels than the model renders, where the input has them; `outside` [N,1,R,R] is how far their pixels lie
    outside of the frames, in widths of a picture, where that is known: what they show there was made up."""

    images: Tensor
    cameras: Camera
    frames: tuple[int, ...]
    times: tuple[float, ...]
    mattes: Tensor | None = None
    fine: Tensor | None = None
    outside: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def filmed(self) -> Tensor | None:
        """Which pixels [N,1,R,R] show what was filmed (1) and which were made up (0); None if all are taken for filmed."""
        return None if self.outside is None else (self.outside <= 0.0).to(self.images)

    def compared(self, row: int, render: Tensor) -> Tensor:
        """A `render` [1,3,R,R] of one view as it is compared with it: the same where nothing was filmed."""
        if self.outside is None:
            return render
        return torch.where(self.outside[[row]].to(render.device) <= 0.0, render, self.images[[row]].to(render))

    def __getitem__(self, index: int | slice | list[int]) -> Views:
        """Select views; the batch dimension is kept."""
        rows = [index] if isinstance(index, int) else index
        numbers = range(len(self))[rows] if isinstance(rows, slice) else rows
        return Views(
            self.images[rows],
            self.cameras[rows],
            tuple(self.frames[i] for i in numbers),
            tuple(self.times[i] for i in numbers),
            *(None if (each := getattr(self, name)) is None else each[rows] for name in _MAPS),
        )

    def followed_by(self, others: Views) -> Views:
        """These views and then `others`."""
        cameras = Camera(
            torch.cat([self.cameras.cam2world, others.cameras.cam2world]),
            torch.cat([self.cameras.intrinsics, others.cameras.intrinsics]),
        )
        images = torch.cat([self.images, others.images])
        maps = (_both(getattr(self, name), getattr(others, name)) for name in _MAPS)
        return Views(images, cameras, self.frames + others.frames, self.times + others.times, *maps)

    def mirrored(self) -> Views:
        """Their mirror images, as the mirror image of the subject shows them."""
        maps = {name: each.flip(3) for name in _MAPS if (each := getattr(self, name)) is not None}
        return replace(self, images=self.images.flip(3), cameras=self.cameras.mirrored(), **maps)

    def to(self, device: torch.device | str) -> Views:
        maps = {name: each.to(device) for name in _MAPS if (each := getattr(self, name)) is not None}
        return replace(self, images=self.images.to(device), cameras=self.cameras.to(device), **maps)


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
