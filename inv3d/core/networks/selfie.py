"""MediaPipe's selfie segmentation: which pixels of a photograph show a person. A MobileNetV3 (Howard et al. 2019) and, back to full size, gates by the whole picture."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.networks.blaze import Same

PERSON_INPUT = 256
"""Side in pixels of the pictures that the network receives."""


class Gate(nn.Module):
    """What of each channel counts [B,C,1,1], by the mean of the whole picture [B,in,H,W]."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.hidden, self.out = nn.Conv2d(inputs, hidden, 1), nn.Conv2d(hidden, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.hidden(x.mean((2, 3), keepdim=True)))).sigmoid()


class Inverted(nn.Module):
    """An inverted residual block, [B,in,H,W] -> [B,out,H/stride,W/stride]."""

    def __init__(self, inputs: int, hidden: int, outputs: int, kernel: int, stride: int, gate: int, swish: bool) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, hidden, 1)
        self.depthwise = Same(hidden, hidden, kernel, stride, groups=hidden)
        self.gate = Gate(hidden, gate, hidden) if gate else None
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.activation = nn.Hardswish() if swish else nn.ReLU()
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.depthwise(self.activation(self.expand(x))))
        if self.gate is not None:
            y = y * self.gate(y)
        y = self.project(y)
        return x + y if self.residual else y


class Up(nn.Module):
    """To twice the size, joined with what was seen on the way down there [B,own,2H,2W]."""

    def __init__(self, inputs: int, own: int) -> None:
        super().__init__()
        self.match = nn.Conv2d(inputs, own, 1)
        self.gate = Gate(own, own, own)
        self.mix = nn.Conv2d(own, own, 1)
        self.depthwise = Same(own, own, 3, groups=own)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x = self.match(_doubled(x))
        y = F.relu(self.mix(seen * self.gate(seen + x) + x))
        return y + F.relu(self.depthwise(y))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class PersonMatte(nn.Module):
    """Logits [B,1,256,256] of the person in pictures [B,3,256,256] in [-1,1]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Same(3, 16, 3, 2)
        self.quarter = Inverted(16, 16, 16, 3, 2, 8, False)
        self.eighth = nn.Sequential(Inverted(16, 72, 24, 3, 2, 0, False), Inverted(24, 88, 24, 3, 1, 0, False))
        self.sixteenth = nn.Sequential(
            Inverted(24, 96, 32, 5, 2, 24, True),
            Inverted(32, 128, 32, 5, 1, 32, True),
            Inverted(32, 128, 32, 5, 1, 32, True),
            Inverted(32, 96, 32, 5, 1, 24, True),
            Inverted(32, 96, 32, 5, 1, 24, True),
        )
        self.local, self.overall = nn.Conv2d(32, 128, 1), nn.Conv2d(32, 128, 1)
        self.up = nn.ModuleList([Up(128, 24), Up(24, 16), Up(16, 16)])
        self.out = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, image: Tensor) -> Tensor:
        half = F.hardswish(self.stem((image + 1.0) / 2.0))
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        x = self.sixteenth(eighth)
        x = F.relu(self.local(x)) * self.overall(x.mean((2, 3), keepdim=True)).sigmoid()
        for up, seen in zip(self.up, (eighth, quarter, half), strict=True):
            x = up(x, seen)
        return self.out(x).float()
