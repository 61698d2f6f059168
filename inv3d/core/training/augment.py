"""Random backgrounds, degradations and graded distortions for training the helper networks."""

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


def noisy(image: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Add grain; [B,3,R,R], `strength` [B] from 0 (nothing) to 1 (severe), as for all distortions."""
    grain = torch.randn(image.shape, generator=generator).to(image.device)
    return image + 0.45 * strength.to(image.device)[:, None, None, None] * grain


def soft(image: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Blur by downscaling and upscaling."""
    blurred = []
    for one, amount in zip(image, strength.tolist(), strict=True):
        size = max(3, round(image.shape[-1] / (1.0 + 7.0 * amount)))
        small = F.interpolate(one[None], (size, size), mode="bilinear", antialias=True)
        blurred.append(F.interpolate(small, image.shape[-2:], mode="bicubic", align_corners=False))
    return torch.cat(blurred)


def moved(image: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Shift to a random side, by at most a tenth of the picture."""
    angle = torch.rand(len(image), generator=generator) * 6.2832
    shift = 0.2 * strength[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    theta = torch.cat([torch.eye(2).expand(len(image), -1, -1), shift[..., None]], 2).to(image.device)
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def warped(image: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Bend by a smooth random field of displacements."""
    batch = len(image)
    field = 0.12 * strength[:, None, None, None] * torch.randn(batch, 2, 7, 7, generator=generator)
    theta = torch.eye(2, 3).expand(batch, -1, -1)
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    grid = grid + F.interpolate(field, image.shape[-2:], mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    return F.grid_sample(image, grid.to(image.device), padding_mode="border", align_corners=False)


def tinted(image: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Add one colour to the whole picture."""
    colour = F.normalize(torch.randn(len(image), 3, generator=generator), dim=1)
    return image + (0.7 * strength[:, None] * colour).to(image.device)[:, :, None, None]


DISTORTIONS = (noisy, soft, moved, warped, tinted)
"""Distortions whose order in strength is known."""
