"""Where to sample along rays: stratified, by importance, or proposed from a density grid.

Shapes: rays come as [B,P,3], depths along the ray as [B,P,S]. Random numbers come in as tensors, so that a caller
decides between a seeded generator and determinism, and a recomputed chunk sees the same samples.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PROPOSALS = 48
"""Looks into the density grid along a ray."""


def stratified_depths(near: Tensor | float, far: Tensor | float, jitter: Tensor, disparity: bool = False) -> Tensor:
    """One depth per stratum; `jitter` [...,S] in [0,1) (0.5 for the deterministic centres) moves it within.

    As in EG3D the strata start at linspace(near, far), so the last sample may pass `far`.
    """
    count = jitter.shape[-1]
    t = torch.linspace(0.0, 1.0, count, device=jitter.device) + jitter / (count - 1)
    if disparity:
        return 1.0 / (1.0 / near * (1.0 - t) + 1.0 / far * t)
    return near + (far - near) * t


def box_limits(origins: Tensor, directions: Tensor, side: float) -> tuple[Tensor, Tensor]:
    """Depths [B,P,1] at which rays enter and leave the cube of `side` around the origin.

    As in EG3D, rays that miss it go from the nearest to the farthest entry of all those that meet it. If none does, they
    are of no length, at the distance of the cube.
    """
    inverse = 1.0 / directions
    low, high = (-side / 2 - origins) * inverse, (side / 2 - origins) * inverse
    enter = torch.minimum(low, high).amax(-1, keepdim=True)
    leave = torch.maximum(low, high).amin(-1, keepdim=True)
    meets = leave > enter
    entries = [torch.where(meets, enter, side * torch.inf) for side in (1.0, -1.0)]
    away = torch.where(meets.any(), torch.nan, origins.norm(dim=-1, keepdim=True))
    nearest, farthest = (torch.where(away.isnan(), limit, away) for limit in (entries[0].amin(), entries[1].amax()))
    return torch.where(meets, enter, nearest), torch.where(meets, leave, farthest)


def sample_pdf(bins: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """Inverse-transform samples of the piecewise-constant density `weights` [...,K] over `bins` [...,K+1].

    `u` [...,F] in [0,1]; bins of no weight are never divided by. More bins than K+1 may be given: the last are unused.
    """
    pdf = weights + 1e-5
    cdf = torch.cumsum(pdf / pdf.sum(-1, keepdim=True), -1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], -1).contiguous()
    index = torch.searchsorted(cdf, u.contiguous(), right=True)
    below = (index - 1).clamp(min=0)
    above = index.clamp(max=weights.shape[-1])
    cdf_below, cdf_above = cdf.gather(-1, below), cdf.gather(-1, above)
    bin_below, bin_above = bins.gather(-1, below), bins.gather(-1, above)
    span = cdf_above - cdf_below
    span = torch.where(span < 1e-5, torch.ones_like(span), span)
    return bin_below + (u - cdf_below) / span * (bin_above - bin_below)


def importance_depths(depths: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """Fine depths [B,P,F] from coarse `depths` [B,P,S] and the weights [B,P,S-1] of the intervals between them.

    Reproduces EG3D, including its shift by half a sample: the weight of interval j+1 goes to the bin between the
    midpoints j and j+1, and the last bin is never sampled.
    """
    shape = weights.shape
    flat = weights.reshape(-1, 1, shape[-1])
    smooth = F.avg_pool1d(F.max_pool1d(flat, 2, stride=1, padding=1), 2, stride=1).reshape(shape) + 0.01
    middles = 0.5 * (depths[..., :-1] + depths[..., 1:])
    return sample_pdf(middles, smooth[..., 1:-1], u)


def places_along(origins: Tensor, directions: Tensor, near: float, far: float, count: int) -> Tensor:
    """The middles [B,P,count,3] of `count` equal parts of each ray."""
    t = near + (far - near) * (torch.arange(count, device=origins.device) + 0.5) / count
    return origins[:, :, None] + directions[:, :, None] * t[:, None]


def proposal_depths(density: Tensor, near: float, far: float, u: Tensor) -> Tensor:
    """Depths [B,P,F] that follow the `density` [B,P,48] found at `places_along` rays; unsorted unless `u` is sorted.

    Dilated weights keep thin parts and silhouettes covered.
    """
    batch, count, steps = density.shape
    weights = _weights(density * (2.0 * (far - near) / steps))
    weights = F.max_pool1d(weights, 3, stride=1, padding=1) + 0.002
    edges = torch.linspace(near, far, steps + 1, device=density.device).expand(batch, count, -1)
    return sample_pdf(edges, weights, u)


def _weights(thickness: Tensor) -> Tensor:
    """What the optical `thickness` [...,S] of intervals hides, each behind those before it: alpha times transmittance.

    By sums, because the gradient of torch's cumulative product makes a GPU wait.
    """
    before = F.pad(thickness[..., :-1], (1, 0)).cumsum(-1)
    return torch.exp(-before) * (1.0 - torch.exp(-thickness))


def march(
    colors: Tensor, densities: Tensor, depths: Tensor, background: Tensor | None = None, far: float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Volume rendering over the intervals between samples (EG3D; mip-NeRF's quadrature).

    `colors` [B,P,S,C], activated `densities` [B,P,S-1] at the middles, `depths` [B,P,S]. Returns the colour
    [B,P,C], the depth [B,P] and the weights [B,P,S-1]. What no sample covers shows `background` [B,P,C], if any.
    Depth is the mean over the weights (infinite where there are none), or, if `far` is given, with `far` behind.
    """
    weights = _weights(densities * (depths[..., 1:] - depths[..., :-1]))
    # sum_i w_i (c_i + c_i+1) / 2, without building the averaged colours
    halves = F.pad(weights, (0, 1)) + F.pad(weights, (1, 0))
    color = 0.5 * (halves[..., None, :] @ colors).squeeze(-2)
    total = weights.sum(-1)
    middles = 0.5 * (depths[..., 1:] + depths[..., :-1])
    depth = (weights * middles).sum(-1)
    if far is None:
        depth = torch.nan_to_num(depth / total, nan=float("inf"))
    else:
        depth = depth + (1.0 - total) * far
    if background is not None:
        color = color + (1.0 - total)[..., None] * background
    return color, depth, weights
