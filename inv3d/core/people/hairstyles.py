"""Which hair grows on a head: a table of styles, and how latents choose and vary them."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.procedural.palette import present, uniform

HAIR_NAMES = (
    "hair_top", "hair_side", "hair_back", "fringe", "hair_lift", "hair_weight", "curl", "wave", "part", "comb",
    "recede", "crown", "hair_density", "hair_puff", "tied", "shag",
)  # fmt: skip
"""Lengths (metres) on top, at the sides, at the back and of the fringe; how far hair stands off the scalp [0,1]; how
much gravity bends it [0,1]; curls and waves [0,1]; the parting from the person's right (-1) to the left (1), and how
much hair obeys it; combed forward (-1) to back (1); bald temples and bald crown [0,1]; density [0,1]; thickness of the
hair's body over the scalp (metres); tied back [0,1]; how uneven its ends are [0,1]."""

#                 top    side   back  fringe lift weight curl wave comb recede crown dens  puff tied shag
_STYLES = {
    "bald":     (0.003, 0.003, 0.003, 0.003, 0.3, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 0.25, 0.000, 0.0, 0.2),
    "shaved":   (0.004, 0.003, 0.003, 0.004, 0.5, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.95, 0.000, 0.0, 0.2),
    "receding": (0.032, 0.020, 0.020, 0.028, 0.15, 0.4, 0.1, 0.2, 0.3, 0.9, 0.75, 0.75, 0.003, 0.0, 0.4),
    "crew":     (0.020, 0.008, 0.008, 0.018, 0.60, 0.1, 0.0, 0.1, 0.0, 0.1, 0.0, 1.0, 0.003, 0.0, 0.3),
    "parted":   (0.075, 0.026, 0.024, 0.070, 0.12, 0.45, 0.0, 0.25, 0.0, 0.15, 0.0, 1.0, 0.007, 0.0, 0.3),
    "swept":    (0.085, 0.030, 0.042, 0.085, 0.10, 0.35, 0.0, 0.3, 1.0, 0.3, 0.0, 1.0, 0.007, 0.0, 0.3),
    "messy":    (0.055, 0.028, 0.030, 0.055, 0.24, 0.50, 0.15, 0.7, -0.3, 0.0, 0.0, 1.0, 0.008, 0.0, 0.6),
    "curls":    (0.080, 0.050, 0.055, 0.075, 0.55, 0.3, 0.8, 0.5, 0.0, 0.1, 0.0, 1.0, 0.016, 0.0, 0.6),
    "afro":     (0.065, 0.055, 0.055, 0.055, 0.95, 0.0, 1.0, 0.2, 0.0, 0.0, 0.0, 1.0, 0.030, 0.0, 0.3),
    "pixie":    (0.070, 0.040, 0.036, 0.060, 0.12, 0.6, 0.0, 0.3, -0.4, 0.0, 0.0, 1.0, 0.006, 0.0, 0.5),
    "bob":      (0.200, 0.160, 0.130, 0.180, 0.15, 0.8, 0.0, 0.25, 0.0, 0.0, 0.0, 1.0, 0.009, 0.0, 0.2),
    "fringe":   (0.240, 0.200, 0.180, 0.060, 0.15, 0.8, 0.0, 0.15, -0.9, 0.0, 0.0, 1.0, 0.008, 0.0, 0.2),
    "straight": (0.420, 0.360, 0.340, 0.380, 0.12, 0.9, 0.0, 0.15, 0.0, 0.0, 0.0, 1.0, 0.007, 0.0, 0.3),
    "wavy":     (0.390, 0.340, 0.320, 0.350, 0.28, 0.8, 0.25, 1.0, 0.0, 0.0, 0.0, 1.0, 0.012, 0.0, 0.5),
    "ringlets": (0.260, 0.230, 0.220, 0.220, 0.40, 0.6, 1.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.016, 0.0, 0.5),
    "tied":     (0.200, 0.160, 0.120, 0.200, 0.05, 0.0, 0.0, 0.1, 1.0, 0.0, 0.0, 1.0, 0.004, 1.0, 0.2),
}  # fmt: skip
STYLES = tuple(_STYLES)
_COLUMNS = (
    "hair_top", "hair_side", "hair_back", "fringe", "hair_lift", "hair_weight", "curl", "wave", "comb", "recede", "crown",
    "hair_density", "hair_puff", "tied", "shag",
)  # fmt: skip
# how often men and women wear a style
_MEN = (0.5, 0.8, 1.0, 2.0, 2.2, 1.4, 1.8, 1.2, 0.4, 0.3, 0.15, 0.1, 0.25, 0.25, 0.1, 0.2)
_WOMEN = (0.02, 0.05, 0.0, 0.05, 0.2, 0.3, 0.3, 0.6, 0.4, 0.9, 1.6, 1.4, 2.2, 2.2, 0.8, 1.8)
_SHARPNESS = 40.0


