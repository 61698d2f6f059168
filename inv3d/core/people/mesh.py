"""Pieces of a person's mesh, and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Piece:
    """Triangles [T,3] of one `kind` over vertices [V,3] in world units.

    `place` [V,3] and `extra` [V,4] are what the kernels paint by (see `people.kernels`); `scalp` [V] is how much hair
    covers skin; `normals` [V,3] replace those of the triangles (ribbons: their tangents). `paint` [V,4] is a colour and
    how much of it lies over that of the kind; people of the training set have none.
    """

    kind: int
    vertices: Tensor
    triangles: Tensor
    place: Tensor
    extra: Tensor | None = None
    scalp: Tensor | None = None
    normals: Tensor | None = None
    paint: Tensor | None = None


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals [V,3], each the mean of the triangles around by their area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    faces = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(vertices)
    for k in range(3):
        normals.index_add_(0, triangles[:, k], faces)
    return F.normalize(normals, dim=1, eps=1e-12)


@dataclass(frozen=True)
class Joined:
    """All pieces in one: `triangles` [T,3] and the `kind` [T] of each."""

    vertices: Tensor
    triangles: Tensor
    kind: Tensor
    normals: Tensor
    place: Tensor
    extra: Tensor
    scalp: Tensor
    paint: Tensor


def join(pieces: list[Piece]) -> Joined:
    vertices = torch.cat([piece.vertices for piece in pieces])
    triangles, kinds, normals, extras, scalps, paints, first = [], [], [], [], [], [], 0
    for piece in pieces:
        count = len(piece.vertices)
        triangles.append(piece.triangles.long() + first)
        kinds.append(torch.full((len(piece.triangles),), piece.kind, dtype=torch.int32, device=vertices.device))
        own = piece.normals
        normals.append(vertex_normals(piece.vertices, piece.triangles.long()) if own is None else own)
        extras.append(vertices.new_zeros(count, 4) if piece.extra is None else piece.extra)
        scalps.append(vertices.new_zeros(count) if piece.scalp is None else piece.scalp)
        paints.append(vertices.new_zeros(count, 4) if piece.paint is None else piece.paint)
        first += count
    return Joined(
        vertices, torch.cat(triangles), torch.cat(kinds), torch.cat(normals),
        torch.cat([piece.place for piece in pieces]), torch.cat(extras), torch.cat(scalps), torch.cat(paints),
    )  # fmt: skip


def grid_triangles(rows: int, columns: int, closed: bool, device: torch.device) -> Tensor:
    """Triangles of a grid of vertices [rows,columns]; `closed` joins the last column to the first."""
    i = torch.arange(rows - 1, device=device)[:, None] * columns
    j = torch.arange(columns if closed else columns - 1, device=device)[None]
    k = (j + 1) % columns
    a, b, c, d = i + j, i + k, i + columns + j, i + columns + k
    return torch.cat([torch.stack([a, c, b], -1), torch.stack([b, c, d], -1)]).reshape(-1, 3)
