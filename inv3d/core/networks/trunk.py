"""The small residual trunk that the aligner, identity and perceptual networks share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Stage(nn.Module):
    """Halves the resolution, then one residual block; [B,in,H,W] -> [B,out,H/2,W/2]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(8, out_channels)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm(self.down(x)))
        return x + F.silu(self.conv2(F.silu(self.conv1(x))))


class Trunk(nn.Module):
    """Stages of growing width over an image [B,3,H,W] in [-1,1]."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(a, b) for a, b in zip((3, *widths), widths, strict=False))

    def width(self, stage: int) -> int:
        """Channels of a stage's output."""
        channels: int = self.stages[stage].conv2.out_channels  # type: ignore[union-attr, assignment]
        return channels

    def features(self, image: Tensor) -> list[Tensor]:
        """The output of every stage, from fine to coarse."""
        outputs = []
        x = image
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs

    def forward(self, image: Tensor) -> Tensor:
        return self.features(image)[-1]