def style_shares(z: dict[str, Tensor], sex: Tensor, old: Tensor, child: Tensor, ancestry: Tensor) -> Tensor:
    """The share of every style [N,16]: nearly all of one, with short ways between neighbours."""
    men, women = torch.tensor(_MEN), torch.tensor(_WOMEN)
    odds = sex[:, None] * men + (1.0 - sex[:, None]) * women

    def scale(name: str, factor: Tensor) -> None:
        odds[:, STYLES.index(name)] = odds[:, STYLES.index(name)] * factor

    for name in ("bald", "receding"):
        scale(name, (0.35 + 3.0 * old) * (1.0 - child).clamp(min=0.0))
    scale("afro", 0.02 + 6.0 * ancestry[:, 0])
    scale("ringlets", 0.5 + 2.0 * ancestry[:, 0])
    for name in ("straight", "fringe"):
        scale(name, 1.0 - 0.75 * ancestry[:, 0])
    places = torch.cumsum(odds / odds.sum(1, keepdim=True), 1)
    u = uniform(0.9 * z["style_1"] + 0.436 * z["style_2"])[:, None]
    # steps of a soft staircase: style i begins where the odds of those before it end
    above = torch.sigmoid((u - places) * _SHARPNESS / (odds / odds.sum(1, keepdim=True) + 0.02).sqrt())
    begun = torch.cat([torch.ones_like(u), above[:, :-1]], 1)
    shares = (begun - above).clamp(min=0.0) ** 2
    return shares / shares.sum(1, keepdim=True)


def style_columns(
    z: dict[str, Tensor], sex: Tensor, old: Tensor, child: Tensor, ancestry: Tensor, covered: Tensor
) -> dict[str, Tensor]:
    """The numbers of `HAIR_NAMES`, each [N]; `covered` says whether a hat lies on the hair."""
    shares = style_shares(z, sex, old, child, ancestry)
    table = torch.tensor(list(_STYLES.values()))
    p = dict(zip(_COLUMNS, (shares @ table).unbind(1), strict=True))
    longer = torch.exp(0.28 * torch.tanh(z["length"]))
    for name in ("hair_top", "hair_side", "hair_back"):
        p[name] = p[name] * longer
    p["hair_lift"] = (p["hair_lift"] * torch.exp(0.25 * z["lift"])).clamp(0.0, 1.0) * (1.0 - 0.7 * covered)
    african = ancestry[:, 0]
    p["curl"] = (p["curl"] + 0.25 * torch.tanh(z["curl"]) * (p["curl"] > 0.05) + 0.55 * african).clamp(0.0, 1.0)
    p["wave"] = (p["wave"] + 0.25 * torch.tanh(z["curl"])).clamp(0.0, 1.0)
    p["part"] = torch.tanh(1.5 * z["part"])
    p["recede"] = (p["recede"] + 0.25 * z["recede"] * sex + 0.4 * old * sex).clamp(0.0, 1.0) * (1.0 - child)
    p["crown"] = (p["crown"] + 0.5 * old * sex * present(z["recede"], 0.3)).clamp(0.0, 1.0)
    p["hair_puff"] = p["hair_puff"] * (1.0 - 0.8 * covered)
    return p
