"""What no person of the training set has: face paint, a birthmark, a headband, streaks of dyed hair, a crooked face.

To a generator that has seen drawn people alone, these are what real people are to a generator of photographs. They belong
to the geometry, as colours at its vertices or as moved vertices, so that they look the same from every side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.basis import Basis
from inv3d.core.people.cover import draped, polar_grid, reach
from inv3d.core.people.hair import smooth
from inv3d.core.people.kernels import HAIR, HAT
from inv3d.core.people.mesh import Piece, grid_triangles, vertex_normals
from inv3d.core.people.person import Builder, Person
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.shape import Shapes, Surface
from inv3d.core.people.strands import Skin

Colour = tuple[float, float, float]
_BLUE, _WHITE, _RED, _WINE = (0.02, 0.07, 0.45), (0.80, 0.80, 0.76), (0.50, 0.02, 0.02), (0.16, 0.012, 0.03)
_TEAL, _PINK, _YELLOW = (0.01, 0.30, 0.34), (0.60, 0.03, 0.25), (0.75, 0.50, 0.04)


@dataclass(frozen=True)
class Oddities:
    """Which of them a person has; `skew` is the asymmetry: metres that the chin stands aside."""

    paint: bool = False
    birthmark: bool = False
    headband: bool = False
    streaks: bool = False
    skew: float = 0.0


class OddPeopleRenderer(PeopleRenderer):
    """Renders people with oddities, as exactly as its parent does."""

    def __init__(self, basis: Basis, oddities: Oddities) -> None:
        self.builder = _OddBuilder(basis, oddities)


class _OddBuilder(Builder):
    def __init__(self, basis: Basis, oddities: Oddities) -> None:
        super().__init__(basis)
        self.shapes = _CrookedShapes(basis, oddities.skew)
        self._oddities = oddities

    def build(self, parameters: Tensor) -> Person:
        person, odd = super().build(parameters), self._oddities
        skin, *solids = person.solids
        ribbons = person.ribbons
        if odd.headband:
            solids.append(_headband(skin, person.surface))
        if odd.paint or odd.birthmark:
            skin = _painted(skin, self._pattern)
        if odd.streaks:
            ribbons = [_streaked(piece) if piece.kind == HAIR else piece for piece in ribbons]
        return Person(person.surface, [skin, *solids], ribbons)

    def _pattern(self, place: Tensor) -> Tensor:
        birthmark = _birthmark(place) if self._oddities.birthmark else []
        return _brushed(birthmark + (_face_paint(place) if self._oddities.paint else []))


class _CrookedShapes(Shapes):
    """Faces whose nose and jaw lean to one side, with one eye lower than the other."""

    def __init__(self, basis: Basis, skew: float) -> None:
        super().__init__(basis)
        place = basis.template
        _x, y, z = place.unbind(1)
        below = smooth(-y, 0.010, 0.110) * smooth(z, -0.080, 0.0) * (1.0 - smooth(-y, 0.125, 0.170))
        left = place.new_tensor([0.031, 0.0, 0.0])
        # the eye and its lids move as one
        lower = 1.0 - smooth((place - left).norm(dim=1), 0.019, 0.048)
        self._bend = skew * torch.stack([below, -0.45 * lower, torch.zeros_like(y)], 1)
        self._eyes = skew * place.new_tensor([[0.0, -0.45, 0.0], [0.0, 0.0, 0.0]])

    def surface(self, parameters: Tensor) -> Surface:
        own = super().surface(parameters)
        vertices, eyes = own.vertices + self._bend * own.scale, own.eyes + self._eyes * own.scale
        return replace(own, vertices=vertices, eyes=eyes, mouth=vertices[self._lips].mean(0))


def _painted(skin: Piece, pattern: Callable[[Tensor], Tensor]) -> Piece:
    """The skin with the paint [V,4] that `pattern` gives to places [V,3] of the template.

    Where the paint has an edge, triangles are split, so that it becomes sharp; the surface stays the same.
    """
    skin = replace(skin, normals=vertex_normals(skin.vertices, skin.triangles))
    for _ in range(2):
        corners = pattern(skin.place)[skin.triangles]
        skin = _split(skin, (corners.amax(1) - corners.amin(1)).amax(1) > 0.05)
    return replace(skin, paint=pattern(skin.place))


def _split(piece: Piece, which: Tensor) -> Piece:
    """Every triangle of `which` [T] as four."""
    triangles = piece.triangles[which]
    count, first = len(triangles), len(piece.vertices)
    a, b, c = triangles.unbind(1)
    ends = torch.cat([torch.stack(pair, 1) for pair in ((a, b), (b, c), (c, a))])
    ab, bc, ca = (first + torch.arange(3 * count, device=ends.device)).split(count)
    four = [torch.stack(corners, 1) for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]

    def between(values: Tensor | None) -> Tensor | None:
        return None if values is None else torch.cat([values, values[ends].mean(1)])

    assert piece.normals is not None
    normals = F.normalize(torch.cat([piece.normals, piece.normals[ends].mean(1)]), dim=1)
    vertices, place = (torch.cat([values, values[ends].mean(1)]) for values in (piece.vertices, piece.place))
    joined = torch.cat([piece.triangles[~which], *four])
    return Piece(piece.kind, vertices, joined, place, between(piece.extra), between(piece.scalp), normals)


def _brushed(layers: list[tuple[Tensor, Colour]]) -> Tensor:
    """Paint [V,4] of layers, the first at the bottom, each with its cover [V]."""
    first = layers[0][0]
    colour, amount = first.new_zeros(len(first), 3), torch.zeros_like(first)
    for cover, own in layers:
        amount = amount + cover - amount * cover
        share = (cover / amount.clamp(min=1e-6))[:, None]
        colour = colour + share * (colour.new_tensor(own) - colour)
    return torch.cat([colour, amount[:, None]], 1)


def _face_paint(place: Tensor) -> list[tuple[Tensor, Colour]]:
    """A striped bar across either cheek and a star on the forehead, at places [V,3] of the template."""
    x, y, z = place.unbind(1)
    front = smooth(z, -0.060, -0.045)
    level = (y + 0.034 - 0.30 * (x.abs() - 0.045)).abs()
    across = smooth(x.abs(), 0.024, 0.026) * (1.0 - smooth(x.abs(), 0.066, 0.068)) * front
    bar, middle = (across * (1.0 - smooth(level, half - 0.0006, half + 0.0006)) for half in (0.0105, 0.0035))
    away = torch.hypot(x, y - 0.052)
    points = 0.0105 + 0.0045 * torch.cos(5.0 * torch.atan2(x, y - 0.052))
    star = (1.0 - smooth(away - points, -0.0006, 0.0006)) * front
    return [(bar, _BLUE), (middle, _WHITE), (star, _RED)]


def _birthmark(place: Tensor) -> list[tuple[Tensor, Colour]]:
    """A port-wine stain around one eye, down the cheek."""
    x, y, z = place.unbind(1)
    ragged = torch.sin(150.0 * x + 90.0 * z) + torch.sin(170.0 * y - 60.0 * x) + 0.6 * torch.sin(410.0 * y + 330.0 * x)
    away = torch.hypot(1.15 * (x + 0.046), 0.75 * (y + 0.012)) + 0.0022 * ragged
    inside = (1.0 - smooth(away, 0.027, 0.031)) * smooth(-x, 0.006, 0.010) * smooth(z, -0.070, -0.055)
    return [(0.72 * inside, _WINE)]


def _streaked(hair: Piece) -> Piece:
    """Hair in which every strand has the colour of the stripe it grows in."""
    roots = hair.vertices[hair.place[:, 0] == 0.0][::2]
    stripe = torch.sin(50.0 * roots[:, 0] + 0.6)
    layers = [((stripe > 0.70).to(stripe), _TEAL), ((stripe < -0.80).to(stripe), _PINK)]
    return replace(hair, paint=_brushed(layers)[hair.place[:, 2].long()])


def _headband(skin: Piece, surface: Surface) -> Piece:
    """A dotted band around the forehead, over the hair."""
    scale = surface.scale
    body = Skin(skin.vertices, skin.triangles, vertex_normals(skin.vertices, skin.triangles))
    centre = surface.eyes.mean(0) + surface.eyes.new_tensor([0.0, 0.045, -0.068]) * scale
    turns, rows = 144, 17
    angle = 2.0 * torch.pi * torch.arange(turns, device=centre.device) / turns
    share = torch.linspace(0.0, 1.0, rows, device=centre.device)[:, None]
    directions = polar_grid(1.22 - 0.12 * angle.cos() + 0.36 * share, turns, "y")
    bare = reach(body, centre, directions, 0.6)
    away = draped(bare + 0.009 * scale, 12)
    rim = bare - 0.002 * scale
    away = torch.cat([rim[:1], away, rim[-1:]])
    points = centre + torch.cat([directions[:1], directions, directions[-1:]]) * away[..., None]
    dots = torch.cos(9.0 * angle).abs() * torch.cos(torch.pi * (share - 0.5))
    dots = smooth(F.pad(dots, (0, 0, 1, 1)), 0.70, 0.80).flatten()
    paint = _brushed([(torch.ones_like(dots), _RED), (dots, _YELLOW)])
    flat = points.reshape(-1, 3)
    return Piece(HAT, flat, grid_triangles(rows + 2, turns, True, flat.device), (flat - centre) / scale, paint=paint)
