"""Training samples of people: coloured surface points, signed distances and pixels, dense where people look."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import FFHQ_RADIUS, Camera
from inv3d.core.people.renderer import PeopleRenderer, Scene
from inv3d.core.procedural.renderer import FAR
from inv3d.core.procedural.samples import HALF_BOX, QUARTERS, HeadSamples, Patches, PixelSamples

_NEAR = 2.40

# share of the rays aimed at each region; what is left goes to the front of the face
_SHARES = {"body": 0.32, "eyes": 0.17, "mouth": 0.12, "nose": 0.05, "ears": 0.06, "hairline": 0.10}


def _targets(scene: Scene, count: int, generator: torch.Generator) -> Tensor:
    """Places [count,3] in the world that rays are aimed at."""
    eyes, mouth = scene.person.surface.eyes.cpu(), scene.person.surface.mouth.cpu()
    counts = {name: int(count * share) for name, share in _SHARES.items()}

    def box(n: int, size: tuple[float, float, float], middle: tuple[float, float, float]) -> Tensor:
        return (torch.rand(n, 3, generator=generator) * 2.0 - 1.0) * torch.tensor(size) + torch.tensor(middle)

    def around(middle: Tensor, spread: tuple[float, float, float], n: int) -> Tensor:
        return middle + torch.randn(n, 3, generator=generator) * torch.tensor(spread)

    n = counts["eyes"]
    side = (torch.rand(n, generator=generator) < 0.5).long()
    head = eyes.mean(0)
    ears = torch.tensor([[0.157, -0.03, -0.03]]).repeat(counts["ears"], 1)
    ears[::2, 0] *= -1.0
    parts = [
        box(counts["body"], (0.29, 0.34, 0.26), (0.0, -0.03, 0.0)),
        around(eyes[side] + torch.tensor([0.0, 0.008, 0.03]), (0.030, 0.022, 0.010), n),
        around(mouth, (0.040, 0.024, 0.015), counts["mouth"]),
        around(head * 0.55 + mouth * 0.45, (0.024, 0.034, 0.02), counts["nose"]),
        around(ears, (0.014, 0.036, 0.024), counts["ears"]),
        around(torch.tensor([0.0, 0.155, 0.11]), (0.085, 0.028, 0.04), counts["hairline"]),
    ]  # fmt: skip
    parts.append(box(count - sum(len(part) for part in parts), (0.125, 0.17, 0.05), (0.0, -0.03, 0.12)))
    return torch.cat(parts)


def _origins(count: int, generator: torch.Generator) -> Tensor:
    """Camera positions [count,3], mostly in front; those that look at the body stand all around it."""
    yaw = (torch.randn(count, generator=generator) * math.radians(48)).clamp(-math.radians(110), math.radians(110))
    around = int(count * _SHARES["body"])
    yaw[:around] = (torch.rand(around, generator=generator) * 2.0 - 1.0) * math.pi
    pitch = (torch.rand(count, generator=generator) * 2.0 - 1.0) * math.radians(34)
    return FFHQ_RADIUS * torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)


@torch.no_grad()
def sample_people(renderer: PeopleRenderer, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
    """Trace `count` rays for each person [B,K] and sample the distance near the surface, on the rays and everywhere."""
    rows = [_sample_one(renderer.scene(own[None]), count, generator) for own in parameters]
    return HeadSamples(*(torch.stack(columns) for columns in zip(*rows, strict=True)))


def _sample_one(scene: Scene, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    origins = _origins(count, generator)
    directions = F.normalize(_targets(scene, count, generator) - origins, dim=-1)
    hits = scene.hits(origins.to(scene.device), directions.to(scene.device), lamps=4)
    t, hit, colours = hits.depth.cpu().clamp(max=FAR), hits.kind.cpu() >= 0, hits.colours.cpu()
    points = origins + directions * t[:, None]
    half, sixth = count // 2, count // 6
    scale = torch.where(torch.rand(half, 1, generator=generator) < 0.5, 0.005, 0.018)
    inside_box = origins[::2] + directions[::2] * (_NEAR + 0.5 * torch.rand(half, 1, generator=generator))
    near = torch.where(hit[::2, None], points[::2], inside_box)
    near = near + torch.randn(near.shape, generator=generator) * scale
    back = 0.2 * torch.rand(sixth, 1, generator=generator)
    on_ray = points[: 6 * sixth : 6] - directions[: 6 * sixth : 6] * back
    anywhere = (torch.rand(sixth, 3, generator=generator) * 2.0 - 1.0) * 0.368
    queries = torch.cat([near, on_ray, anywhere])
    distances = scene.distance(queries.to(scene.device)).cpu()
    inside = points.abs().amax(-1) < HALF_BOX
    return points, directions, colours, hit & inside, queries, distances


@torch.no_grad()
def sample_pixels(
    renderer: PeopleRenderer, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
) -> PixelSamples:
    """Pixels of `size` x `size` pictures, one of each person: a third anywhere, the rest where people look."""
    rows = []
    for i, own in enumerate(parameters):
        scene, one = renderer.scene(own[None]), camera[i]
        looked_at, _ = one.project(_targets(scene, count - count // 3, generator)[None])
        uv = torch.cat([torch.rand(count // 3, 2, generator=generator), looked_at[0]])
        cells = (uv * size).long().clamp(0, size - 1)
        colours, alpha, depth = _cells(renderer, scene, one, cells, size)
        depth = torch.where(alpha == 1.0, depth, torch.zeros_like(depth))
        rows.append((cells[:, 1] * size + cells[:, 0], colours, alpha, depth))
    return PixelSamples(*(torch.stack(columns) for columns in zip(*rows, strict=True)))


@torch.no_grad()
def sample_patches(
    renderer: PeopleRenderer, parameters: Tensor, camera: Camera, count: int, side: int, size: int,
    generator: torch.Generator,
) -> Patches:  # fmt: skip
    """`count` patches of `side` x `side` pixels of each of `size` x `size` pictures, where people look."""
    rows = []
    v, u = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    inside = torch.stack([u, v], -1).reshape(1, -1, 2)
    for i, own in enumerate(parameters):
        scene, one = renderer.scene(own[None]), camera[i]
        places = _targets(scene, 50 * count, generator)
        chosen = torch.randperm(len(places), generator=generator)[:count]
        middles, _ = one.project(places[None, chosen])
        corners = (middles[0] * size - side / 2).round().long().clamp(0, size - side)
        colours, _, _ = _cells(renderer, scene, one, (corners[:, None] + inside).flatten(0, 1), size)
        rows.append((corners, colours.reshape(count, side, side, 3).permute(0, 3, 1, 2)))
    return Patches(*(torch.stack(columns) for columns in zip(*rows, strict=True)))


def _cells(
    renderer: PeopleRenderer, scene: Scene, camera: Camera, cells: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [P,3], coverage [P] and depth [P] of the pixels `cells` [P,2] (x, y), each the mean of four rays."""
    points = ((cells[:, None] + 0.5 + QUARTERS) / size).flatten(0, 1)
    origins, directions = camera.rays_through(points[None])
    hits = renderer.render_rays(scene, origins[0].to(scene.device), directions[0].to(scene.device))
    maps = (hits.colours, (hits.kind >= 0).float(), hits.depth)
    colours, alpha, depth = (one.cpu().unflatten(0, (len(cells), 4)).mean(1) for one in maps)
    return colours, alpha, depth
