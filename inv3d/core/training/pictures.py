"""The pictures that encoders learn from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Pictures:
    """Pictures [N,3,R,R] as bytes with the `yaw` and `pitch` [N] they were taken from, and the `z` [N,z_dim] of the
    generator's own; out-of-domain ones have none."""

    images: Tensor
    yaw: Tensor
    pitch: Tensor
    z: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    @staticmethod
    def of(shards: dict[str, Tensor], most_yaw: float, own: bool) -> Pictures:
        """Of shards of heads in several views [H,V,...], those up to `most_yaw` (radians)."""
        yaw, pitch = shards["yaw"].flatten(), shards["pitch"].flatten()
        rows = (yaw.abs() <= most_yaw).nonzero()[:, 0]
        views = shards["yaw"].shape[1]
        z = shards["z"][rows // views] if own else None
        return Pictures(shards["image"].flatten(0, 1)[rows], yaw[rows], pitch[rows], z)
