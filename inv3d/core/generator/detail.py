"""Local features of one picture that add to a scene what its code cannot represent (E3DGE, Lan et al., section 4.2).

Wherever a point of the scene projects to in the picture, it reads how the picture differs from the code's own render
there; from this and its place, small networks scale and shift the feature that colours are decoded from (FiLM). The shape
stays that of the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.resampling import sample

_OCTAVES = 7
ENCODED = 3 + 6 * _OCTAVES
"""Numbers of `positional_encoding`."""
_BEHIND = 0.02
"""World units behind the surface from which a point counts as hidden; twice as far it is entirely."""
_FACING = 8.0
"""How sharply points are divided among the cameras that face them."""
_SLOPE = 0.2


@dataclass(frozen=True)
class LocalFeatures:
    """What M pictures show beyond the renders of their codes: the `residual` [M,3,R,R] of picture and render, `features`
    [M,C,h,w] that were read from it, the `depth` [M,1,d,d] of the render, and the cameras [M]."""

    residual: Tensor
    features: Tensor
    depth: Tensor
    camera: Camera

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice | list[int]) -> LocalFeatures:
        return LocalFeatures(self.residual[rows], self.features[rows], self.depth[rows], self.camera[rows])

    def to(self, device: torch.device | str) -> LocalFeatures:
        return LocalFeatures(
            self.residual.to(device), self.features.to(device), self.depth.to(device), self.camera.to(device)
        )

    @property
    def channels(self) -> int:
        """Numbers that a point reads."""
        return self.residual.shape[1] + self.features.shape[1]

    def at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Features [M,N,3+C] where world `points` [M,N,3] lie in the pictures (Eq. 8), and whether they are visible
        there [M,N,1], from 1 to 0: not outside the picture, and not behind what it shows. Hidden points read zeros."""
        uv, distance = self.camera.project(points)
        grid = (2.0 * uv - 1.0)[:, :, None]

        def sampled(image: Tensor) -> Tensor:
            return sample(image, grid)[..., 0].transpose(1, 2)

        behind = (distance[..., None] - sampled(self.depth)) / _BEHIND - 1.0
        inside = (grid[:, :, 0].abs().amax(-1, keepdim=True) <= 1.0).to(behind)
        visible = inside * (1.0 - behind.clamp(0.0, 1.0))
        return visible * torch.cat([sampled(self.residual), sampled(self.features)], -1), visible


def together(features: Sequence[LocalFeatures], points: Tensor) -> tuple[Tensor, Tensor]:
    """What `points` [M,N,3] read in several pictures, each in those that face it and do not hide it, and whether there are
    any: as `LocalFeatures.at`. The side that a point faces is that on which it lies, as on a ball."""
    if len(features) == 1:
        return features[0].at(points)
    directions = torch.stack([F.normalize(each.camera.position, dim=-1) for each in features], 1)
    facing = (_FACING * F.normalize(points, dim=-1) @ directions.transpose(1, 2)).softmax(-1)
    read, visible = (torch.stack(each) for each in zip(*(each.at(points) for each in features), strict=True))
    shares = facing.permute(2, 0, 1)[..., None]
    found = (shares * visible).sum(0)
    return (shares * read).sum(0) / found.clamp(min=1e-4), visible.amax(0) * (found > 1e-4)


def positional_encoding(points: Tensor) -> Tensor:
    """`points` [...,3], their sines and their cosines at rising frequencies, [...,45]: points of one ray can be
    distinguished (Eq. 8)."""
    angles = points[..., None, :] * 2.0 ** torch.arange(_OCTAVES, device=points.device)[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], -2).flatten(-3)
    return torch.cat([points, waves], -1)


class ResidualLayers(nn.Module):
    """Two linear layers with a linear path around them (Yu et al. 2021)."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.fc_0 = nn.Linear(inputs, hidden)
        self.fc_1 = nn.Linear(hidden, outputs)
        self.shortcut = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.fc_1(F.relu(self.fc_0(F.relu(x))))


class FeatureFusion(nn.Module):
    """Features read in the picture, scaled and shifted by features of an aligned one (FiLM, Eq. 10).

    It starts as the identity.
    """

    def __init__(self, aligned: int, seen: int, hidden: int) -> None:
        super().__init__()
        self.encode_enc = ResidualLayers(aligned + seen, hidden, hidden)
        self.scale, self.shift = (
            nn.Sequential(nn.Linear(hidden, hidden), nn.LeakyReLU(_SLOPE), _silent(hidden, seen)) for _ in range(2)
        )

    def forward(self, aligned: Tensor, seen: Tensor) -> Tensor:
        """`aligned` [...,A] and `seen` [...,S] to [...,S]."""
        mixed = self.encode_enc(torch.cat([aligned, seen], -1))
        return seen * (1.0 + self.scale(mixed)) + self.shift(mixed)


class DetailFilm(nn.Module):
    """Scales and shifts the `features` numbers that colours are decoded from by what points read (FiLM, Eq. 9 and 11).

    It starts as the identity: before training, a detail changes nothing.
    """

    def __init__(self, channels: int, features: int, hidden: int) -> None:
        super().__init__()
        self.channels, self.features, self.hidden = channels, features, hidden
        self.fusion = FeatureFusion(channels + 1, channels + 1, hidden)
        self.layers = ResidualLayers(channels + 1 + ENCODED, hidden, hidden)
        self.out = _silent(hidden, 2 * features)

    def forward(self, features: Tensor, points: Tensor, detail: Detail) -> Tensor:
        """Features [M,N,F] at world `points` [M,N,3] with the detail."""
        read = torch.cat(detail.seen.at(points), -1)
        if detail.aligned:
            read = self.fusion(torch.cat(together(detail.aligned, points), -1), read)
        scale, shift = self.out(F.relu(self.layers(torch.cat([read, positional_encoding(points)], -1)))).chunk(2, -1)
        return features * (1.0 + scale) + shift


def _silent(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that gives zeros before it has learned."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@dataclass(frozen=True)
class Detail:
    """What was `seen` in M pictures, what their residuals look like when they are `aligned` to other sides, from where some
    of the points show that the pictures hide (section 4.3), and the networks that make use of it. Its `strength` is less than
    1 where a style takes its place."""

    seen: LocalFeatures
    film: DetailFilm
    aligned: tuple[LocalFeatures, ...] = ()
    strength: float = 1.0

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, rows: slice | list[int]) -> Detail:
        return replace(self, seen=self.seen[rows], aligned=tuple(each[rows] for each in self.aligned))

    def to(self, device: torch.device | str) -> Detail:
        aligned = tuple(each.to(device) for each in self.aligned)
        return replace(self, seen=self.seen.to(device), film=self.film.to(device), aligned=aligned)

    def added(self, features: Tensor, points: Tensor) -> Tensor:
        """Features [M,N,F] at world `points` [M,N,3] with the detail."""
        changed: Tensor = self.film(features, points, self)
        return changed if self.strength == 1.0 else torch.lerp(features, changed, self.strength)
