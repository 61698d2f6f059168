"""E_ADA of E3DGE, HFGI's network that aligns a residual to another picture (Wang et al. 2022), under the names of its
public weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from inv3d.core.networks.arcface import Unit
from inv3d.core.resampling import resize

_UNITS = 3


class ResidualAligner(nn.Module):
    """A residual and a render from another side or after an edit, [B,6,S,S], to the residual as it would look there
    [B,3,S,S]."""

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.conv_layer1 = nn.Sequential(
            nn.Conv2d(6, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first)
        )
        self.conv_layer2, self.conv_layer3, self.conv_layer4 = (
            _units([a, *[b] * _UNITS], stride=2) for a, b in pairwise(widths)
        )
        self.dconv_layer1 = _units([fourth + third, fourth, second, second])
        self.dconv_layer2 = _units([2 * second, second, first, first])
        self.dconv_layer3 = _units([2 * first, first, 3, 3])

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv_layer1(x)
        second = self.conv_layer2(first)
        third = self.conv_layer3(second)
        y = self.dconv_layer1(_joined(self.conv_layer4(third), third))
        y = self.dconv_layer2(_joined(y, second))
        aligned: Tensor = self.dconv_layer3(_joined(y, first))
        return aligned


def _units(channels: list[int], stride: int = 1) -> nn.Sequential:
    """Residual units from one of the `channels` to the next; the first one has the stride."""
    steps = [stride] + [1] * (len(channels) - 2)
    return nn.Sequential(*(Unit(a, b, step, False) for (a, b), step in zip(pairwise(channels), steps, strict=True)))


def _joined(coarse: Tensor, fine: Tensor) -> Tensor:
    """Both maps side by side, at twice the size of the coarse one."""
    return torch.cat([resize(coarse, (fine.shape[-2], fine.shape[-1])), fine], 1)
