"""How latents become shares, switches and colours, of stylised heads, cats and people alike."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def uniform(z: Tensor) -> Tensor:
    """Standard normal numbers to uniform ones in [0,1]."""
    return 0.5 * (1.0 + torch.erf(z / math.sqrt(2.0)))


def present(z: Tensor, threshold: float, sharpness: float = 16.0) -> Tensor:
    """A soft switch in [0,1] that is on where z lies above `threshold`."""
    return torch.sigmoid((z - threshold) * sharpness)


def walk(u: Tensor, colours: list[list[float]]) -> Tensor:
    """A smooth walk through `colours` as u [N] goes from 0 to 1; [N,3]."""
    table = torch.tensor(colours, device=u.device, dtype=u.dtype)
    position = (u * (len(colours) - 1)).clamp(0.0, len(colours) - 1 - 1e-4)
    index = position.long()
    fraction = (position - index)[:, None]
    return table[index] * (1.0 - fraction) + table[index + 1] * fraction


def mixed(colour: Tensor, target: list[float], amount: Tensor) -> Tensor:
    """Colours [N,3] mixed with one fixed colour by `amount` [N]."""
    return colour + amount[:, None] * (torch.tensor(target, device=colour.device, dtype=colour.dtype) - colour)


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Hue, saturation and value in [0,1], each [N], to RGB [N,3]."""

    def channel(offset: float) -> Tensor:
        k = (offset + hue * 6.0) % 6.0
        return value - value * saturation * torch.minimum(k, 4.0 - k).clamp(0.0, 1.0)

    return torch.stack([channel(5.0), channel(3.0), channel(1.0)], 1)


def channels(colours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Named colours [N,3] as columns [N]: `fur_r`, `fur_g` and `fur_b` of `fur`."""
    return {f"{name}_{one}": colour[:, i] for name, colour in colours.items() for i, one in enumerate("rgb")}
