"""Views: target images with their cameras and their positions in the clip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.camera import Camera


@dataclass(frozen=True)
class Views:
    """N aligned targets: `images` [N,3,R,R] in [-1,1], `cameras` [N], the `frames` and `times` (s) they come from, and,
    if known, `mattes` [N,1,R,R]: how much of each pixel head and body cover."""

    images: Tensor
    cameras: Camera
    frames: tuple[int, ...]
    times: tuple[float, ...]
    mattes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice | list[int]) -> Views:
        """Select views; the batch dimension is kept."""
        rows = (
            [index] if isinstance(index, int) else list(range(len(self)))[index] if isinstance(index, slice) else index
        )
        return Views(
            self.images[rows],
            self.cameras[rows],
            tuple(self.frames[i] for i in rows),
            tuple(self.times[i] for i in rows),
            None if self.mattes is None else self.mattes[rows],
        )

    def followed_by(self, others: Views) -> Views:
        """These views and then `others`."""
        cameras = Camera(
            torch.cat([self.cameras.cam2world, others.cameras.cam2world]),
            torch.cat([self.cameras.intrinsics, others.cameras.intrinsics]),
        )
        images = torch.cat([self.images, others.images])
        known = [views.mattes for views in (self, others) if views.mattes is not None]
        mattes = torch.cat(known) if len(known) == 2 else None
        return Views(images, cameras, self.frames + others.frames, self.times + others.times, mattes)

    def to(self, device: torch.device | str) -> Views:
        mattes = None if self.mattes is None else self.mattes.to(device)
        return Views(self.images.to(device), self.cameras.to(device), self.frames, self.times, mattes)
