"""The aligner: estimates the correction that turns a crop into the generator's own crop, and the pose of the head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inv3d.core.crops import Crops
from inv3d.core.networks.trunk import Trunk

INPUT_SIZE = 64
"""Side in pixels of the crops that the network receives."""


@dataclass(frozen=True)
class Alignment:
    """The aligner's reading of B crops.

    `shift` [B,2] of the centre in crop sizes (right, down, in the crop's own axes), `log_scale` [B] of the size,
    `roll`, `yaw` and `pitch` [B] in radians, `logit` [B] of the confidence: how probable it is that the crop shows a
    face and that all this is right.
    """

    shift: Tensor
    log_scale: Tensor
    roll: Tensor
    yaw: Tensor
    pitch: Tensor
    logit: Tensor

    @property
    def confidence(self) -> Tensor:
        return torch.sigmoid(self.logit)

    @property
    def fields(self) -> tuple[Tensor, ...]:
        return self.shift, self.log_scale, self.roll, self.yaw, self.pitch, self.logit

    def map(self, function: Callable[[Tensor], Tensor]) -> Alignment:
        """The alignment with `function` applied to every field."""
        return Alignment(*(function(field) for field in self.fields))

    def apply(self, crops: Crops) -> Crops:
        """The corrected crops."""
        cos, sin = crops.roll.cos(), crops.roll.sin()
        dx, dy = self.shift.unbind(-1)
        center = crops.center + crops.size[:, None] * torch.stack([cos * dx - sin * dy, sin * dx + cos * dy], -1)
        return Crops(center, crops.size * self.log_scale.exp(), crops.roll + self.roll)


class Aligner(nn.Module):
    """Regresses an `Alignment` from crops [B,3,64,64] in [-1,1]."""

    def __init__(self, widths: tuple[int, ...] = (24, 48, 72, 96, 128)) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        cells = (INPUT_SIZE >> len(widths)) ** 2
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * cells, 256), nn.SiLU(), nn.Linear(256, 7))

    def forward(self, image: Tensor) -> Alignment:
        out = self.head(self.trunk(image)).float()
        return Alignment(out[:, :2], out[:, 2], out[:, 3], out[:, 4], out[:, 5], out[:, 6])
