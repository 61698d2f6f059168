"""Pictures in one tone: black and white, sepia, and others that show no colours but light and dark of one hue.

What such pictures do not show of a head, its generator makes up in colours, which nobody would take for the same picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # shares of red, green and blue (Rec. 709)
_SOLID = 230  # coverage, of 255, above which a pixel shows the head alone
_MOST = 100_000  # pixels that are asked
_TINTED = 0.04
"""Of the mean luminance, by which colours of one tone are off at most: old prints are off by 0.02, people in colours by 0.07."""


@dataclass(frozen=True)
class Tone:
    """What colour goes with a luminance of [0,1]: the `weights` [3,2] of 1 and of it for red, green and blue."""

    weights: Tensor

    @staticmethod
    def of(pictures: Tensor) -> Tone | None:
        """The tone of `pictures` [K,4,S,S] of a head, red, green, blue and coverage from 0 to 255; None if they show colours."""
        step = max(1, math.isqrt(pictures[:, 0].numel() // _MOST))
        some = pictures[..., ::step, ::step].movedim(1, 0)
        colours = some[:3, some[3] > _SOLID].float() / 255.0
        if not colours.shape[1]:
            return None
        luminance = _luminance(colours)
        powers = torch.stack([torch.ones_like(luminance), luminance])
        # on the CPU there is a solver for pictures of one colour only, too
        tone = Tone(torch.linalg.lstsq(powers.T.cpu(), colours.T.cpu(), driver="gelsd").solution.T)
        off = (tone._colours(luminance) - colours).norm(dim=0).mean()
        return tone if float(off) < _TINTED * float(luminance.mean()) else None

    def over(self, images: Tensor) -> Tensor:
        """Images [B,3,H,W] in [-1,1] in this tone."""
        return 2.0 * self._colours(_luminance((images / 2.0 + 0.5).movedim(1, 0))).movedim(0, 1) - 1.0

    def _colours(self, luminance: Tensor) -> Tensor:
        """[3,...] in [0,1] of luminances [...]."""
        constant, slope = (each.reshape(3, *[1] * luminance.dim()) for each in self.weights.to(luminance).T)
        return (constant + slope * luminance).clamp(0.0, 1.0)


def _luminance(colours: Tensor) -> Tensor:
    """[...] of colours [3,...]."""
    return torch.tensordot(colours.new_tensor(_LUMINANCE), colours, 1)
