"""Random backgrounds, degradations and graded distortions for training the helper networks."""

from __future__ import annotations

import math

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


def cluttered(image: Tensor, alpha: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Pictures [B,3,R,R], a `share` of them before clutter instead of what is behind their coverage `alpha` [B,1,R,R]."""
    if not share:
        return image
    moved = torch.rand(len(image), 1, 1, 1, generator=generator) < share
    return torch.where(moved, over(image, alpha, clutter(len(image), image.shape[-1], generator)), image)


def degrade(image: Tensor, generator: torch.Generator, noise: float) -> Tensor:
    """Brightness, contrast, tint, blur and noise as cameras and codecs add them; [B,3,R,R] in [-1,1]; `noise` is the largest amount."""
    batch = len(image)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, 1, 1, generator=generator)

    image = image * (0.8 + 0.4 * uniform(1)) + 0.2 * (uniform(3) - 0.5)
    softened = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    image = image + (softened - image) * uniform(1) * (uniform(1) < 0.5)
    grain = torch.randn(image.shape, generator=generator) * noise * uniform(1) ** 2
    return (image + grain).clamp(-1.0, 1.0)


def photographed(image: Tensor, generator: torch.Generator) -> Tensor:
    """What lamps, cameras and codecs do to pictures [B,3,R,R] in [-1,1], R a multiple of 8: uneven light, gamma, colour
    casts, grey, lost resolution, blur by motion and focus, blocks of compression, grain."""
    batch = len(image)

    def uniform(low: float = 0.0, high: float = 1.0, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(batch, channels, 1, 1, generator=generator)

    def sometimes(share: float) -> Tensor:
        return uniform() < share

    light = ((image + 1.0) / 2.0).clamp(1e-4, 1.0) ** uniform(-0.45, 0.45).exp()
    light = light * uneven(batch, image.shape[-1], generator)
    grey = light.mean(1, keepdim=True)
    light = grey + (light - grey) * torch.where(sometimes(0.15), 0.0, uniform(0.5, 1.4))
    light = light * uniform(-0.25, 0.25, 3).exp() * uniform(-0.35, 0.35).exp() + uniform(-0.08, 0.08)
    image = 2.0 * light - 1.0
    image = torch.where(sometimes(0.35), pixelated(image, uniform(0.15, 0.9).flatten()), image)
    image = torch.where(sometimes(0.4), smeared(image, generator), image)
    image = torch.where(sometimes(0.5), compressed(image, uniform().flatten()), image)
    return (image + torch.randn(image.shape, generator=generator) * 0.12 * uniform() ** 3).clamp(-1.0, 1.0)


def uneven(batch: int, size: int, generator: torch.Generator) -> Tensor:
    """Gains [B,1,size,size] of lamps and shades that reach only a part of half of the pictures."""
    field = torch.randn(batch, 1, 3, 3, generator=generator)
    amount = 0.5 * torch.rand(batch, 1, 1, 1, generator=generator)
    amount = amount * (torch.rand(batch, 1, 1, 1, generator=generator) < 0.5)
    return torch.exp(amount * F.interpolate(field, size=(size, size), mode="bicubic", align_corners=False))


def pixelated(image: Tensor, share: Tensor) -> Tensor:
    """Pictures at a `share` [B] of their resolution."""
    size = image.shape[-1]
    small = [max(8, round(size * float(one))) for one in share]
    reduced = (
        F.interpolate(one[None], (side, side), mode="bilinear", antialias=True)
        for one, side in zip(image, small, strict=True)
    )
    return torch.cat([F.interpolate(one, (size, size), mode="bilinear", align_corners=False) for one in reduced])


def smeared(image: Tensor, generator: torch.Generator) -> Tensor:
    """Blur along a random direction and, less, across it: motion, or a lens out of focus."""
    batch, radius = len(image), 6
    angle, along, across = torch.rand(3, batch, 1, 1, generator=generator)
    axis = torch.arange(-radius, radius + 1.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    angle = angle * math.pi
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernel = torch.exp(-0.5 * ((u / (0.3 + 2.5 * along)).square() + (v / (0.3 + 0.9 * across)).square()))
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    padded = F.pad(image, (radius,) * 4, mode="replicate").transpose(0, 1)
    return F.conv2d(padded, kernel[:, None], groups=batch).transpose(0, 1)


def compressed(image: Tensor, strength: Tensor) -> Tensor:
    """Coarsely rounded cosines of blocks of 8 pixels, finer detail the more, as codecs do; `strength` [B] from 0 to 1."""
    batch, channels, height, width = image.shape
    k = torch.arange(8.0)
    cosines = torch.cos((k + 0.5) * k[:, None] * math.pi / 8.0) * 0.5
    cosines[0] *= math.sqrt(0.5)
    blocks = image.reshape(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    step = 0.04 * (1.0 + k[:, None] + k) * (strength * math.log(12.0)).exp().reshape(-1, 1, 1, 1, 1, 1)
    rounded = ((cosines @ blocks @ cosines.T) / step).round() * step
    return (cosines.T @ rounded @ cosines).transpose(3, 4).reshape(image.shape)


def occluded(image: Tensor, alpha: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Things in front of some heads: hands, strands, cups, as rounded bars of skin's or any colour; also taken out of
    the coverage `alpha` [B,1,R,R]."""
    batch, size = len(image), image.shape[-1]
    axis = (torch.arange(size) + 0.5) / size - 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    present = torch.rand(batch, 1, 1, 1, generator=generator) < 0.3
    for _ in range(2):
        cx, cy, angle, length, thickness, skin = torch.rand(6, batch, 1, 1, generator=generator)
        u, v = x - 0.8 * (cx - 0.5), y - 0.8 * (cy - 0.5)
        angle = angle * math.pi
        along, across = u * angle.cos() + v * angle.sin(), v * angle.cos() - u * angle.sin()
        beyond = (along.abs() - 0.35 * length).clamp(min=0.0)
        width = 0.005 + 0.11 * thickness.square()
        inside = torch.sigmoid((width - torch.hypot(beyond, across)) * size)[:, None] * present
        tone = torch.rand(batch, 3, 1, 1, generator=generator)
        flesh = torch.tensor([0.75, 0.52, 0.40])[:, None, None] * (0.4 + 0.9 * tone[:, :1])
        colour = torch.where(skin[:, None] < 0.6, flesh, tone) * (
            1.0 - 0.5 * (across / width).square().clamp(max=1.0)[:, None]
        )
        image, alpha = over(image, 1.0 - inside, 2.0 * colour.clamp(0.0, 1.0) - 1.0), alpha * (1.0 - inside)
    return image, alpha


def scrambled(image: Tensor, generator: torch.Generator) -> Tensor:
    """The pieces of pictures [B,C,R,R] in another order: like faces everywhere, and nowhere one."""
    pieces = int(torch.randint(2, 5, (), generator=generator))
    size = image.shape[-1] // pieces
    tiles = [
        image[..., i * size : (i + 1) * size, j * size : (j + 1) * size] for i in range(pieces) for j in range(pieces)
    ]
    # no piece stays where it was
    order = torch.randperm(len(tiles), generator=generator)
    moved = torch.empty_like(order)
    moved[order] = order.roll(1)
    rows = [torch.cat([tiles[int(k)] for k in row], -1) for row in moved.reshape(pieces, pieces)]
    return F.interpolate(torch.cat(rows, -2), image.shape[-2:], mode="bilinear", align_corners=False)


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
