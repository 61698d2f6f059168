"""A whole person from one row of parameters: all pieces of geometry."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.people import kernels
from inv3d.core.people.basis import LASHES, MASKS, SKIN, TEETH, TONGUE, Basis
from inv3d.core.people.clothes import clothes
from inv3d.core.people.eyes import eyeballs, gaze_rotation
from inv3d.core.people.facial_hair import beard, beard_lengths, brows
from inv3d.core.people.hair import coverage, inside_hairline, scalp_hair, smooth
from inv3d.core.people.mesh import Piece, vertex_normals
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.shape import Shapes, Surface
from inv3d.core.people.strands import Roots, Skin
from inv3d.core.people.wear import Landmarks, cap, earrings, glasses, headscarf

_SCALP_ROOTS, _BEARD_ROOTS, _BROW_ROOTS = 14_000, 7_000, 2_400
_EARS, _LIPS = MASKS.index("ears"), MASKS.index("lips")


@dataclass(frozen=True)
class Person:
    """Solid pieces (closed or nearly so) and ribbons (hair, brows, lashes); `surface` is the bare skin."""

    surface: Surface
    solids: list[Piece]
    ribbons: list[Piece]


class _Follicles:
    """Fixed random places on some triangles of the template."""

    def __init__(self, basis: Basis, triangles: Tensor, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        corners = basis.template[triangles]
        areas = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1)
        chosen = torch.multinomial(areas.cpu(), count, replacement=True, generator=generator).to(triangles.device)
        u = torch.rand(count, 2, generator=generator)
        u = torch.where(u.sum(1, keepdim=True) > 1.0, 1.0 - u, u)
        self.weights = torch.cat([1.0 - u.sum(1, keepdim=True), u], 1).to(basis.template)[..., None]
        self.corners = triangles[chosen]
        self.random = torch.rand(count, 6, generator=generator).to(basis.template)
        self.place = self.at(basis.template)

    def at(self, values: Tensor) -> Tensor:
        """Values [V,C] of the vertices at the places, [N,C]."""
        return (values[self.corners] * self.weights).sum(1)

    def roots(self, vertices: Tensor, normals: Tensor) -> Roots:
        return Roots(self.at(vertices), torch.nn.functional.normalize(self.at(normals), dim=1), self.place, self.random)


class Builder:
    """Builds people from the basis; what all have in common is prepared once."""

    def __init__(self, basis: Basis) -> None:
        self.shapes, self.basis = Shapes(basis), basis
        of = {part: basis.triangles[basis.part == part].long() for part in (SKIN, TEETH, TONGUE, LASHES)}
        self._triangles = of
        middles = basis.template[of[SKIN]].mean(1)
        outer = basis.masks[of[SKIN]].mean(1)[:, MASKS.index("inside-mouth")] < 0.1
        scalp = inside_hairline(middles, 0.0) > -0.004
        x, y, z = middles.unbind(1)
        front = outer & (z > -0.085)
        lower = front & (y < 0.01) & (y > -0.15)
        brow = front & (y > 0.005) & (y < 0.04) & (x.abs() > 0.005) & (x.abs() < 0.065) & (z > -0.03)
        self._scalp = _Follicles(basis, of[SKIN][scalp & outer & (y > -0.1)], _SCALP_ROOTS, 1)
        self._beard = _Follicles(basis, of[SKIN][lower], _BEARD_ROOTS, 2)
        self._brows = _Follicles(basis, of[SKIN][brow], _BROW_ROOTS, 3)
        # the strips below the eyes are left out: at this size lashes there are too fine to be seen
        upper = basis.template[of[LASHES]].mean(1)[:, 1] > 0.001
        of[LASHES] = of[LASHES][upper]
        used = torch.unique(of[SKIN])
        self._skin_vertices = used
        visible = torch.zeros(len(basis.template), dtype=torch.bool, device=used.device)
        visible[used] = basis.masks[used, MASKS.index("inside-mouth")] < 0.1
        self._marks = Landmarks(basis.template, visible)
        lashes = torch.unique(of[LASHES])
        # how far a vertex of the lashes lies from the lid
        nearest = torch.cdist(basis.template[lashes], basis.template[used]).amin(1)
        self._lash_along = torch.zeros(len(basis.template)).to(nearest).index_copy(0, lashes, nearest)
        self._lash_along /= nearest.max()

    def build(self, parameters: Tensor) -> Person:
        """The geometry of one person [1,K]."""
        p = Parameters(parameters)
        basis, surface = self.basis, self.shapes.surface(parameters)
        bare = surface.vertices
        scale = surface.scale
        skin_triangles = self._triangles[SKIN]
        normals = vertex_normals(bare, skin_triangles)
        density = coverage(basis.template, basis.masks[:, _EARS], p)
        bearded = smooth(beard_lengths(basis.template, basis.masks[:, _LIPS], p), 0.002, 0.006)
        body = smooth(inside_hairline(basis.template, float(p.recede)), 0.0, 0.03) * density.clamp(max=1.0)
        moved = bare + normals * (body * float(p.hair_puff) * 0.75 * scale)[:, None]

        solids = []
        for part, kind in ((SKIN, kernels.SKIN), (TEETH, kernels.TEETH), (TONGUE, kernels.TONGUE)):
            used, triangles = torch.unique(self._triangles[part], return_inverse=True)
            shade = torch.maximum(density, 0.7 * bearded)[used] if part == SKIN else None
            solids.append(Piece(kind, moved[used], triangles, basis.template[used], basis.masks[used][:, :4], shade))
        gaze = gaze_rotation(float(p.gaze_x), float(p.gaze_y))
        solids += eyeballs(surface.eyes, surface.eye_radius, gaze)

        grown = vertex_normals(moved, skin_triangles)
        skin = Skin(moved, skin_triangles, grown)
        scalp, chin, brow = (one.roots(moved, grown) for one in (self._scalp, self._beard, self._brows))
        ears = self._scalp.at(basis.masks[:, _EARS : _EARS + 1])[:, 0]
        strands = scalp_hair(skin, scalp, coverage(scalp.place, ears, p), scale, p)
        solids += clothes(skin, basis.template, scale, p)
        if float(p.glasses) > 0.5:
            solids += glasses(surface, self._marks, scale, p)
        if float(p.scarf) > 0.5:
            solids += headscarf(skin, surface, scale, p)
        elif float(p.hat) > 0.5:
            solids += cap(skin, surface, scale, p)
        if float(p.earring) > 0.5 and float(p.scarf) < 0.5:
            solids += earrings(surface, self._marks, scale, p)
        strands += brows(skin, brow, scale, p)
        strands += beard(skin, chin, self._beard.at(basis.masks[:, _LIPS : _LIPS + 1])[:, 0], scale, p)
        return Person(surface, solids, [*strands, self._lashes(bare)])

    def _lashes(self, vertices: Tensor) -> Piece:
        used, triangles = torch.unique(self._triangles[LASHES], return_inverse=True)
        x = self.basis.template[used, 0]
        place = torch.stack([0.52 + 0.48 * self._lash_along[used], 0 * x, 170.0 * x], 1)
        extra = torch.tensor([0.0, 0.3, 0.95, -1.0]).to(x).expand(len(used), 4).contiguous()
        down = torch.tensor([0.0, 0.4, 0.9]).to(x).expand(len(used), 3).contiguous()
        return Piece(kernels.BROW, vertices[used], triangles, place, extra, normals=down)
