"""Head-turn clips of procedural heads: what a camera would film, with the exact pose and geometry of every frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.camera import Camera, in_frame, look_at
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, head_parameters
from inv3d.core.procedural.renderer import HeadRender, HeadRenderer


@dataclass(frozen=True)
class HeadTurn:
    """A head drawn from `seed` that turns from one side to the other while its face moves.

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

    def _phase(self, frame: int) -> float:
        return frame / max(1, self.frames - 1)

    def yaw(self, frame: int) -> float:
        """Radians; eased at both ends, as heads turn."""
        return -self.max_yaw * math.cos(math.pi * self._phase(frame))

    def pitch(self, frame: int) -> float:
        return 0.07 * math.sin(2.3 * math.pi * self._phase(frame) + 0.4)

    def placement(self, frame: int) -> tuple[float, float, float]:
        """Centre (x, y) and side of the generator's own crop in pixels."""
        t = self._phase(frame)
        x = self.center[0] * self.width + 0.05 * self.crop * math.sin(2.1 * math.pi * t)
        y = self.center[1] * self.height + 0.03 * self.crop * math.sin(3.7 * math.pi * t + 1.0)
        return x, y, self.crop * (1.0 + 0.025 * math.sin(1.7 * math.pi * t))

    def latents(self, frame: int) -> tuple[Tensor, Tensor]:
        """Identity [1,60] and expression [1,6] of a frame: the head smiles, talks, blinks and looks around."""
        generator = torch.Generator().manual_seed(self.seed)
        z = torch.randn(1, IDENTITY_DIM, generator=generator)
        rest = 0.5 * torch.randn(1, EXPRESSION_DIM, generator=generator)
        t = self._phase(frame)
        blink = -3.0 * math.exp(-(((t - 0.62) / 0.012) ** 2))
        motion = [
            0.6 * math.sin(2.0 * math.pi * t),
            0.9 * math.sin(5.0 * math.pi * t) * math.sin(math.pi * t),
            -0.3 * math.sin(3.0 * math.pi * t) + blink,
            0.6 * math.sin(2.6 * math.pi * t),
            0.8 * math.sin(4.0 * math.pi * t),
            0.3 * math.sin(3.0 * math.pi * t),
        ]
        return z, rest + torch.tensor([motion])

    def parameters(self, frame: int) -> Tensor:
        """Anatomy and expression of a frame, [1,K]."""
        return head_parameters(*self.latents(frame))

    def aligned_camera(self, frame: int) -> Camera:
        """The generator's camera for a frame."""
        return look_at(torch.tensor([self.yaw(frame)]), torch.tensor([self.pitch(frame)]))

    def frame_camera(self, frame: int) -> Camera:
        """The camera that filmed the whole frame."""
        x, y, side = self.placement(frame)
        return in_frame(self.aligned_camera(frame), (x, y), side, self.width, self.height)

    def render(self, renderer: HeadRenderer, frame: int) -> HeadRender:
        """The whole frame, [1,3,height,width]."""
        return renderer.render(
            self.parameters(frame), self.frame_camera(frame), (self.height, self.width), supersample=1
        )

    def render_aligned(self, renderer: HeadRenderer, frame: int, resolution: int) -> HeadRender:
        """The frame as the generator should see it, with exact depth."""
        return renderer.render(self.parameters(frame), self.aligned_camera(frame), resolution)
