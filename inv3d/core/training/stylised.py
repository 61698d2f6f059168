"""People as stylised heads: who has the same face, hair, wear, expression and light as a drawn person, but is drawn as one
of the `toons`. Pairs of them are what a style of the embedded model learns from.

What moves a person's surface moves the stylised one's alone, so that codes of mixed heads keep their meaning (see
`training.generator`).
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.people.basis import Basis
from inv3d.core.people.expression import EXPRESSION_NAMES
from inv3d.core.people.parameters import LATENT_DIM, PARAMETER_NAMES, Parameters, people_parameters, split_latents
from inv3d.core.people.shape import Shapes
from inv3d.core.people.skin import pigment
from inv3d.core.procedural import parameters as toons
from inv3d.core.procedural.palette import mixed
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.samples import HeadSamples, Patches, PixelSamples
from inv3d.core.training.attributes import face_measures
from inv3d.core.training.source import Artist, FieldArtist, People

_CROWD, _SEED = 200, 17  # people whose faces the deviations are those of
_ROSY = (1.28, 1.19, 1.11)
_LIPS, _LIPSTICK = (0.30, 0.10, 0.11), [0.72, 0.13, 0.20]
# lengths (metres) of hair at the sides of a person, and the quantile of a stylised head's hair that they stand for
_SIDES = ((0.0, 0.14), (0.008, 0.22), (0.03, 0.35), (0.06, 0.50), (0.13, 0.68), (0.18, 0.75), (0.36, 0.97))


def _normal(quantile: Tensor) -> Tensor:
    """The standard normal number at a quantile."""
    return math.sqrt(2.0) * torch.erfinv(2.0 * quantile.clamp(1e-3, 1.0 - 1e-3) - 1.0)


def _switch(amount: Tensor, threshold: float) -> Tensor:
    """A latent clearly below a threshold for an `amount` of 0, clearly above it for 1."""
    return threshold + 2.0 * (2.0 * amount - 1.0)


def _along(x: Tensor, table: tuple[tuple[float, float], ...]) -> Tensor:
    """Linear interpolation in a table of (x, y)."""
    y = torch.full_like(x, table[0][1])
    for (x0, y0), (x1, y1) in itertools.pairwise(table):
        y = y + (y1 - y0) * ((x - x0) / (x1 - x0)).clamp(0.0, 1.0)
    return y


class Likeness:
    """Turns parameters of people into those of stylised heads."""

    def __init__(self, basis: Basis) -> None:
        self.shapes = Shapes(basis)
        average = people_parameters(*split_latents(torch.zeros(1, LATENT_DIM)))
        self._measures = {name: measure for name, _, measure in face_measures(basis, self.shapes.surface(average).vertices)}
        crowd = torch.randn(_CROWD, LATENT_DIM, generator=torch.Generator().manual_seed(_SEED))
        lengths = self._lengths(people_parameters(*split_latents(crowd)))
        self._mean, self._deviation = lengths.mean(0), lengths.std(0)

    def _lengths(self, people: Tensor) -> Tensor:
        """Lengths [N,M] of the resting faces of people [N,K]: those of `face_measures`, breadth, height and depth."""
        resting = people.clone()
        resting[:, [PARAMETER_NAMES.index(name) for name in EXPRESSION_NAMES]] = 0.0
        rows = []
        for own in resting:
            surface = self.shapes.surface(own[None])
            vertices = surface.vertices
            whole = [torch.tensor(surface.width), vertices[:, 1].max(), -vertices[vertices[:, 1] > 0.0, 2].min()]
            rows.append(torch.stack([measure(vertices) for measure in self._measures.values()] + whole))
        return torch.stack(rows)

    @torch.no_grad()
    def __call__(self, people: Tensor) -> Tensor:
        """Parameters [N,T] (see `procedural.parameters`) of the stylised heads of people [N,K]."""
        heads = toons.head_parameters(self._identity(people), torch.zeros(len(people), toons.EXPRESSION_DIM))
        for name, values in (self._shape(people) | self._looks(people) | self._colours(people)).items():
            heads[:, toons.PARAMETER_NAMES.index(name)] = values
        return heads

    def _identity(self, people: Tensor) -> Tensor:
        """The latents [N,60] of heads with these faces; what no latent tells, `_shape` and the others do."""
        p = _columns(people)
        names = (*self._measures, "breadth", "height", "depth")
        d = dict(zip(names, ((self._lengths(people) - self._mean) / self._deviation).unbind(1), strict=True))
        sex, child, old = p["sex"], _child(p), _old(p)
        weight = (p["weight"] - 1.0) / 0.45
        z = torch.zeros(len(people), toons.IDENTITY_DIM)
        latents = {
            0: d["breadth"], 1: d["height"], 2: d["depth"], 3: 0.7 * d["wide-face"] + 0.8 * (sex - 0.5), 4: d["long-chin"],
            5: 0.8 * weight, 58: 0.8 * weight + 0.6 * (sex - 0.5), 6: d["big-nose"], 7: d["wide-nose"], 8: 1.6 * (sex - 0.5),
            9: 0.5 * d["big-eyes"] + 1.0 - 0.5 * sex, 12: d["full-lips"] - 0.6 * (sex - 0.5), 13: d["wide-mouth"],
            27: 0.8 * p["asian"], 32: _normal(0.40 - 0.40 * child + 0.56 * old),
            16: _normal(torch.where(_bald(p), torch.full_like(sex, 0.02), _along(p["hair_side"], _SIDES))),
            17: (p["hair_puff"] - 0.007) / 0.008, 37: _switch(p["curl"], 0.3), 38: _switch(_fringe(p), 0.5),
            40: _switch(p["hat"] + p["scarf"], 1.05), 41: _switch(p["brim"], 0.0), 22: _switch(p["glasses"], 0.55),
        }  # fmt: skip
        for i, values in latents.items():
            z[:, i] = values.clamp(-3.0, 3.0)
        return z

    def _shape(self, people: Tensor) -> dict[str, Tensor]:
        """Form of hair, beard and wear, and the expression."""
        p = _columns(people)
        bare, tied, puffed = 1.0 - p["hat"] - p["scarf"], p["tied"], (p["hair_lift"] - 0.7).clamp(0.0, 0.3) / 0.3
        high = torch.where(_bald(p), torch.full_like(bare, -0.035), 0.007 + (1.7 + 2.3 * puffed) * p["hair_puff"] * bare)
        is_long = torch.sigmoid((_along(p["hair_side"], _SIDES) - 0.60) * 22.0) * (1.0 - tied)
        bearded = ((p["moustache"] - 0.003) / 0.002).clamp(0.0, 1.0)
        chin = (p["chin_beard"] / 0.005).clamp(0.0, 1.0)
        cheek = (p["cheek_beard"] / 0.005).clamp(0.0, 1.0)
        down = p["brows_down"]
        return {
            "brow_thickness": p["brow_thickness"].clamp(0.6, 1.5),
            "brow_angle": -0.003 - 0.004 * p["brow_arch"] - 0.006 * down,
            "hair_volume": high,
            "hair_curtain": (1.0 - is_long) * 0.12,
            "hair_line": 0.144 + 0.045 * p["recede"] - 0.038 * _fringe(p),
            "sideburn": -0.035 + 0.05 * is_long,
            "parting": 0.5 * p["part"],
            "bun": -0.080 + 0.118 * tied * bare,
            "beard": -0.030 + bearded * (0.036 + 0.20 * p["chin_beard"]),
            # to the cheeks, along the jaw, or a moustache alone
            "beard_top": 0.25 + chin * (0.045 - 0.25) - 0.045 * cheek,
            "glasses_shape": p["glasses_shape"],
            "glasses_size": 0.0385 + 0.035 * (p["glasses_size"] - 1.0),
            "earring": -0.030 + 0.0345 * p["earring"],
            "hoop": p["hoop"],
            "collar": 0.075 * torch.maximum(p["collar"], 0.7 * p["hood"]),
            "smile": 0.1 + 1.3 * p["smile"],
            "jaw_open": 0.024 * (p["jaw"] - 0.06).clamp(min=0.0),
            "eyes_open": (1.08 - 0.95 * p["blink"] - 0.3 * p["squint"] + 0.15 * p["brows_up"]).clamp(min=0.0),
            "brow_raise": 0.0075 * (1.3 * p["brows_up"] - 0.8 * down),
            "gaze_x": 0.0075 / 0.26 * p["gaze_x"],
            "gaze_y": 0.0045 / 0.16 * p["gaze_y"],
            "neckline": p["neckline"],
        }

    def _looks(self, people: Tensor) -> dict[str, Tensor]:
        """Marks of the skin, lenses, light."""
        p = _columns(people)
        key = (p["key_r"] + p["key_g"] + p["key_b"]) / 3.0
        # stylised heads have less light from elsewhere: a lamp at the side would leave half of a face black
        light = F.normalize(torch.stack([p["key_x"], p["key_y"] + 0.2, p["key_z"] + 0.7], 1), dim=1)
        share = key / (key + 1.35 * 0.282095 * p["sh_0_g"])
        return {
            "blush": p["blush"].clamp(0.2, 1.8),
            "freckles": 0.55 * p["freckles"],
            "moles_left": torch.zeros_like(key),
            "moles_right": torch.zeros_like(key),
            "wrinkles": ((p["wrinkles"] - 0.12) / 0.88).clamp(min=0.0),
            "stubble": 0.5 * p["stubble"],
            "lens": p["glasses"] * (0.06 + 0.74 * p["tint"]),
            "stripes": p["pattern"],
            **dict(zip(("light_x", "light_y", "light_z"), light.unbind(1), strict=True)),
            "light_contrast": 0.60 + 0.5 * share,
            "light_warmth": (torch.log(p["key_r"] / p["key_b"]) / 0.28).clamp(-1.0, 1.0),
            "backdrop_height": p["backdrop_height"],
            "backdrop_edge": p["backdrop_edge"],
        }

    def _colours(self, people: Tensor) -> dict[str, Tensor]:
        """Colours as they are shown, of those of people, which are linear."""
        p = Parameters(people)
        spots = torch.cat([p.melanin, p.blood], 1).tolist()
        albedo = torch.tensor([[*pigment(melanin, blood)] for melanin, blood in spots])
        skin = (torch.tensor(_ROSY) * albedo**0.5).clamp(max=0.98)
        lip = 0.62 * skin + torch.tensor(_LIPS) * (0.6 + 0.6 * skin.mean(1, keepdim=True))

        def shown(name: str, gain: float = 1.0) -> Tensor:
            return (gain * p.colour(name).clamp(min=0.0) ** (1.0 / 2.2)).clamp(max=0.98)

        colours = {
            "skin": skin,
            "lip": mixed(lip, _LIPSTICK, 0.7 * p.lipstick[:, 0]),
            "hair": shown("hair_colour", 1.1),
            "iris": shown("iris_colour", 1.1),
            "shirt": shown("cloth"),
            "stripe": shown("cloth_second"),
            "frame": shown("frame"),
            "hat": shown("hat_colour"),
            "background": p.colour("background"),
            "backdrop": p.colour("backdrop"),
        }
        return {f"{name}_{c}": colour[:, i] for name, colour in colours.items() for i, c in enumerate("rgb")}


def _columns(people: Tensor) -> dict[str, Tensor]:
    return dict(zip(PARAMETER_NAMES, people.unbind(1), strict=True))


def _child(p: dict[str, Tensor]) -> Tensor:
    return ((1.75 - p["age"]) / 1.05).clamp(0.0, 1.0)


def _old(p: dict[str, Tensor]) -> Tensor:
    return ((p["age"] - 2.3) / 0.5).clamp(0.0, 1.0)


def _bald(p: dict[str, Tensor]) -> Tensor:
    """Whether no more than stubble grows on the crown [N]."""
    return (p["hair_top"] < 0.0045) & (p["crown"] > 0.5)


def _fringe(p: dict[str, Tensor]) -> Tensor:
    """Whether hair is combed into the forehead, from 0 to 1."""
    return ((-p["comb"] - 0.2) / 0.3).clamp(0.0, 1.0) * (p["fringe"] > 0.04)


class StylisedArtist:
    """Draws people as stylised heads (see `training.source.Artist`)."""

    def __init__(self, likeness: Likeness, renderer: HeadRenderer) -> None:
        self.likeness, self.artist = likeness, FieldArtist(renderer)

    def pictures(
        self, parameters: Tensor, camera: Camera, resolution: int, supersample: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        return self.artist.pictures(self.likeness(parameters), camera, resolution, supersample, generator)

    def points(self, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
        return self.artist.points(self.likeness(parameters), count, generator)

    def pixels(
        self, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
    ) -> PixelSamples:
        return self.artist.pixels(self.likeness(parameters), camera, count, size, generator)

    def patches(
        self, parameters: Tensor, camera: Camera, count: int, side: int, size: int, generator: torch.Generator
    ) -> Patches:
        return self.artist.patches(self.likeness(parameters), camera, count, side, size, generator)


class StylisedPeople(People):
    """The people that `demo` was trained on, drawn as stylised heads: the same latents and parameters."""

    def artist(self, compiled: bool) -> Artist:
        """Raises UsageError without the extra `train`."""
        from inv3d.core.people.store import people_basis

        return StylisedArtist(Likeness(people_basis()), HeadRenderer(compiled))


STYLISED = StylisedPeople()
