"""From latents to a person: standard normal numbers become named ones, a row of a matrix [N,K] for each person.

Four latents stay apart: who it is (`identity`), what the face does (`expression`), how it is lit (`light`) and what
stands behind (`backdrop`). Lengths are metres, colours linear RGB.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.people import expression as faces
from inv3d.core.people import hairstyles
from inv3d.core.people.basis import ASYMMETRIES, SHAPES
from inv3d.core.people.light import LIGHT_LATENTS, LIGHT_NAMES, light_columns
from inv3d.core.procedural.palette import from_hsv, mixed, present, uniform, walk

_BODY = ("sex", "age", "weight", "african", "asian", "caucasian")
_SKIN = (
    "melanin",
    "blood",
    "blush",
    "freckles",
    "mole_1",
    "mole_2",
    "mole_3",
    "gloss",
    "lipstick",
    "makeup",
    "iris",
    "iris_tone",
)
_HAIR = (
    "style_1",
    "style_2",
    "length",
    "lift",
    "curl",
    "part",
    "recede",
    "hair",
    "red",
    "grey",
    "dyed",
    "brow",
    "brow_arch",
)
_BEARD = ("beard", "beard_kind", "stubble")
_WEAR = (
    "glasses", "glasses_shape", "glasses_size", "tint", "frame", "hat", "hat_kind", "hat_hue", "earring", "hoop",
    "cloth", "cloth_hue", "cloth_saturation", "cloth_value", "neckline", "pattern",
)  # fmt: skip
IDENTITY_NAMES = (
    tuple(f"shape_{i}" for i in range(SHAPES)) + tuple(f"side_{i}" for i in range(ASYMMETRIES))
    + _BODY + _SKIN + _HAIR + _BEARD + _WEAR
)  # fmt: skip
BACKDROP_LATENTS = ("hue", "saturation", "value", "second", "height", "edge", "shift", "clutter")
IDENTITY_DIM, EXPRESSION_DIM = len(IDENTITY_NAMES), len(faces.EXPRESSION_NAMES)
LIGHT_DIM, BACKDROP_DIM = len(LIGHT_LATENTS), len(BACKDROP_LATENTS)
LATENT_DIM = IDENTITY_DIM + EXPRESSION_DIM + LIGHT_DIM + BACKDROP_DIM

SHAPE_NAMES = (
    tuple(f"shape_{i}" for i in range(SHAPES)) + tuple(f"side_{i}" for i in range(ASYMMETRIES))
    + ("sex", "age", "weight", "african", "asian", "caucasian")
    + hairstyles.HAIR_NAMES + ("brow_thickness", "brow_arch", "moustache", "chin_beard", "cheek_beard")
    + ("glasses", "glasses_shape", "glasses_size", "hat", "brim", "scarf", "earring", "hoop", "neckline", "collar", "hood")
    + faces.EXPRESSION_NAMES
)  # fmt: skip
"""Parameters that move the surface; all others only colour or light it."""
_COLOURS = (
    "hair_colour",
    "beard_colour",
    "iris_colour",
    "cloth",
    "cloth_second",
    "frame",
    "hat_colour",
    "background",
    "backdrop",
)
_LOOKS = (
    "melanin", "blood", "blush", "freckles", "mole_1", "mole_2", "mole_3", "gloss", "lipstick", "makeup", "wrinkles",
    "stubble", "scalp_shade", "brow_density", "tint", "pattern", "backdrop_height", "backdrop_edge", "clutter",
)  # fmt: skip
PARAMETER_NAMES = (
    SHAPE_NAMES + _LOOKS + tuple(f"{name}_{channel}" for name in _COLOURS for channel in "rgb") + LIGHT_NAMES
)
_INDEX = {name: i for i, name in enumerate(PARAMETER_NAMES)}


class Parameters:
    """Named columns of a parameter matrix [N,K]: `Parameters(matrix).melanin` is [N,1]."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def __getattr__(self, name: str) -> Tensor:
        i = _INDEX[name]
        return self.matrix[:, i : i + 1]

    def columns(self, names: tuple[str, ...]) -> Tensor:
        """Several columns, [N,len(names)]."""
        return self.matrix[:, [_INDEX[name] for name in names]]

    def colour(self, name: str) -> Tensor:
        """A colour, [N,3]."""
        i = _INDEX[f"{name}_r"]
        return self.matrix[:, i : i + 3]


