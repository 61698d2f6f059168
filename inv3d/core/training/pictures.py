"""The pictures that encoders learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.errors import InputError
from inv3d.core.training import dataset
from inv3d.core.views import from_bytes

MOST_YAW = math.radians(60)
"""Pictures from further round say too little about a face."""


@dataclass(frozen=True)
class Pictures:
    """Pictures [N,3,R,R] as bytes with the `yaw` and `pitch` [N] they were taken from, and the `z` [N,z_dim] of the
    generator's own; out-of-domain ones have none. Photographs have no coverage `alpha` [N,1,R,R], as bytes."""

    images: Tensor
    yaw: Tensor
    pitch: Tensor
    z: Tensor | None = None
    alpha: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def drawn(
        self, count: int, random: torch.Generator, mirroring: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """So many of them at random: their rows [B], the pictures [B,3,R,R] in [-1,1], yaw and pitch [B], and their coverage
        [B,1,R,R] if it is known; with `mirroring` every second time their mirror images."""
        rows = torch.randint(len(self), (count,), generator=random)
        images, yaw, pitch = from_bytes(self.images[rows]), self.yaw[rows], self.pitch[rows]
        alpha = None if self.alpha is None else self.alpha[rows].float() / 255.0
        if mirroring and torch.rand((), generator=random) < 0.5:
            images, yaw, alpha = images.flip(-1), -yaw, None if alpha is None else alpha.flip(-1)
        return rows, images, yaw, pitch, alpha

    @staticmethod
    def read(folder: Path, kind: str, own: bool) -> Pictures:
        """Those of the shards of a `kind` in `folder` up to `MOST_YAW`. Raises InputError if there are no shards."""
        try:
            return Pictures.of(dataset.load_images(folder, kind), MOST_YAW, own)
        except FileNotFoundError as error:
            raise InputError(str(error), "name a folder of photographs with --data") from error

    @staticmethod
    def of(shards: dict[str, Tensor], most_yaw: float, own: bool) -> Pictures:
        """Of shards of heads in several views [H,V,...], those up to `most_yaw` (radians)."""
        yaw, pitch = shards["yaw"].flatten(), shards["pitch"].flatten()
        rows = (yaw.abs() <= most_yaw).nonzero()[:, 0]
        views = shards["yaw"].shape[1]
        z = shards["z"][rows // views] if own else None
        alpha = shards["alpha"].flatten(0, 1)[rows] if "alpha" in shards else None
        return Pictures(shards["image"].flatten(0, 1)[rows], yaw[rows], pitch[rows], z, alpha)
