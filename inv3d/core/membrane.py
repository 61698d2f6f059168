"""Corrections carried over a surface, from where they are known to where they are not.

What frames show of a head differs in light and colour from its mirror image and from what its generator shows. By how
much is known where both are there; a smooth continuation of it brings the rest into line, so that no seam is seen where
one ends and the other begins (as Perez et al. 2003 do it on pictures; here by inverse distances, Shepard 1968).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.filters import resized

_ACROSS = 32  # points of a lattice per side of the picture
_NEAREST = 0.01  # world units within which all points are equally near
_ALIKE = 0.1  # difference of colours at which materials count as different: hair tells little of skin
_TRUSTED = 0.5  # below, nothing is known
_HUE, _BRIGHTNESS = 0.25, 0.45  # differences that light makes; where they are larger, one shows skin and the other cloth
_REACH = 0.3  # world units over which a correction fades, more where the material differs


@dataclass(frozen=True)
class Lattice:
    """Some pixels of a picture of `size` pixels a side, `step` pixels apart; `pixels` [L] counts them row by row."""

    pixels: Tensor
    size: int
    step: int

    @staticmethod
    def over(mask: Tensor) -> Lattice:
        """Of the pixels for which a mask [S,S] holds."""
        size = len(mask)
        step = max(1, size // _ACROSS)
        line = torch.arange(step // 2, size - size % step, step, device=mask.device)
        pixels = (line[:, None] * size + line).flatten()
        return Lattice(pixels[mask.flatten()[pixels]], size, step)

    def fill(self, values: Tensor) -> Tensor:
        """Values [C,S*S] of all pixels, bilinear between those [C,L] of the lattice; 0 far from it."""
        across = self.size // self.step
        cells = values.new_zeros(len(values) + 1, across * across)
        cells[:, self.pixels // self.size // self.step * across + self.pixels % self.size // self.step] = torch.cat(
            [values, torch.ones_like(values[:1])]
        )
        # means over neighbours reach the pixels at the outline, which no point of the lattice surrounds
        means = F.avg_pool2d(cells.reshape(1, -1, across, across), 3, 1, 1)
        summed = resized(means, self.size)[0].flatten(1)
        return summed[:-1] / summed[-1:].clamp(min=1e-3)


@dataclass(frozen=True)
class Surface:
    """Points [3,P] of a surface, world units, and the colours [3,P] in [0,1] by which its materials are told apart."""

    points: Tensor
    colours: Tensor

    def __getitem__(self, rows: Tensor) -> Surface:
        return Surface(self.points[:, rows], self.colours[:, rows])

    def carried(self, known: Surface, values: Tensor, weights: Tensor) -> Tensor:
        """The `values` [C,K] of the points of `known`, which count by their `weights` [K], carried over to these points
        [C,P]; zero if none is known."""
        if not len(weights):
            return values.new_zeros(len(values), self.points.shape[1])
        distance = torch.cdist(known.points.T, self.points.T)
        alike = torch.exp(-0.5 * (torch.cdist(known.colours.T, self.colours.T) / _ALIKE).square()).clamp(min=1e-3)
        shares = weights[:, None] * alike / (distance + _NEAREST) ** 3
        nearest = (distance / alike).amin(0)
        return values @ shares / shares.sum(0) * torch.exp(-nearest / _REACH)


@dataclass(frozen=True)
class Membrane:
    """The part of a picture that shows a surface, for corrections of its colours: its `pixels` [P], a `lattice` of some of
    them, the `surface` at those, and their `rows` [L] among the pixels."""

    pixels: Tensor
    lattice: Lattice
    surface: Surface
    rows: Tensor

    @staticmethod
    def over(mask: Tensor, pixels: Tensor, surface: Surface) -> Membrane:
        """Of a `surface` that is given for `pixels` [P], counted row by row in ascending order, where a mask [S,S] holds,
        which must be among those."""
        lattice = Lattice.over(mask)
        rows = torch.searchsorted(pixels, lattice.pixels)
        return Membrane(pixels, lattice, surface[rows], rows)

    def correction(self, wanted: Tensor, present: Tensor, trust: Tensor) -> Tensor:
        """What to add to colours of the pixels [C,P], of which `present` [C,L] are those at the lattice's points, so that
        they become `wanted` [C,L] where these may be trusted (`trust` [L] from 0 to 1), and fit to that elsewhere."""
        difference = wanted - present
        brightness = difference.mean(0)
        hue = (difference - brightness).norm(dim=0)
        by_light = torch.exp(-(hue / _HUE).square() - (brightness / _BRIGHTNESS).square())
        known = torch.minimum(trust, by_light) > _TRUSTED
        carried = self.surface.carried(self.surface[known], difference[:, known], (trust * by_light)[known])
        return self.lattice.fill(carried)[:, self.pixels]
