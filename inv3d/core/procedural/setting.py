"""What is around a figure: the light on it, and a background of two colours."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.palette import channels, from_hsv, present, uniform

SETTING_DIM = 9
SETTING_NAMES = (
    "light_x", "light_y", "light_z", "light_contrast", "light_warmth", "backdrop_height", "backdrop_edge",
)  # fmt: skip
"""Its parameters beside the colours `background`, below, and `backdrop`, above."""


def setting(z: Tensor) -> dict[str, Tensor]:
    """Columns [N] of standard normal latents [N,9]: azimuth, height, contrast and warmth of the light, hue and brightness of
    the background, its second colour, height and sharpness of the edge between the two."""
    u, t = uniform(z), torch.tanh(0.7 * z)
    azimuth, height = 0.55 + 0.75 * t[:, 0], 0.55 + 0.25 * t[:, 1]
    background = from_hsv(u[:, 4], 0.12 + 0.25 * u[:, 5], 0.97 - 0.45 * u[:, 5])
    # half of the backgrounds have one colour
    second = from_hsv((u[:, 4] + 0.35 * t[:, 7]) % 1.0, 0.10 + 0.35 * u[:, 6], 0.92 - 0.62 * u[:, 6])
    two = present(z[:, 6], 0.0)[:, None]
    return {
        "light_x": azimuth.sin() * height.cos(),
        "light_y": height.sin(),
        "light_z": azimuth.cos() * height.cos(),
        "light_contrast": 1.0 + 0.35 * t[:, 2],
        "light_warmth": t[:, 3],
        "backdrop_height": 0.7 * t[:, 7],
        "backdrop_edge": torch.exp(1.6 + 1.1 * t[:, 8]),
    } | channels({"background": background, "backdrop": background + two * (second - background)})
