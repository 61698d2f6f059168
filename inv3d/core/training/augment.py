"""Random backgrounds and picture degradations for training the helper networks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def clutter(batch: int, size: int, generator: torch.Generator) -> Tensor:
    """Backgrounds [B,3,size,size] in [-1,1]: flat colours, gradients, blobs and blocks of all sizes, mixed."""
    image = torch.rand(batch, 3, 1, 1, generator=generator).expand(-1, -1, size, size) * 2.0 - 1.0
    busy = torch.rand(batch, 1, 1, 1, generator=generator) < 0.7
    for cells in (2, 4, 9, 20):
        noise = torch.randn(batch, 3, cells, cells, generator=generator)
        mode = "nearest" if torch.rand((), generator=generator) < 0.4 else "bicubic"
        layer = F.interpolate(noise, size=(size, size), mode=mode)
        amplitude = torch.rand(batch, 1, 1, 1, generator=generator) ** 2 * busy
        image = image + amplitude * layer
    return image.clamp(-1.0, 1.0)


def over(image: Tensor, alpha: Tensor, background: Tensor) -> Tensor:
    """Composite pictures that already contain a flat background behind `alpha` onto another one."""
    return image * alpha + background * (1.0 - alpha)


def degrade(image: Tensor, generator: torch.Generator, noise: float = 0.06) -> Tensor:
    """Brightness, contrast, tint, blur and noise as cameras and codecs add them; [B,3,R,R] in [-1,1]; `noise` is the largest amount."""
    batch = len(image)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, 1, 1, generator=generator)

    image = image * (0.8 + 0.4 * uniform(1)) + 0.2 * (uniform(3) - 0.5)
    softened = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    image = image + (softened - image) * uniform(1) * (uniform(1) < 0.5)
    grain = torch.randn(image.shape, generator=generator) * noise * uniform(1) ** 2
    return (image + grain).clamp(-1.0, 1.0)
