"""Figures of any kind to test, and places around them."""

import torch

from inv3d.core.procedural.kind import Channels, Kind


def draw(kind: Kind, seed: int, count: int = 2) -> torch.Tensor:
    """Parameters [count,K] of random figures."""
    random = torch.Generator().manual_seed(seed)
    identity, expression = (torch.randn(count, dim, generator=random) for dim in (kind.identity_dim, kind.expression_dim))
    return kind.from_latents(identity, expression)


def points(seed: int, count: int = 500) -> torch.Tensor:
    """Places [2,count,3] in the world."""
    return (torch.rand(2, count, 3, generator=torch.Generator().manual_seed(seed)) - 0.5) * 0.74


def field(kind: Kind, places: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    """Signed distances [N,P] at `places` [N,P,3]."""
    x, y, z = places.unbind(-1)
    return kind.signed_distance(x, y, z, parameters)


def colours(kind: Kind, places: torch.Tensor, parameters: torch.Tensor) -> Channels:
    """Red, green and blue [N,P] at `places` [N,P,3]."""
    x, y, z = places.unbind(-1)
    return kind.albedo(x, y, z, parameters)