_HAIRS = [[0.010, 0.008, 0.007], [0.020, 0.012, 0.008], [0.060, 0.030, 0.016], [0.14, 0.075, 0.035], [0.36, 0.22, 0.10]]
_IRISES = [[0.045, 0.018, 0.008], [0.12, 0.055, 0.018], [0.13, 0.13, 0.05], [0.10, 0.17, 0.20], [0.16, 0.24, 0.32]]


def _linear(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Hue, saturation and value in [0,1], each [N], to linear RGB [N,3]."""
    return from_hsv(hue, saturation, value) ** 2.2


def people_parameters(identity: Tensor, expression: Tensor, light: Tensor, backdrop: Tensor) -> Tensor:
    """Parameter matrix [N,K] of standard normal latents: `identity` [N,I], `expression` [N,E], `light` [N,L],
    `backdrop` [N,B]."""
    z = dict(zip(IDENTITY_NAMES, identity.unbind(1), strict=True))
    u = {name: uniform(column) for name, column in z.items()}
    p: dict[str, Tensor] = {}

    for name in (*(f"shape_{i}" for i in range(SHAPES)), *(f"side_{i}" for i in range(ASYMMETRIES))):
        p[name] = 2.4 * torch.tanh(z[name] / 2.4)  # keeps extremes plausible
    # sexes are two, with some between; every eighth person is a child
    sex = torch.sigmoid(4.0 * z["sex"])
    child = ((0.13 - u["age"]) / 0.13).clamp(0.0, 1.0)
    grown = ((u["age"] - 0.13) / 0.87).clamp(0.0, 1.0)
    adult = u["age"] > 0.13
    p["sex"] = torch.where(adult, sex, 0.5 + 0.5 * (sex - 0.5))
    p["age"] = torch.where(adult, 1.82 + 0.98 * grown**1.8, 1.75 - 1.05 * child)
    p["weight"] = 1.0 + 0.75 * torch.tanh(0.55 * z["weight"])
    ancestry = torch.softmax(2.2 * torch.stack([z["african"], z["asian"], z["caucasian"] + 0.15], 1), 1)
    p["african"], p["asian"], p["caucasian"] = ancestry.unbind(1)
    old = ((p["age"] - 2.3) / 0.5).clamp(0.0, 1.0)
    man = sex * adult

    melanin = ancestry @ torch.tensor([0.68, 0.20, 0.13], dtype=z["sex"].dtype)
    p["melanin"] = (melanin * torch.exp(0.42 * z["melanin"])).clamp(0.03, 1.05)
    p["blood"] = (0.42 + 0.13 * z["blood"]).clamp(0.12, 0.85)
    p["blush"] = torch.exp(0.45 * z["blush"] - 0.1)
    fair = torch.sigmoid((0.16 - p["melanin"]) * 40.0)
    p["freckles"] = present(z["freckles"], 0.7, 5.0) * fair * u["freckles"]
    for i in (1, 2, 3):
        p[f"mole_{i}"] = present(z[f"mole_{i}"], 1.15)
    p["gloss"] = 0.75 + 0.35 * torch.tanh(z["gloss"])
    p["wrinkles"] = (0.12 + 0.88 * old) * (adult * 1.0)
    p["lipstick"] = present(z["lipstick"], 0.2) * (1.0 - sex) * adult * (0.35 + 0.65 * u["lipstick"])
    p["makeup"] = present(z["makeup"], 0.1) * (1.0 - sex) * adult
    p["iris_colour"] = (
        torch.where((ancestry[:, 2:] > 0.5), walk(u["iris"], _IRISES), walk(0.16 * u["iris"], _IRISES))
        * torch.exp(0.2 * z["iris_tone"])[:, None]
    )

    hats = present(z["hat"], 1.15, 40.0)
    scarf = hats * (1.0 - sex) * present(z["hat_kind"], 0.2, 30.0)
    cap = hats * (1.0 - scarf)
    p |= hairstyles.style_columns(z, sex, old, child, ancestry, cap + scarf)
    tone = (u["hair"] * ancestry[:, 2] ** 0.7 + 0.12 * u["hair"]).clamp(0.0, 1.0)
    hair = mixed(walk(tone, _HAIRS), [0.22, 0.055, 0.018], present(z["red"], 1.35) * ancestry[:, 2])
    hair = mixed(hair, [0.35, 0.20, 0.085], present(z["dyed"], 1.6) * (1.0 - sex))
    grey = (1.5 * old + 0.35 * z["grey"] - 0.35).clamp(0.0, 1.0) * adult
    p["hair_colour"] = mixed(hair, [0.42, 0.41, 0.40], grey)
    p["beard_colour"] = mixed(0.8 * hair + 0.01, [0.40, 0.39, 0.38], (1.2 * grey).clamp(max=1.0))
    p["brow_thickness"] = torch.exp(0.28 * z["brow"] + 0.25 * (man - 0.5)) * (1.0 - 0.25 * child)
    p["brow_arch"] = 0.6 * torch.tanh(z["brow_arch"]) + 0.35 * (0.5 - sex)
    p["brow_density"] = 0.75 + 0.2 * torch.tanh(z["brow"])

    bearded = present(z["beard"], 0.25, 14.0) * torch.sigmoid((man - 0.75) * 30.0)
    kind = u["beard_kind"]
    full = torch.sigmoid((kind - 0.5) * 30.0)
    chin = torch.sigmoid((kind - 0.2) * 30.0)
    long = 0.006 + 0.030 * u["stubble"] ** 2
    p["moustache"] = bearded * (0.005 + 0.006 * u["stubble"])
    p["chin_beard"] = bearded * chin * long
    p["cheek_beard"] = bearded * full * (0.5 * long + 0.002)
    p["stubble"] = torch.sigmoid((man - 0.7) * 20.0) * (0.15 + 0.65 * torch.sigmoid(1.6 * z["stubble"]))
    p["scalp_shade"] = 0.72 + 0.8 * ((p["hair_top"] - 0.004) / 0.02).clamp(0.0, 1.0)

    p["glasses"] = present(z["glasses"], 0.75)
    p["glasses_shape"] = torch.sigmoid(4.0 * z["glasses_shape"])
    p["glasses_size"] = 1.0 + 0.10 * torch.tanh(z["glasses_size"])
    p["tint"] = p["glasses"] * present(z["tint"], 1.0)
    p["hat"], p["scarf"], p["brim"] = cap, scarf, cap * present(z["hat_kind"], -0.3)
    p["earring"] = present(z["earring"] - 0.9 * (sex - 0.4), 0.4) * adult
    p["hoop"] = torch.sigmoid(8.0 * z["hoop"])
    p["hood"] = present(z["cloth"], 0.9)
    p["collar"] = present(-z["cloth"], 0.5) * (1.0 - p["hood"])
    p["neckline"] = 0.012 + 0.045 * u["neckline"] ** 2 * (1.0 - p["collar"])
    p["pattern"] = present(z["pattern"], 0.8)

    vivid = 0.55 * u["cloth_saturation"] ** 1.3
    cloth = _linear(u["cloth_hue"], vivid, 0.10 + 0.78 * u["cloth_value"])
    p["cloth"] = cloth
    p["cloth_second"] = _linear((u["cloth_hue"] + 0.2) % 1.0, 0.5 * vivid, 0.15 + 0.75 * (1.0 - u["cloth_value"]))
    p["frame"] = _linear(u["frame"], 0.5 * u["frame"], 0.06 + 0.30 * u["frame"] ** 3)
    p["hat_colour"] = _linear(u["hat_hue"], 0.25 + 0.4 * u["cloth_value"], 0.15 + 0.5 * u["hat_kind"])

    p |= faces.expression_columns(expression)
    p |= light_columns(light)

    b = dict(zip(BACKDROP_LATENTS, backdrop.unbind(1), strict=True))
    v = {name: uniform(column) for name, column in b.items()}
    low = _linear(v["hue"], 0.55 * v["saturation"] ** 2, 0.12 + 0.85 * v["value"])
    high = _linear((v["hue"] + 0.3 * b["shift"]) % 1.0, 0.35 * v["saturation"], 0.15 + 0.8 * v["second"])
    two = present(b["second"], 0.0)[:, None]
    low, high = low ** (1.0 / 2.2), high ** (1.0 / 2.2)  # backgrounds are shown as they are
    p["background"], p["backdrop"] = low, low + two * (high - low)
    p["backdrop_height"] = 0.7 * torch.tanh(b["height"])
    p["backdrop_edge"] = torch.exp(1.2 + 1.0 * torch.tanh(b["edge"]))
    p["clutter"] = v["clutter"]
    for name in _COLOURS:
        colour = p.pop(name)
        for i, channel in enumerate("rgb"):
            p[f"{name}_{channel}"] = colour[:, i]
    zero = torch.zeros_like(sex)
    return torch.stack([p[name] + zero for name in PARAMETER_NAMES], 1)


def split_latents(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Identity, expression, light and backdrop of whole latents [N,LATENT_DIM]."""
    identity, expression, light, backdrop = z.split((IDENTITY_DIM, EXPRESSION_DIM, LIGHT_DIM, BACKDROP_DIM), 1)
    return identity, expression, light, backdrop
