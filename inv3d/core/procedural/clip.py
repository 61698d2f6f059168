"""Head-turn clips of stylised heads: what a camera would film, with the exact pose and geometry of every frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from inv3d.core.procedural.kind import Kind
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM
from inv3d.core.procedural.renderer import HeadRender, HeadRenderer
from inv3d.core.procedural.toon import TOON
from inv3d.core.turn import Turn


@dataclass(frozen=True)
class HeadTurn(Turn):
    """A stylised head that turns while its face moves."""

    kind: ClassVar[Kind] = TOON

    def latents(self, frame: int) -> tuple[Tensor, Tensor]:
        """Identity [1,60] and expression [1,6] of a frame: the head smiles, talks, blinks and looks around."""
        generator = torch.Generator().manual_seed(self.seed)
        z = torch.randn(1, IDENTITY_DIM, generator=generator)
        rest = 0.5 * torch.randn(1, EXPRESSION_DIM, generator=generator)
        t = self.phase(frame)
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
        return self.kind.from_latents(*self.latents(frame))

    def render(self, renderer: HeadRenderer, frame: int) -> HeadRender:
        """The whole frame, [1,3,height,width]."""
        return renderer.render(
            self.parameters(frame), self.frame_camera(frame), (self.height, self.width), supersample=1
        )

    def render_aligned(self, renderer: HeadRenderer, frame: int, resolution: int) -> HeadRender:
        """The frame as the generator should see it, with exact depth."""
        return renderer.render(self.parameters(frame), self.aligned_camera(frame), resolution)
