"""A kind of figures that can be drawn: stylised heads, cats, chairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.procedural.named import Named

Channels = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Kind:
    """How latents become named parameters, a signed distance field with colours, and where people look. The functions of
    places take world coordinates x, y, z [N,P], or rays, and a parameter matrix [N,K]."""

    identity_dim: int
    expression_dim: int
    """Of all that is not identity."""
    from_latents: Callable[[Tensor, Tensor], Tensor]
    """The parameter matrix [N,K] of standard normal latents [N,I] and [N,E]."""
    parameters: type[Named]
    """Its columns, with those of `setting` among them."""
    signed_distance: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """Distance in world units [N,P], negative inside."""
    albedo: Callable[[Tensor, Tensor, Tensor, Tensor], Channels]
    """Unshaded colour at surface points, [N,P] each in [0,1]."""
    targets: Callable[[Tensor, int, torch.Generator], Tensor]
    """Places [N,count,3] in the world for training samples, in the parts and the order of `aim`."""
    all_round: bool = False
    """Whether training sees it from anywhere, and not mostly from the front."""
    varied: bool = False
    """Whether figures lack parts that others have: training then also learns what is not there."""
    lenses: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    """How much glass hides of what rays `origins`, `directions` [N,P,3] meet at `distance` [N,P], and its glare, if
    there may be any."""
