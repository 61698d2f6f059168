"""From tri-planes to density and colour at points: plane lookup, canonical planes, decoder."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.generator.bend import Bend
from inv3d.core.generator.config import CanonicalConfig, GeneratorConfig, PlaneAxes, PlaneLayout, RenderingConfig
from inv3d.core.generator.detail import Detail
from inv3d.core.generator.hull import Hull
from inv3d.core.generator.layers import FullyConnected, Softplus
from inv3d.core.resampling import resize, sample

_AXES: dict[PlaneLayout, tuple[tuple[int, int], ...]] = {
    "legacy": ((0, 1), (0, 2), (2, 0)),
    "xy-xz-yz": ((0, 1), (0, 2), (2, 1)),
}
_SURFACE_DENSITY, _SURFACE_SHARPNESS = 300.0, 8.0
_OFFSET_GAIN = 0.3
_BACK = (-0.2, -0.4)  # places along z, from -1 to 1 over the box, where the back of a head begins, and where nothing else is


@dataclass(frozen=True)
class TriPlanes:
    """The planes of M codes: `features` [M,3,C,R,R], FiLM scales and shifts [M,2H], `background` [M,8]; shared by all:
    `canonical` planes [3,C,R,R]; the local `detail` of M pictures; and, of models that have one, the `back` (see `back_of`) of
    features [M,C,T,T] and canonical planes [1,C,T,T]. They may lie in a `bend` of space, and nothing outside of a `hull`."""

    features: Tensor
    film: Tensor | None = None
    background: Tensor | None = None
    canonical: Tensor | None = None
    detail: Detail | None = None
    back: Tensor | None = None
    canonical_back: Tensor | None = None
    bend: Bend | None = None
    hull: Hull | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: slice | list[int]) -> TriPlanes:
        """The planes of some of the codes."""
        film = None if self.film is None else self.film[index]
        background = None if self.background is None else self.background[index]
        detail = None if self.detail is None else self.detail[index]
        back = None if self.back is None else self.back[index]
        return replace(self, features=self.features[index], film=film, background=background, detail=detail, back=back)


def project(coordinates: Tensor, config: RenderingConfig) -> Tensor:
    """Plane positions (u, v) [B,3,N,2] of normalised `coordinates` [B,N,3]."""
    if config.plane_axes is not None:
        return coordinates[:, None] @ _seen_along(config.plane_axes, coordinates.device).to(coordinates.dtype)
    xyz = coordinates.unbind(-1)
    return torch.stack([torch.stack([xyz[u], xyz[v]], -1) for u, v in _AXES[config.plane_layout]], 1)


@functools.lru_cache(maxsize=8)
def _seen_along(axes: PlaneAxes, device: torch.device) -> Tensor:
    """Matrices [3,3,2] from points to the places on planes: a point is u, v and w times the rows of a plane's basis."""
    return torch.tensor(axes, dtype=torch.float64).inverse()[..., :2].to(device)


def layout_of_axes(axes: PlaneAxes) -> PlaneLayout | None:
    """The layout whose planes have these axes, if one has."""
    for layout, planes in _AXES.items():
        if axes == tuple(tuple(_unit(k) for k in (u, v, 3 - u - v)) for u, v in planes):
            return layout
    return None


def _unit(axis: int) -> tuple[float, ...]:
    return tuple(float(axis == k) for k in range(3))


def sample_planes(planes: Tensor, uv: Tensor) -> Tensor:
    """Bilinear features [B,3,C,N] of `planes` [B,3,C,H,W] at `uv` [B,3,N,2] in [-1,1]; zero outside."""
    batch, three, channels = planes.shape[:3]
    features = sample(planes.flatten(0, 1), uv.flatten(0, 1)[:, None], "zeros")
    return features.reshape(batch, three, channels, -1)


