"""The perceptual network: weighted distances between deep features, as LPIPS (Zhang et al. 2018, Eq. 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.networks.trunk import Trunk
from inv3d.core.resampling import AveragePool

Features = tuple[Tensor, ...]
"""What a perceptual network compares of B images, as [B,...]."""


def unit_channels(x: Tensor) -> Tensor:
    """Scale the channel vector at every place to unit length; [B,C,H,W]."""
    return x * torch.rsqrt(x.square().sum(1, keepdim=True) + 1e-6)


TYPICAL_LPIPS = 0.0887
"""The `typical_distance` of LPIPS (AlexNet) for a photograph, NASA's portrait of Eileen Collins in scikit-image, at 64
pixels; measured by `benchmarks/photographs.py`."""


def distortions(images: Tensor) -> Iterator[Tensor]:
    """Images [B,3,R,R] in [-1,1] as a fit may still render them: blurred, shifted, noisy, flat, of another colour, and with
    every part in the wrong place (mirrored)."""
    size = images.shape[-1]
    random = torch.Generator().manual_seed(0)
    small = F.interpolate(images, (size // 3, size // 3), mode="bilinear", antialias=True, align_corners=False)
    yield F.interpolate(small, (size, size), mode="bilinear", align_corners=False)
    yield images.roll((size // 32, size // 32), (2, 3))
    yield (images + 0.15 * torch.randn(images.shape, generator=random).to(images)).clamp(-1, 1)
    yield 0.6 * images
    yield (images + 0.2 * torch.tensor([1.0, -0.5, -1.0]).to(images)[:, None, None]).clamp(-1, 1)
    yield images.flip(3)


@torch.no_grad()
def typical_distance(distance: Callable[[Tensor, Tensor], Tensor], images: Tensor) -> float:
    """The geometric mean, over `distortions` of images [B,3,R,R], of the distance that a network gives them: the scale of
    its distances, in which no kind of distortion counts more than others."""
    return float(torch.stack([distance(images, other).mean() for other in distortions(images)]).log().mean().exp())


class PerceptualNetwork(nn.Module):
    """Features of images [B,3,R,R] in [-1,1], learned by predicting anatomy, expression and pose from pictures.

    How much each channel counts in the distance is learned from pairs of distortions whose order is known.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...] = (24, 48, 72, 96)) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.head = nn.Sequential(
            AveragePool(4), nn.Flatten(), nn.Linear(widths[-1] * 16, 256), nn.SiLU(), nn.Linear(256, outputs)
        )
        self.weights = nn.ParameterList(torch.zeros(width) for width in widths)

    def forward(self, image: Tensor) -> Tensor:
        """The quantities that the network was trained to predict, [B,outputs]."""
        return self.head(self.trunk(image)).float()

    def features(self, images: Tensor) -> Features:
        """What `between` compares, of images [B,3,R,R] in [-1,1]."""
        return tuple(unit_channels(x) for x in self.trunk.features(images))

    def between(self, a: Features, b: Features) -> Tensor:
        """Perceptual distance [B]: weighted squared differences of unit features, mean over places, summed over stages."""
        pairs = zip(a, b, self.weights, strict=True)
        stages = [((x - y).square().mean((2, 3)) * F.softplus(weight)).sum(1) for x, y, weight in pairs]
        return torch.stack(stages).sum(0)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Perceptual distance [B] of two batches of images [B,3,R,R] in [-1,1]."""
        return self.between(self.features(a), self.features(b))

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarity [B] of the means of the coarsest features."""
        return F.cosine_similarity(self.trunk(a).mean((2, 3)), self.trunk(b).mean((2, 3)))
