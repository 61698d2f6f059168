"""A stand-in for the basis of people: two ellipsoids, head and chest, with the right places, and small random shapes."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.people.basis import ACTIONS, AGES, ANCESTRIES, ASYMMETRIES, GENDERS, SHAPES, WEIGHTS, Basis


def ellipsoid(middle: tuple[float, float, float], half: tuple[float, float, float], rows: int) -> tuple[Tensor, Tensor]:
    """Vertices and outward triangles."""
    columns = 2 * rows
    polar = torch.linspace(0.0, torch.pi, rows)[:, None]
    turn = 2.0 * torch.pi * torch.arange(columns) / columns
    ring = torch.stack([polar.sin() * turn.sin(), polar.cos().expand(-1, columns), polar.sin() * turn.cos()], -1)
    vertices = ring.reshape(-1, 3) * torch.tensor(half) + torch.tensor(middle)
    i, j = torch.meshgrid(torch.arange(rows - 1), torch.arange(columns), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    return vertices, torch.cat([torch.stack([a, c, b], -1), torch.stack([b, c, d], -1)]).reshape(-1, 3)


def standin_basis() -> Basis:
    parts = [
        (0, *ellipsoid((0.0, -0.005, -0.068), (0.075, 0.125, 0.096), 40)),
        (0, *ellipsoid((0.0, -0.28, -0.08), (0.22, 0.15, 0.09), 24)),
        (1, *ellipsoid((0.0, -0.066, 0.0), (0.02, 0.005, 0.01), 6)),
        (2, *ellipsoid((0.0, -0.075, -0.01), (0.02, 0.005, 0.02), 6)),
        (3, *ellipsoid((0.031, 0.006, 0.02), (0.01, 0.001, 0.004), 4)),
    ]
    vertices, triangles, part, first = [], [], [], 0
    for number, points, faces in parts:
        vertices.append(points)
        triangles.append(faces + first)
        part += [number] * len(faces)
        first += len(points)
    ball = torch.nn.functional.normalize(torch.randn(24, 3, generator=torch.Generator().manual_seed(0)), dim=1) * 0.015
    ball = torch.cat([ball, -ball])
    eyes = [ball + torch.tensor([side * 0.031, 0.0, 0.0]) for side in (1.0, -1.0)]
    template = torch.cat([*vertices, *eyes])
    masks = torch.zeros(len(template), 5)
    masks[:, 0] = ((template - torch.tensor([0.0, -0.066, 0.012])).norm(dim=1) < 0.022).float()
    generator = torch.Generator().manual_seed(1)

    def shapes(*sizes: int) -> Tensor:
        smooth = torch.sin(template @ (40.0 * torch.randn(3, 3, generator=generator)))
        return 0.0004 * torch.randn(*sizes, 1, 3, generator=generator) * smooth

    return Basis(
        template=template,
        universal=shapes(len(GENDERS), len(AGES), len(WEIGHTS)),
        ancestry=shapes(len(ANCESTRIES), len(GENDERS), len(AGES)),
        local=shapes(SHAPES),
        asymmetry=shapes(ASYMMETRIES),
        actions=shapes(len(ACTIONS)),
        triangles=torch.cat(triangles).int(),
        part=torch.tensor(part, dtype=torch.int32),
        masks=masks,
        eyes=torch.arange(len(template) - 96, len(template), dtype=torch.int32).reshape(2, 48),
    )