def back_of(planes: Tensor, texels: int) -> Tensor:
    """What the back of heads has instead of the (x,y) plane of `planes` [B,3,C,H,W], which it shares with the front: its means
    over `texels` by `texels` parts [B,C,T,T]. With all of the plane, the back of the head would have the features of the face."""
    return resize(planes[:, 0], (texels, texels), "area")


def summed_features(planes: Tensor, uv: Tensor, back: Tensor | None = None) -> Tensor:
    """The sum [B,C,N] of what `sample_planes` finds on three planes, or behind the head on their `back`."""
    features = sample_planes(planes, uv)
    if back is None:
        return features.sum(1)
    begins, ends = _BACK
    behind = ((begins - uv[:, 1, :, 1]) / (begins - ends)).clamp(0.0, 1.0)  # both layouts have z there
    plain = sample(back, uv[:, :1])[:, :, 0]
    return torch.addcmul(features.sum(1), behind[:, None], plain - features[:, 0])


def mean_features(planes: Tensor, uv: Tensor, back: Tensor | None = None) -> Tensor:
    """The mean [B,N,C] instead of the sum."""
    return (summed_features(planes, uv, back) / 3.0).transpose(1, 2)


def normalise(points: Tensor, config: RenderingConfig) -> Tensor:
    """World points to [-1,1] over the box, with the optional warp."""
    q = points * (2.0 / config.box)
    k = config.coordinate_warp
    if not k:
        return q
    x = q * k
    # asinh; written out it is vectorised, ten times as fast
    return torch.log(x + torch.sqrt(x * x + 1.0)) / math.asinh(k)


BACKGROUND_OUTPUTS = 8
"""Two colours, the height of the edge between them, the logarithm of its sharpness."""


def background_colors(background: Tensor, height: Tensor) -> Tensor:
    """Colours [M,P,3] of raw `background` outputs [M,8] at `height` [M,P] in the picture (see `screen_height`)."""
    colors = torch.sigmoid(background[:, :6]) * 1.02 - 0.01
    below, above = colors[:, None, :3], colors[:, None, 3:]
    step = torch.sigmoid((height - background[:, 6:7]) * background[:, 7:8].clamp(max=4.0).exp())
    return below + step[..., None] * (above - below)


class CanonicalPlanes(nn.Module):
    """Tri-planes shared by all heads, looked up where the per-head planes point to."""

    def __init__(self, config: CanonicalConfig) -> None:
        super().__init__()
        self.max_offset = config.max_offset
        self.planes = nn.Parameter(torch.randn(3, config.channels, config.resolution, config.resolution) * 0.1)

    def lay_out(self) -> None:
        """Keep the planes as `laid_out` gives them, so that nothing is copied there."""
        self.planes.data = self.laid_out()

    def laid_out(self) -> Tensor:
        """The planes with the channels of a texel side by side: a lookup touches fewer cache lines."""
        return self.planes.contiguous(memory_format=torch.channels_last)

    def forward(
        self, planes: Tensor, points: Tensor, shift: Tensor, rendering: RenderingConfig, back: Tensor | None = None
    ) -> Tensor:
        """Features [B,N,C] in `planes` (see `laid_out`), which may have a `back`, at `points` [B,N,3] moved by at most
        `max_offset`; `shift` [B,N,3] is unbounded."""
        moved = points + self.max_offset * torch.tanh(_OFFSET_GAIN * shift)
        batch, count = points.shape[:2]
        uv = project(normalise(moved, rendering).reshape(1, -1, 3), rendering)
        features = summed_features(planes[None], uv, back)
        return features.transpose(1, 2).reshape(batch, count, -1)


