"""Contact sheets: heads of a generator, or of the procedural source it was trained on, from given angles."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.counting import Counted
from inv3d.core.procedural.kind import Kind
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.export.pictures import column, row


def latent(seed: int, dimensions: int) -> Tensor:
    """The z [1,dimensions] of a seed, the same on every machine."""
    return torch.randn(1, dimensions, generator=torch.Generator().manual_seed(seed))


def grid(images: list[Tensor], columns: int) -> Tensor:
    """Equal pictures [3,H,W] in rows of `columns`; gaps in the last row are black."""
    missing = -len(images) % columns
    images = images + [torch.full_like(images[0], -1.0)] * missing
    return column([row(images[i : i + columns]) for i in range(0, len(images), columns)])


@torch.no_grad()
def generator_sheet(
    bundle: Bundle, seeds: list[int], cameras: Camera, resolution: int | None, truncation: float, counted: Counted
) -> list[Tensor]:
    """For every seed its pictures [3,R,R*C] from C cameras side by side."""
    generator = bundle.generator
    sheets = []
    for done, seed in enumerate(seeds):
        codes = code_of(bundle, seed, truncation)
        sheets.append(row(list(generator(codes, cameras, resolution).image.cpu())))
        counted(done + 1, len(seeds))
    return sheets


@torch.no_grad()
def mixing_sheet(
    bundle: Bundle, seeds: list[int], camera: Camera, resolution: int | None, truncation: float, counted: Counted
) -> list[Tensor]:
    """Style mixing: row i has the shape of seed i, column j the looks of seed j; [3,R,R] each, row after row."""
    codes = torch.cat([code_of(bundle, seed, truncation) for seed in seeds])
    mix = bundle.generator.code_space.mix
    pictures = []
    for shape in codes:
        for looks in codes:
            pictures.append(bundle.generator(mix(shape, looks, "looks")[None], camera, resolution).image[0].cpu())
            counted(len(pictures), len(seeds) ** 2)
    return pictures


def code_of(bundle: Bundle, seed: int, truncation: float = 1.0) -> Tensor:
    """The code [1,num_ws,w_dim] of a seed."""
    generator = bundle.generator
    z = latent(seed, generator.z_dim).to(generator.device)
    return generator.mapping(z, bundle.info.front.vector().to(generator.device), truncation)


def source_sheet(kind: Kind, seeds: list[int], cameras: Camera, resolution: int, counted: Counted) -> list[Tensor]:
    """The same figures as `generator_sheet` of a model that learned them, as the procedural source draws them."""
    renderer, sheets = HeadRenderer(kind=kind), []
    for done, seed in enumerate(seeds):
        z = latent(seed, kind.identity_dim + kind.expression_dim)
        parameters = kind.from_latents(*z.tensor_split([kind.identity_dim], 1)).expand(len(cameras), -1)
        sheets.append(row(list(renderer.render(parameters, cameras, resolution).image)))
        counted(done + 1, len(seeds))
    return sheets


def people_sheet(seeds: list[int], cameras: Camera, resolution: int, counted: Counted) -> list[Tensor]:
    """For every seed the pictures [3,R,R*C] of a person, from C cameras. Raises UsageError without the extra `train`."""
    from inv3d.core.people.store import people_basis

    basis = people_basis()
    from inv3d.core.people.parameters import LATENT_DIM, people_parameters, split_latents
    from inv3d.core.people.renderer import PeopleRenderer

    renderer, sheets = PeopleRenderer(basis), []
    for done, seed in enumerate(seeds):
        parameters = people_parameters(*split_latents(latent(seed, LATENT_DIM))).expand(len(cameras), -1)
        sheets.append(row(list(renderer.render(parameters, cameras, resolution).image)))
        counted(done + 1, len(seeds))
    return sheets
