"""What users may edit about drawn people: attributes, each a weighted sum of named parameters (`PARAMETER_NAMES`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.people.basis import MASKS, SHAPES, Basis
from inv3d.core.people.parameters import LATENT_DIM, PARAMETER_NAMES, Parameters, people_parameters, split_latents
from inv3d.core.people.shape import Shapes


def _anyone(p: Parameters) -> Tensor:
    return p.age > 0.0


def _adult(p: Parameters) -> Tensor:
    return p.age > 1.82


def _man(p: Parameters) -> Tensor:
    return _adult(p) & (p.sex > 0.8)


def _woman(p: Parameters) -> Tensor:
    return _adult(p) & (p.sex < 0.2)


@dataclass(frozen=True)
class Attribute:
    """`parts` are weights of the parameters that it is the sum of. Parameters that begin with one of `follows` may change
    with it; all others are held fixed, those named in `holds` too. `among` chooses the people it is measured on."""

    name: str
    about: str
    parts: Mapping[str, float]
    follows: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    among: Callable[[Parameters], Tensor] = _anyone

    @property
    def moved(self) -> list[int]:
        """Columns of the parameters that may change."""
        return [
            i
            for i, name in enumerate(PARAMETER_NAMES)
            if (name in self.parts or name.startswith(self.follows)) and name not in self.holds
        ]

    @property
    def weights(self) -> Tensor:
        """The weight [K] of every parameter."""
        return torch.tensor([self.parts.get(name, 0.0) for name in PARAMETER_NAMES])

    def values(self, parameters: Tensor) -> Tensor:
        """The attribute [N] of people [N,K]."""
        return parameters @ self.weights


_STYLE = ("hair_weight", "hair_lift", "fringe", "tied", "shag", "hair_puff")
_COLOURS = ("hair_colour", "beard_colour")
PEOPLE_ATTRIBUTES = (
    Attribute("smile", "a smile; below, a frown", {"smile": 1.0}),
    Attribute("open-mouth", "an open mouth", {"jaw": 1.0}),
    Attribute("pucker", "puckered lips", {"pucker": 1.0}),
    Attribute("closed-eyes", "closed eyes", {"blink": 1.0}),
    Attribute("squint", "squinting eyes", {"squint": 1.0}),
    Attribute("raised-brows", "raised eyebrows; below, knitted ones", {"brows_up": 1.0, "brows_down": -1.0}),
    Attribute("look-left", "eyes towards the person's left", {"gaze_x": 1.0}),
    Attribute("look-up", "eyes upwards", {"gaze_y": 1.0}),
    Attribute("age", "age, with wrinkles and grey hair", {"age": 1.0}, ("wrinkles", *_COLOURS, "recede", "crown"), among=_adult),
    Attribute("wrinkles", "wrinkles alone", {"wrinkles": 1.0}, among=_adult),
    Attribute("gender", "masculine traits; below, feminine ones", {"sex": 1.0}, ("brow_", "stubble", "lipstick", "makeup"), among=_adult),
    Attribute("weight", "weight", {"weight": 1.0}),
    Attribute("beard", "a beard", {"chin_beard": 1.0, "cheek_beard": 1.0, "moustache": 1.0}, among=_man),
    Attribute("stubble", "stubble", {"stubble": 1.0}, among=_man),
    Attribute("thick-brows", "thick eyebrows", {"brow_thickness": 1.0}, ("brow_density",)),
    Attribute("hair-length", "long hair", {"hair_top": 1.0, "hair_side": 1.0, "hair_back": 1.0}, _STYLE),
    Attribute("bald", "a receding hairline and a bald crown", {"recede": 1.0, "crown": 1.0}, ("hair_density", "scalp_shade")),
    Attribute("curly-hair", "curls and waves", {"curl": 1.0, "wave": 1.0}, ("hair_puff", "hair_lift")),
    Attribute("grey-hair", "grey hair", {"hair_colour_b": 1.0}, _COLOURS),
    Attribute("blond-hair", "blond hair; below, dark hair", {"hair_colour_r": 0.5, "hair_colour_g": 0.5, "hair_colour_b": -1.0}, _COLOURS, ("hair_colour_b",)),
    Attribute("dark-skin", "dark skin; below, fair skin", {"melanin": 1.0}),
    Attribute("rosy-skin", "rosy skin", {"blood": 1.0, "blush": 0.2}),
    Attribute("freckles", "freckles", {"freckles": 1.0}),
    Attribute("makeup", "make-up and lipstick", {"lipstick": 1.0, "makeup": 1.0}, among=_woman),
    Attribute("glasses", "glasses", {"glasses": 1.0}),
    Attribute("hat", "a hat", {"hat": 1.0}, ("brim", "hair_lift", "hair_puff", "hat_colour")),
    Attribute("light-left", "light from the person's left", {"key_x": 1.0}, ("key_z",)),
    Attribute("light-above", "light from above", {"key_y": 1.0}, ("key_z",)),
)  # fmt: skip
"""Attributes that parameters tell directly; `measured_attributes` gives those of the face's form."""



