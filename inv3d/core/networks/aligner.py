"""The aligner: estimates the correction that turns a crop into the generator's own crop, the pose of the head, and its
matte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.crops import Crops, turned
from inv3d.core.networks.trunk import Trunk
from inv3d.core.resampling import resize

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

    def mirrored(self) -> Alignment:
        """The same reading of the mirror images of the crops."""
        shift = self.shift * self.shift.new_tensor([-1.0, 1.0])
        return Alignment(shift, self.log_scale, -self.roll, -self.yaw, self.pitch, self.logit)

    def apply(self, crops: Crops) -> Crops:
        """The corrected crops."""
        center = crops.center + crops.size[:, None] * turned(self.shift, crops.roll)
        return Crops(center, crops.size * self.log_scale.exp(), crops.roll + self.roll)


class MatteDecoder(nn.Module):
    """From the trunk's features back to the crop's own size, each level joined with the features seen on the way down."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.join = nn.ModuleList(nn.Conv2d(below + own, own, 3, padding=1) for own, below in pairwise(widths))
        self.full = nn.Conv2d(widths[0] + 3, 16, 3, padding=1)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, image: Tensor, features: list[Tensor]) -> Tensor:
        """Logits [B,1,R,R] of the coverage of `image` [B,3,R,R], of which the trunk made `features`."""
        x = features[-1]
        for join, own in zip(reversed(self.join), reversed(features[:-1]), strict=True):
            x = F.silu(join(torch.cat([F.interpolate(x, scale_factor=2.0), own], 1)))
        x = resize(x, (2 * x.shape[-2], 2 * x.shape[-1]))
        return self.out(F.silu(self.full(torch.cat([x, image], 1))))


class Aligner(nn.Module):
    """Regresses an `Alignment` from crops [B,3,64,64] in [-1,1], and with `matte` the coverage of what they show."""

    def __init__(self, widths: tuple[int, ...] = (24, 48, 72, 96, 128), matte: bool = True) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        cells = (INPUT_SIZE >> len(widths)) ** 2
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * cells, 256), nn.SiLU(), nn.Linear(256, 7))
        self.decoder = MatteDecoder(widths) if matte else None

    @property
    def has_matte(self) -> bool:
        return self.decoder is not None

    def forward(self, image: Tensor) -> Alignment:
        return self._alignment(self.trunk(image))

    def _alignment(self, features: Tensor) -> Alignment:
        out = self.head(features).float()
        return Alignment(out[:, :2], out[:, 2], out[:, 3], out[:, 4], out[:, 5], out[:, 6])

    def with_matte(self, image: Tensor, mattes: int | None = None) -> tuple[Alignment, Tensor]:
        """The reading, and logits [B,1,64,64] of the share of each pixel that head and body cover; of the first crops
        alone if `mattes` says how many. Raises ValueError if this aligner has learned no matte."""
        if self.decoder is None:
            raise ValueError("this aligner has no matte")
        features = self.trunk.features(image)
        first = [level[:mattes] for level in features]
        return self._alignment(features[-1]), self.decoder(image[:mattes], first).float()

    def matte(self, image: Tensor) -> Tensor:
        """Coverage [B,1,64,64] in [0,1] of crops. Raises ValueError if this aligner has learned no matte."""
        return torch.sigmoid(self.with_matte(image)[1])
