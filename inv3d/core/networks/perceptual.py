"""The perceptual network: weighted distances between deep features, as LPIPS (Zhang et al. 2018, Eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.networks.trunk import Trunk


def unit_channels(x: Tensor) -> Tensor:
    """Scale the channel vector at every place to unit length; [B,C,H,W]."""
    return x * torch.rsqrt(x.square().sum(1, keepdim=True) + 1e-6)


class PerceptualNetwork(nn.Module):
    """Features of images [B,3,R,R] in [-1,1], learned by predicting anatomy, expression and pose from pictures.

    How much each channel counts in the distance is learned from pairs of distortions whose order is known.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...] = (24, 48, 72, 96)) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(widths[-1] * 16, 256), nn.SiLU(), nn.Linear(256, outputs)
        )
        self.weights = nn.ParameterList(torch.zeros(width) for width in widths)

    def forward(self, image: Tensor) -> Tensor:
        """The quantities that the network was trained to predict, [B,outputs]."""
        return self.head(self.trunk(image)).float()

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Perceptual distance [B]: weighted squared differences of unit features, mean over places, summed over stages."""
        pairs = zip(self.trunk.features(a), self.trunk.features(b), self.weights, strict=True)
        stages = [
            ((unit_channels(x) - unit_channels(y)).square().mean((2, 3)) * F.softplus(weight)).sum(1)
            for x, y, weight in pairs
        ]
        return torch.stack(stages).sum(0)
