"""Backgrounds of people: one colour over another, or a cluttered room out of focus."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.parameters import Parameters

_COARSE = 48  # pixels of the room before it is enlarged: what is out of focus has no detail


def backdrop(height: Tensor, parameters: Tensor) -> Tensor:
    """The background [B,P,3] at `height` [B,P] in the picture: one colour above another, with a soft or sharp edge."""
    p = Parameters(parameters)
    below, above = p.colour("background")[:, None], p.colour("backdrop")[:, None]
    step = torch.sigmoid((height - p.backdrop_height) * p.backdrop_edge)
    return below + step[..., None] * (above - below)


def clutter(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Pictures [B,3,H,W] in [0,1] of rooms and streets out of focus: boxes, lamps and leaves of related colours."""
    pictures = []
    y, x = torch.meshgrid(torch.linspace(0.0, 1.0, _COARSE), torch.linspace(0.0, 1.0, _COARSE), indexing="ij")
    for _ in range(count):
        draw = torch.rand(64, 8, generator=generator)
        tone = draw[0, :3] * 0.5 + 0.2
        room = tone[:, None, None] * (0.7 + 0.6 * draw[0, 3] * y + 0.3 * (draw[0, 4] - 0.5) * x)
        for k in range(1, 6 + int(22 * draw[0, 5])):
            cx, cy, w, h, turn, bright, round_, _ = draw[k].tolist()
            w, h = 0.03 + 0.45 * w**2, 0.04 + 0.6 * h**2
            u = (x - cx) + (turn - 0.5) * 0.5 * (y - cy)
            shape = ((u / w) ** 2 + ((y - cy) / h) ** 2 < 1.0) if round_ < 0.4 else (u.abs() < w) & ((y - cy).abs() < h)
            colour = (tone + (draw[k + 24, :3] - 0.5) * 0.45 * draw[k + 24, 3]).clamp(0.02, 1.0) * (0.3 + 1.2 * bright)
            room = torch.where(shape, colour[:, None, None], room)
        blur = 1.1 + 2.4 * float(draw[0, 6])
        taps = torch.exp(-0.5 * (torch.arange(-7.0, 8.0) / blur) ** 2)
        taps = taps / taps.sum()
        padded = F.pad(room[:, None], (7, 7, 7, 7), mode="replicate")
        soft = F.conv2d(F.conv2d(padded, taps.reshape(1, 1, 1, -1)), taps.reshape(1, 1, -1, 1))
        pictures.append(F.interpolate(soft[:, 0][None], size, mode="bicubic", align_corners=False))
    return torch.cat(pictures).clamp(0.0, 1.0)