@dataclass(frozen=True)
class SharedTrait:
    """What one person can take from another: all parameters that begin with one of `beginnings`."""

    name: str
    about: str
    beginnings: tuple[str, ...]

    @property
    def columns(self) -> set[int]:
        return {i for i, name in enumerate(PARAMETER_NAMES) if name.startswith(self.beginnings)}


PEOPLE_TRAITS = (
    SharedTrait("hair", "the hair: its form and colour", ("hair_", "fringe", "curl", "wave", "part", "comb", "recede", "crown", "tied", "shag", "scalp_")),
    SharedTrait("beard", "beard and stubble", ("moustache", "chin_beard", "cheek_beard", "stubble", "beard_colour")),
    SharedTrait("face", "the form of the face", ("shape_", "side_", "sex", "age", "weight", "african", "asian", "caucasian", "brow_")),
    SharedTrait("skin", "the skin and its make-up", ("melanin", "blood", "blush", "freckles", "mole_", "gloss", "lipstick", "makeup", "wrinkles")),
    SharedTrait("expression", "what the face does", ("smile", "jaw", "pucker", "stretch", "press", "brows_", "squint", "blink", "gaze_", "sided")),
    SharedTrait("glasses", "glasses", ("glasses", "tint", "frame")),
    SharedTrait("hat", "a hat", ("hat", "brim")),
    SharedTrait("clothes", "clothes and earrings", ("scarf", "neckline", "collar", "hood", "cloth", "pattern", "earring", "hoop")),
    SharedTrait("light", "the light", ("key_", "sh_", "exposure", "balance")),
    SharedTrait("backdrop", "what is behind", ("background", "backdrop", "clutter")),
)  # fmt: skip
"""Traits of drawn people."""

_NARROW = 0.1  # standard deviations of a principal component over which lengths are compared


def measured_attributes(basis: Basis) -> tuple[Attribute, ...]:
    """Attributes of the face's form: lengths on the surface, as linear functions of the components `shape_i`."""
    shapes = Shapes(basis)
    average = people_parameters(*split_latents(torch.zeros(1, LATENT_DIM)))
    rest = shapes.surface(average).vertices
    measures = face_measures(basis, rest)

    def lengths(vertices: Tensor) -> Tensor:
        return torch.stack([measure(vertices) for _, _, measure in measures])

    slopes = []
    for i in range(SHAPES):
        aside = average.clone()
        aside[0, PARAMETER_NAMES.index(f"shape_{i}")] += _NARROW
        slopes.append((lengths(shapes.surface(aside).vertices) - lengths(rest)) / _NARROW)
    weights = torch.stack(slopes, 1)
    return tuple(
        Attribute(name, about, {f"shape_{i}": float(row[i]) for i in range(SHAPES)})
        for (name, about, _), row in zip(measures, weights, strict=True)
    )


def face_measures(basis: Basis, rest: Tensor) -> list[tuple[str, str, Callable[[Tensor], Tensor]]]:
    """Names, words and lengths of vertices [V,3] in world units, at the places that they have in the average face `rest`."""
    x, y, z = rest.unbind(1)
    mask = {name: basis.masks[:, i] > 0.5 for i, name in enumerate(MASKS)}
    ridge = mask["face"] & (x.abs() < 0.02) & (z > 0.15)
    tip, chin = ridge & (y < -0.06) & (y > -0.088), mask["face"] & (x.abs() < 0.03) & (y < -0.2) & (z > 0.1)
    wings = mask["face"] & (x.abs() > 0.02) & (x.abs() < 0.05) & (y < -0.06) & (y > -0.1) & (z > 0.15)
    cheeks = mask["face"] & (x.abs() > 0.115) & (y < 0.0) & (y > -0.14)

    def mean(places: Tensor, axis: int) -> Callable[[Tensor], Tensor]:
        return lambda vertices: vertices[places, axis].mean()

    def breadth(places: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda vertices: vertices[places, 0].abs().mean()

    def spread(places: Tensor, axis: int) -> Callable[[Tensor], Tensor]:
        return lambda vertices: vertices[places, axis].std(correction=0)

    return [
        ("wide-face", "a wide face", breadth(cheeks)),
        ("long-chin", "a long chin", lambda vertices: -mean(chin, 1)(vertices)),
        ("big-nose", "a nose that stands out", mean(tip, 2)),
        ("wide-nose", "a wide nose", breadth(wings)),
        ("full-lips", "full lips", spread(mask["lips"], 1)),
        ("wide-mouth", "a wide mouth", spread(mask["lips"], 0)),
        ("big-eyes", "tall eyes", spread(mask["eyelids"], 1)),
    ]