class Decoder(nn.Module):
    """Features [B,N,C] to raw density [B,N] and colours [B,N,K] in (-0.001, 1.001)."""

    def __init__(self, in_dim: int, config: GeneratorConfig) -> None:
        super().__init__()
        options = config.decoder
        out_dim = 1 + config.color_channels
        self.net = nn.Sequential(
            FullyConnected(in_dim, options.hidden_dim, options.lr_multiplier),
            Softplus(),
            FullyConnected(options.hidden_dim, out_dim, options.lr_multiplier),
        )
        self.skip = FullyConnected(in_dim, out_dim, scale=0.3) if options.skip else None
        self.film = FullyConnected(2 * config.w_dim, 2 * options.hidden_dim, scale=0.1) if options.film else None

    def forward(self, features: Tensor, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden = self.net[0](features) if film is None else self._modulated(features, film)
        out = self.net[2](self.net[1](hidden))
        if self.skip is not None:
            out = out + self.skip(features)
        return out[..., 0], torch.sigmoid(out[..., 1:]) * 1.002 - 0.001

    def _modulated(self, features: Tensor, film: Tensor) -> Tensor:
        """The hidden layer with FiLM, applied to the weights of each code instead of to each of its points."""
        layer = self.net[0]
        assert isinstance(layer, FullyConnected)
        weight, bias = layer.scaled()
        scale, shift = film.chunk(2, -1)
        scale = 1.0 + scale
        return torch.baddbmm((bias * scale + shift)[:, None], features, (weight * scale[..., None]).transpose(1, 2))


Decode = Callable[[Tensor, Tensor, Decoder], tuple[Tensor, Tensor]]


def plainly_decoded(planes: Tensor, uv: Tensor, decoder: Decoder) -> tuple[Tensor, Tensor]:
    """Raw density [M,N] and colours [M,N,K] of `planes` [M,3,C,H,W] at `uv` [M,3,N,2], where nothing but their features is
    decoded."""
    return decoder(mean_features(planes, uv))


class Field(nn.Module):
    """Density and colour at world points, for a batch of tri-planes. Owns nothing: it borrows its parts.

    `decode` is `plainly_decoded`, or what does the same faster on a device (see `fused`).
    """

    def __init__(self, config: GeneratorConfig, decoder: Decoder, canonical: CanonicalPlanes | None = None) -> None:
        super().__init__()
        self.config = config.rendering
        # plain tuple: the parts are registered by the generator under their public names
        self._parts = (decoder, canonical)
        self.decode: Decode = plainly_decoded

    def forward(self, planes: TriPlanes, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [M,N] and colours [M,N,K] at `points` [M,N,3]."""
        decoder, canonical = self._parts
        config = self.config
        shown = points  # where pictures see them
        if planes.bend is not None:
            points = planes.bend.origin(points)
        uv = project(normalise(points, config), config)
        if canonical is None and planes.film is None and planes.detail is None and planes.back is None:
            sigma, color = self.decode(planes.features, uv, decoder)
        else:
            features = mean_features(planes.features, uv, planes.back)
            if canonical is not None and planes.canonical is not None:
                shift, features = features[..., :3], features[..., 3:]
                shared = canonical(planes.canonical, points, shift, config, planes.canonical_back)
                features = torch.cat([features, shared], -1)
            sigma, color = decoder(features, planes.film)
            if planes.detail is not None:
                color = decoder(planes.detail.added(features, shown), planes.film)[1]
        if config.empty_outside:
            sigma = torch.where(points.abs().amax(-1) > config.box / 2, torch.full_like(sigma, config.empty), sigma)
        if planes.hull is not None:
            sigma = planes.hull.emptied(sigma, shown, config.empty)
        return sigma, color

    def density(self, sigma: Tensor) -> Tensor:
        """Volume density from raw density."""
        if self.config.density == "surface":
            return _SURFACE_DENSITY * torch.sigmoid(_SURFACE_SHARPNESS * sigma)
        return F.softplus(sigma - 1.0)

    def soft_density(self, sigma: Tensor) -> Tensor:
        """A wider, lower density for proposing samples: surfaces between the cells of a grid are not missed."""
        if self.config.density == "surface":
            return 40.0 * torch.sigmoid(4.0 * sigma + 1.4)
        return self.density(sigma)
