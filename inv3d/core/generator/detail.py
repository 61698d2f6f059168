"""Local features of one picture that add to a scene what its code cannot represent (E3DGE, Lan et al., section 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.generator.layers import FullyConnected

_OCTAVES = 4


@dataclass(frozen=True)
class Detail:
    """A feature map [M,C,h,w] with the camera [M] of the picture that it was read from."""

    features: Tensor
    camera: Camera

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice | list[int]) -> Detail:
        return Detail(self.features[rows], Camera(self.camera.cam2world[rows], self.camera.intrinsics[rows]))

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, on the CPU."""
        tensors = {"features": self.features, **vars(self.camera)}
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}

    def to(self, device: torch.device | str) -> Detail:
        return Detail(self.features.to(device), self.camera.to(device))

    def at(self, points: Tensor) -> Tensor:
        """Features [M,N,C] where world `points` [M,N,3] lie in the picture (E3DGE, Eq. 7); zero outside it."""
        uv, _ = self.camera.project(points)
        found = F.grid_sample(self.features, (2.0 * uv - 1.0)[:, :, None], padding_mode="zeros", align_corners=False)
        return found[..., 0].transpose(1, 2)


def positional_encoding(points: Tensor) -> Tensor:
    """Sines and cosines [...,24] of `points` [...,3] at rising frequencies: points of one ray can be distinguished (Eq. 8)."""
    angles = points[..., None] * (math.pi * 2.0 ** torch.arange(_OCTAVES, device=points.device))
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)


class DetailFilm(nn.Module):
    """Scales and shifts the features that the decoder reads by a `Detail` (FiLM, E3DGE Eq. 9).

    It starts as the identity: before training, a detail changes nothing.
    """

    def __init__(self, channels: int, features: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = FullyConnected(channels + 6 * _OCTAVES, hidden, activation="lrelu")
        self.out = FullyConnected(hidden, 2 * features, scale=0.0)

    def forward(self, features: Tensor, points: Tensor, detail: Detail) -> Tensor:
        """Features [M,N,C] at world `points` [M,N,3] with the detail."""
        read = torch.cat([detail.at(points), positional_encoding(points)], -1)
        scale, shift = self.out(self.hidden(read)).chunk(2, -1)
        return features * (1.0 + scale) + shift
