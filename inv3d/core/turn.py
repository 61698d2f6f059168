"""The path of a head-turn clip: where the camera stands in every frame, and where the head lies in the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from inv3d.core.camera import Camera, in_frame, look_at


@dataclass(frozen=True)
class Turn:
    """A head drawn from `seed` that turns from one side to the other.

    `crop` is the side of the generator's own crop in pixels, `center` its centre as a share of the frame, both for
    the middle of a slight drift. Seeds below 10,000 are never used in training (see `training.dataset`).
    """

    seed: int
    frames: int = 150
    fps: int = 30
    width: int = 1280
    height: int = 720
    crop: float = 420.0
    center: tuple[float, float] = (0.42, 0.46)
    max_yaw: float = math.radians(70)

    def phase(self, frame: int) -> float:
        """0 in the first frame, 1 in the last."""
        return frame / max(1, self.frames - 1)

    def yaw(self, frame: int) -> float:
        """Radians; eased at both ends, as heads turn."""
        return -self.max_yaw * math.cos(math.pi * self.phase(frame))

    def pitch(self, frame: int) -> float:
        return 0.07 * math.sin(2.3 * math.pi * self.phase(frame) + 0.4)

    def placement(self, frame: int) -> tuple[float, float, float]:
        """Centre (x, y) and side of the generator's own crop in pixels."""
        t = self.phase(frame)
        x = self.center[0] * self.width + 0.05 * self.crop * math.sin(2.1 * math.pi * t)
        y = self.center[1] * self.height + 0.03 * self.crop * math.sin(3.7 * math.pi * t + 1.0)
        return x, y, self.crop * (1.0 + 0.025 * math.sin(1.7 * math.pi * t))

    def aligned_camera(self, frame: int) -> Camera:
        """The generator's camera for a frame."""
        return look_at(torch.tensor([self.yaw(frame)]), torch.tensor([self.pitch(frame)]))

    def frame_camera(self, frame: int) -> Camera:
        """The camera that filmed the whole frame."""
        x, y, side = self.placement(frame)
        return in_frame(self.aligned_camera(frame), (x, y), side, self.width, self.height)
