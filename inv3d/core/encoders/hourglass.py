"""The stacked hourglass of E3DGE's local encoder (Newell et al. 2016), under the names of its public weights."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.resampling import resize


class ConvBlock(nn.Module):
    """Three convolutions whose outputs are put side by side, and a path around them; [B,in,H,W] -> [B,out,H,W]."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        half, quarter = outputs // 2, outputs // 4
        self.conv1 = nn.Conv2d(inputs, half, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.bn1, self.bn2, self.bn3 = (nn.GroupNorm(groups, channels) for channels in (inputs, half, quarter))
        self.downsample: nn.Sequential | None = None
        if inputs != outputs:
            # the public weights have its norm under the name bn4 as well, and a bn4 that is not used where there is none
            norm = nn.GroupNorm(groups, inputs)
            self.downsample = nn.Sequential(norm, nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(F.relu(self.bn1(x)))
        second = self.conv2(F.relu(self.bn2(first)))
        third = self.conv3(F.relu(self.bn3(second)))
        around = x if self.downsample is None else self.downsample(x)
        return torch.cat([first, second, third], 1) + around


class HourGlass(nn.Module):
    """Halves the resolution `depth` times and comes back, with a path around every level; [B,C,H,W] -> [B,C,H,W]."""

    def __init__(self, depth: int, channels: int, groups: int) -> None:
        super().__init__()
        self.depth = depth
        for level in range(depth, 0, -1):
            for part in ("b1", "b2", "b3"):
                self.add_module(f"{part}_{level}", ConvBlock(channels, channels, groups))
        self.b2_plus_1 = ConvBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self._level(self.depth, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        b1, b2, b3 = (cast(ConvBlock, self.get_submodule(f"{part}_{level}")) for part in ("b1", "b2", "b3"))
        low = b2(F.avg_pool2d(x, 2))
        low = b3(self._level(level - 1, low) if level > 1 else self.b2_plus_1(low))
        grown = resize(low, (2 * low.shape[-2], 2 * low.shape[-1]), "bicubic", align_corners=True)
        return cast(Tensor, b1(x)) + grown


class HourGlassFilter(nn.Module):
    """Features [B,widths[2],H/4,W/4] of maps [B,inputs,H,W]: `stacks` hourglasses, of which each begins with what the one
    before has found."""

    def __init__(self, inputs: int, widths: tuple[int, int, int], stacks: int, depth: int, groups: int) -> None:
        super().__init__()
        first, second, channels = widths
        self.stacks = stacks
        self.conv1 = nn.Conv2d(inputs, first, 7, stride=2, padding=3)
        self.bn1 = nn.GroupNorm(groups, first)
        self.conv2 = ConvBlock(first, second, groups)
        self.conv3 = ConvBlock(second, second, groups)
        self.conv4 = ConvBlock(second, channels, groups)
        for i in range(stacks):
            self.add_module(f"m{i}", HourGlass(depth, channels, groups))
            self.add_module(f"top_m_{i}", ConvBlock(channels, channels, groups))
            self.add_module(f"conv_last{i}", nn.Conv2d(channels, channels, 1))
            self.add_module(f"bn_end{i}", nn.GroupNorm(groups, channels))
            self.add_module(f"l{i}", nn.Conv2d(channels, channels, 1))
            if i < stacks - 1:
                self.add_module(f"bl{i}", nn.Conv2d(channels, channels, 1))
                self.add_module(f"al{i}", nn.Conv2d(channels, channels, 1))

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What every hourglass finds."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.conv4(self.conv3(F.avg_pool2d(self.conv2(x), 2)))
        found = []
        for i in range(self.stacks):
            y = self._part(f"top_m_{i}", self._part(f"m{i}", x))
            y = F.relu(self._part(f"bn_end{i}", self._part(f"conv_last{i}", y)))
            found.append(self._part(f"l{i}", y))
            if i < self.stacks - 1:
                x = x + self._part(f"bl{i}", y) + self._part(f"al{i}", found[-1])
        return found

    def _part(self, name: str, x: Tensor) -> Tensor:
        return cast(Tensor, self.get_submodule(name)(x))


class _Residual(nn.Module):
    """Two convolutions, each after its norm, and a path around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.BatchNorm2d(channels), nn.ReLU(), _reflecting(channels, channels)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.conv(x))


class HourGlassEncoder(nn.Module):
    """E_1: a residual [B,3,S,S] and a depth map [B,1,S,S] to features [B,widths[2],S/4,S/4] (Eq. 7)."""

    def __init__(self, stem: int, widths: tuple[int, int, int], stacks: int, depth: int, groups: int) -> None:
        super().__init__()
        self.residual_conv, self.depth_conv = _map_stem(3, stem), _map_stem(1, stem)
        self.image_filter = HourGlassFilter(2 * stem, widths, stacks, depth, groups)

    def forward(self, residual: Tensor, depth: Tensor) -> Tensor:
        return self.outputs(residual, depth)[-1]

    def outputs(self, residual: Tensor, depth: Tensor) -> list[Tensor]:
        """What every hourglass finds."""
        return self.image_filter.outputs(torch.cat([self.residual_conv(residual), self.depth_conv(depth)], 1))


def _map_stem(inputs: int, width: int) -> nn.Sequential:
    """The first layers over one kind of map [B,inputs,H,W], at full resolution; [B,width,H,W]."""
    return nn.Sequential(_reflecting(inputs, width), _Residual(width), nn.Conv2d(width, width, 1, bias=False))


def _reflecting(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=False)
