"""The light on a person: an environment as spherical harmonics, a key lamp from soft to hard, the camera's exposure.

Ramamoorthi & Hanrahan, "An efficient representation for irradiance environment maps" (2001): nine coefficients of each
colour give the irradiance of any normal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.palette import uniform

LIGHT_LATENTS = (
    "azimuth", "height", "strength", "size", "warmth", "ambient", "from_above", "from_side", "from_front", "tint",
    "exposure", "balance",
)  # fmt: skip
LIGHT_NAMES = (
    "key_x", "key_y", "key_z", "key_size", "key_r", "key_g", "key_b",
    *(f"sh_{i}_{channel}" for i in range(9) for channel in "rgb"), "exposure", "balance",
)  # fmt: skip
"""Towards the key lamp, the sine of its half angle, its colour; radiance coefficients of the environment."""


def _warm(amount: Tensor) -> Tensor:
    """A colour [N,3] of brightness about 1: warm for positive amounts, cold for negative ones."""
    return torch.stack([torch.exp(0.20 * amount), torch.exp(0.02 * amount), torch.exp(-0.27 * amount)], 1)


def harmonics(directions: Tensor) -> Tensor:
    """The nine real spherical harmonics of degree 0 to 2, [...,9], of unit directions [...,3]."""
    x, y, z = directions.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
            0.315392 * (3.0 * z * z - 1.0), 1.092548 * x * z, 0.546274 * (x * x - y * y),
        ],
        -1,
    )  # fmt: skip


def light_columns(z: Tensor) -> dict[str, Tensor]:
    """The numbers of `LIGHT_NAMES`, each [N], of standard normal latents [N,12]."""
    n = dict(zip(LIGHT_LATENTS, z.unbind(1), strict=True))
    t = {name: torch.tanh(0.7 * column) for name, column in n.items()}
    azimuth, height = 1.25 * t["azimuth"], 0.55 + 0.55 * t["height"]
    key = torch.stack([azimuth.sin() * height.cos(), height.sin(), azimuth.cos() * height.cos()], 1)
    strength = torch.exp(0.35 * n["strength"].clamp(-2.5, 2.0)) * 1.05
    colour = strength[:, None] * _warm(0.6 * t["warmth"])

    # a sky, a floor, and two broad windows
    up = torch.tensor([0.0, 1.0, 0.0]).expand_as(key)
    side = torch.stack([n["from_side"].sign(), 0.2 + 0 * azimuth, 0.3 + 0 * azimuth], 1)
    front = torch.tensor([0.0, 0.15, 1.0]).expand_as(key)
    ambient = 0.34 * torch.exp(0.45 * t["ambient"])[:, None]
    sky = _warm(-0.5 * t["tint"] - 0.4 * t["warmth"])
    flat = torch.zeros(len(z), 9, 3)
    flat[:, 0] = ambient * sky / 0.282095
    for direction, amount, tone in (
        (up, 0.42 + 0.4 * t["from_above"], sky),
        (side, 0.9 * t["from_side"].abs(), _warm(t["tint"])),
        (front, 0.18 + 0.18 * t["from_front"], _warm(0.3 * t["warmth"])),
    ):
        lobe = harmonics(torch.nn.functional.normalize(direction, dim=1)) * torch.tensor([0.7] + [1.0] * 3 + [0.5] * 5)
        flat = flat + lobe[:, :, None] * (2.2 * ambient * amount[:, None] * tone)[:, None]
    columns = {f"sh_{i}_{c}": flat[:, i, k] for i in range(9) for k, c in enumerate("rgb")}
    columns |= {f"key_{axis}": key[:, k] for k, axis in enumerate("xyz")}
    columns |= {f"key_{c}": colour[:, k] for k, c in enumerate("rgb")}
    columns["key_size"] = 0.02 + 0.42 * uniform(n["size"]) ** 1.5
    # the camera takes most of the light's strength back
    mean = 0.50 * strength + 1.35 * ambient[:, 0]
    columns["exposure"] = 1.22 * torch.exp(0.16 * t["exposure"]) / mean
    columns["balance"] = 0.25 * t["balance"]
    return columns
