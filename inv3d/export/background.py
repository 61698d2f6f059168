"""What a head is shown in front of: the model's own backdrop, one colour, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.generator import Render

_NAMED = {"white": (255, 255, 255), "black": (0, 0, 0)}
_HEX = re.compile(r"#([0-9a-fA-F]{6})")
WORDS = "keep, white, black, transparent or a colour such as #8090a0"
_LEAST = 1 / 64
"""Coverage below which a pixel has no colour of its own."""


@dataclass(frozen=True)
class Background:
    """A `colour` (red, green, blue; 0 to 255) behind the head, or the model's own backdrop if None; or `transparent`."""

    colour: tuple[int, int, int] | None = None
    transparent: bool = False

    @staticmethod
    def parse(text: str) -> Background:
        """From the words of the command line. Raises ValueError."""
        if text == "keep":
            return Background()
        if text == "transparent":
            return Background(transparent=True)
        if text in _NAMED:
            return Background(_NAMED[text])
        if match := _HEX.fullmatch(text):
            red, green, blue = bytes.fromhex(match[1])
            return Background((red, green, blue))
        raise ValueError(f"not {WORDS}")

    @property
    def opaque(self) -> Background:
        """White instead of transparency, for formats that have none."""
        return Background(_NAMED["white"]) if self.transparent else self

    def show(self, render: Render) -> Tensor:
        """The picture [3,R,R], or [4,R,R] with transparency, in [-1,1], of one render; a model that does not tell heads from
        what is behind them is shown as it is, and transparent where it is."""
        image = render.image
        alpha = F.interpolate(render.alpha, image.shape[-2:], mode="bilinear", align_corners=False)
        if self.transparent:
            return torch.cat([_straight(render, alpha), 2.0 * alpha - 1.0], 1)[0]
        if self.colour is None or render.behind is None:
            return image[0]
        colour = image.new_tensor(self.colour) / 127.5 - 1.0
        return (image + (1.0 - alpha) * (colour[:, None, None] - render.behind))[0]


def _straight(render: Render, alpha: Tensor) -> Tensor:
    """The head's own colours, without what shows through at its edges."""
    if render.behind is None:
        return render.image
    own = (render.image - (1.0 - alpha) * render.behind) / alpha.clamp(min=_LEAST)
    return torch.where(alpha < _LEAST, render.image, own.clamp(-1.0, 1.0))


KEEP, TRANSPARENT = Background(), Background(transparent=True)
