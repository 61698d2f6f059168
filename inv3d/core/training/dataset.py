"""The training set of the embedded model: shards of procedural heads or people, as points, pixels, patches and pictures.

Shards are safetensors files written whole or not at all, each from its own seed, so that an interrupted
generation continues where it stopped and the same seeds give the same files.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from inv3d.core.camera import FFHQ_FOCAL, dollied, look_at
from inv3d.core.errors import UsageError
from inv3d.core.files import write_whole
from inv3d.core.training.source import Artist, Source, source_of

POINT_HEADS = 128
"""Heads in one shard of points."""
POINTS_PER_HEAD = 4096
RAY_HEADS = 128
"""Heads in one shard of rays, each seen twice."""
RAYS_PER_VIEW = 768
RAY_RESOLUTION = 256
PATCH_HEADS = 128
"""Heads in one shard of patches, each seen once."""
PATCHES_PER_VIEW = 2
PATCH_SIDE = 64
IMAGE_HEADS = 100
"""Heads in one shard of pictures."""
VIEWS_PER_HEAD = 4
IMAGE_RESOLUTION = 128
WIDE_RESOLUTION = 192
WIDE_FACTOR = 2.0
"""Wide pictures, for the aligner, show this many times the generator's own field of view."""
FACE_YAW, MAX_PITCH = math.radians(105), math.radians(28)
"""The generator sees heads all around; pictures for the other networks show faces, up to this yaw."""
BACK_SHARE = 0.12
"""Share of wide pictures that show the back of a head, from 125 degrees on: nothing to align to."""

_POINT_SEED, _RAY_SEED, _IMAGE_SEED, _WIDE_SEED, _TWIN_SEED, _PATCH_SEED = (
    90_000,
    70_000,
    10_000,
    50_000,
    30_000,
    20_000,
)
# Seeds below 10,000 are never used for training; benchmarks and sample clips draw from them.


def write_shard(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a shard so that `path` is either complete or absent."""
    with write_whole(path, replace=True) as part:
        part.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def to_bytes(values: Tensor) -> Tensor:
    """[0,1] to uint8, rounded."""
    return (values * 255.0 + 0.5).clamp(0, 255).to(torch.uint8)


def point_shard(
    source: Source, artist: Artist, index: int, heads: int = POINT_HEADS, points: int = POINTS_PER_HEAD
) -> dict[str, Tensor]:
    """Latents `z`, `expression` and samples of `heads` heads (see `procedural.samples`), packed into small types."""
    generator = torch.Generator().manual_seed(_POINT_SEED + index)
    z = torch.randn(heads, source.identity_dim, generator=generator)
    expression = torch.randn(heads, source.expression_dim, generator=generator)
    parameters = source.parameters(z, expression)
    batches = [artist.points(parameters[i : i + 8], points, generator) for i in range(0, heads, 8)]
    return {
        "z": z,
        "expression": expression,
        "points": torch.cat([b.points for b in batches]).half(),
        "directions": torch.cat([b.directions for b in batches]).mul(127).round().to(torch.int8),
        "colours": to_bytes(torch.cat([b.colours for b in batches])),
        "hit": torch.cat([b.hit for b in batches]),
        "queries": torch.cat([b.queries for b in batches]).half(),
        "distances": torch.cat([b.distances for b in batches]).half(),
    }


def ray_shard(source: Source, artist: Artist, index: int, heads: int = RAY_HEADS) -> dict[str, Tensor]:
    """Pixels of pictures of `heads` heads from all around, two views of each with other expressions.

    `pixels`, `alpha` and `depth` [2H,N], `colours` [2H,N,3], `yaw` and `pitch` [2H], `z` [2H,I], `expression` [2H,E].
    """
    generator = torch.Generator().manual_seed(_RAY_SEED + index)
    z = torch.randn(heads, source.identity_dim, generator=generator).repeat(2, 1)
    expression = torch.randn(2 * heads, source.expression_dim, generator=generator)
    yaw, pitch = _sides(2 * heads, source.all_round, generator)
    parameters, camera = source.parameters(z, expression), look_at(yaw, pitch)
    samples = artist.pixels(parameters, camera, RAYS_PER_VIEW, RAY_RESOLUTION, generator)
    return {
        "z": z,
        "expression": expression,
        "yaw": yaw,
        "pitch": pitch,
        "pixels": samples.pixels.int(),
        "colours": to_bytes(samples.colours),
        "alpha": to_bytes(samples.alpha),
        "depth": samples.depth,
    }


def _sides(count: int, all_round: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Yaws and pitches [N]: from anywhere, or more front than back, and most half profiles, where a face's outline is hardest
    to learn."""
    side = torch.rand(count, generator=generator) * 2.0 - 1.0
    yaw = torch.where(torch.rand(count, generator=generator) < 0.8, side * math.radians(80), side * math.pi)
    half = side.sign() * (0.5 + 0.5 * side.abs()) * math.radians(80)
    yaw = torch.where(torch.rand(count, generator=generator) < 0.4, half, yaw)
    yaw = side * math.pi if all_round else yaw
    return yaw, (torch.rand(count, generator=generator) * 2.0 - 1.0) * MAX_PITCH


def patch_shard(source: Source, artist: Artist, index: int, heads: int = PATCH_HEADS) -> dict[str, Tensor]:
    """Square patches of pictures of `heads` heads, for what no single pixel shows: lashes, strands, sharp edges.

    `corners` [H,N,2], `patches` [H,N,3,S,S] as bytes; `yaw`, `pitch`, `z` and `expression` as those of rays.
    """
    generator = torch.Generator().manual_seed(_PATCH_SEED + index)
    z = torch.randn(heads, source.identity_dim, generator=generator)
    expression = torch.randn(heads, source.expression_dim, generator=generator)
    yaw, pitch = _sides(heads, source.all_round, generator)
    parameters, camera = source.parameters(z, expression), look_at(yaw, pitch)
    patches = artist.patches(parameters, camera, PATCHES_PER_VIEW, PATCH_SIDE, RAY_RESOLUTION, generator)
    return {
        "z": z,
        "expression": expression,
        "yaw": yaw,
        "pitch": pitch,
        "corners": patches.corners.int(),
        "patches": to_bytes(patches.colours),
    }


def _pictures(
    source: Source,
    artist: Artist,
    seed: int,
    heads: int,
    resolution: int,
    focal: float,
    supersample: int,
    backs: float,
    distances: tuple[float, float] = (1.0, 1.0),
) -> dict[str, Tensor]:
    """Pictures of `heads` heads from random sides, with another expression on every picture.

    A share of `backs` shows the back of the head; cameras stand between the two `distances` (see `dollied`).
    `image` [H,V,3,R,R] and `alpha` [H,V,1,R,R] as bytes, `yaw` and `pitch` [H,V], `z` [H,I], `expression` [H,V,E].
    """
    generator = torch.Generator().manual_seed(seed)
    views = VIEWS_PER_HEAD
    z = torch.randn(heads, source.identity_dim, generator=generator)
    expression = torch.randn(heads, views, source.expression_dim, generator=generator)
    yaw = (torch.rand(heads, views, generator=generator) * 2.0 - 1.0) * FACE_YAW
    behind = math.pi + (torch.rand(heads, views, generator=generator) * 2.0 - 1.0) * math.radians(55)
    yaw = torch.where(torch.rand(heads, views, generator=generator) < backs, behind, yaw)
    pitch = (torch.rand(heads, views, generator=generator) * 2.0 - 1.0) * MAX_PITCH
    parameters = source.parameters(z.repeat_interleave(views, 0), expression.flatten(0, 1))
    camera = look_at(yaw.flatten(), pitch.flatten(), focal=focal)
    nearest, furthest = (math.log(distance) for distance in distances)
    if nearest < furthest:
        away = nearest + (furthest - nearest) * torch.rand(heads * views, generator=generator)
        camera = dollied(camera, away.exp())
    image, alpha = artist.pictures(parameters, camera, resolution, supersample, generator)
    shape = (heads, views, -1, resolution, resolution)
    return {
        "z": z,
        "expression": expression,
        "yaw": yaw,
        "pitch": pitch,
        "image": to_bytes((image + 1.0) / 2.0).reshape(shape),
        "alpha": to_bytes(alpha).reshape(shape),
    }


def image_shard(source: Source, artist: Artist, index: int, heads: int = IMAGE_HEADS) -> dict[str, Tensor]:
    """Pictures as the generator sees heads."""
    return _pictures(source, artist, _IMAGE_SEED + index, heads, IMAGE_RESOLUTION, FFHQ_FOCAL, supersample=2, backs=0.0)


def wide_shard(source: Source, artist: Artist, index: int, heads: int = IMAGE_HEADS) -> dict[str, Tensor]:
    """Pictures with shoulders and space around the head."""
    return _pictures(
        source, artist, _WIDE_SEED + index, heads, WIDE_RESOLUTION, FFHQ_FOCAL / WIDE_FACTOR, 1, BACK_SHARE,
        source.distances,
    )  # fmt: skip


def twin_shard(source: Source, artist: Artist, index: int, heads: int = IMAGE_HEADS) -> dict[str, Tensor]:
    """Pairs of pictures: a head, and another face under its hair and colours; `image` [H,2,3,R,R] as bytes."""
    generator = torch.Generator().manual_seed(_TWIN_SEED + index)
    z = torch.randn(2, heads, source.identity_dim, generator=generator)
    expression = torch.randn(heads, source.expression_dim, generator=generator)
    yaw = (torch.rand(heads, generator=generator) * 2.0 - 1.0) * math.radians(60)
    pitch = (torch.rand(heads, generator=generator) * 2.0 - 1.0) * MAX_PITCH
    own, other = (source.parameters(one, expression) for one in z)
    camera = look_at(yaw, pitch)
    rooms = _TWIN_SEED + index  # both have the same background
    pair = [
        artist.pictures(p, camera, IMAGE_RESOLUTION, 2, torch.Generator().manual_seed(rooms))[0]
        for p in (own, source.lookalikes(own, other))
    ]
    return {"image": to_bytes((torch.stack(pair, 1) + 1.0) / 2.0)}


@dataclass(frozen=True)
class DataPlan:
    """How many shards of each kind a training set has."""

    points: int = 130
    rays: int = 110
    images: int = 12
    wide: int = 19
    twins: int = 8
    patches: int = 40

    def scaled(self, factor: float) -> DataPlan:
        return DataPlan(*(max(min(1, count), math.ceil(factor * count)) for count in astuple(self)))


@dataclass(frozen=True)
class Shard:
    """A file of a training set: its number among those of its `kind` says what is drawn."""

    path: Path
    kind: str
    index: int


MAKERS = {
    "points": point_shard, "rays": ray_shard, "images": image_shard, "wide": wide_shard, "twins": twin_shard,
    "patches": patch_shard,
}  # fmt: skip
Drawing = Callable[[Callable[[Shard], float], Sequence[Shard]], Iterable[tuple[Shard, float]]]
"""Calls a function, which draws a shard and gives the seconds that this took, for every shard, in whatever order and place."""


def in_turn(draw: Callable[[Shard], float], missing: Sequence[Shard]) -> Iterator[tuple[Shard, float]]:
    """Draw shards one after the other in this process."""
    return ((shard, draw(shard)) for shard in missing)


def generate(
    folder: Path,
    plan: DataPlan,
    compiled: bool,
    report: Callable[[str], None],
    source: Source,
    drawing: Drawing = in_turn,
) -> None:
    """Write the shards that `folder` lacks, so many of each kind; `report` gets one line per shard. Where and in which order they
    are drawn changes nothing in them.

    Raises UsageError if `folder` has shards of another source.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    found = source_of(folder, source)
    if found.name != source.name:
        raise UsageError(f"{folder} already has data of {found.name}", "choose another folder for another source")
    # in the order in which training needs them, so that it can start in parallel
    delays = {"points": 0.0, "wide": 0.2, "images": 0.9, "twins": 0.9, "rays": 1.4, "patches": 2.2}
    jobs = [(delays[kind] + i / getattr(plan, kind), kind, i) for kind in MAKERS for i in range(getattr(plan, kind))]
    every = (Shard(folder / f"{kind}-{index:04d}.safetensors", kind, index) for _, kind, index in sorted(jobs))
    missing = [shard for shard in every if not shard.path.exists()]
    if not missing:
        return  # nothing is drawn, so that what draws need not be installed
    try:
        for shard, seconds in drawing(functools.partial(_draw, source, compiled), missing):
            report(f"{shard.path.name} {seconds:.1f} s")
    finally:
        _artist.cache_clear()


def _draw(source: Source, compiled: bool, shard: Shard) -> float:
    """Draw and write a shard; returns the seconds that this took."""
    artist, start = _artist(source, compiled), time.perf_counter()
    write_shard(shard.path, MAKERS[shard.kind](source, artist, shard.index))
    return time.perf_counter() - start


@functools.lru_cache(maxsize=1)
def _artist(source: Source, compiled: bool) -> Artist:
    """What draws the heads of a source in this process."""
    return source.artist(compiled)


def shards(folder: Path, kind: str) -> list[Path]:
    """Finished shards of a `kind` ("points", "rays", "patches", "images", "wide" or "twins"), in order."""
    return sorted(folder.glob(f"{kind}-*.safetensors"))


def load_images(folder: Path, kind: str = "images") -> dict[str, Tensor]:
    """All pictures of a `kind` in `folder`, concatenated over heads. Raises FileNotFoundError if there are none."""
    loaded = [load_file(path) for path in shards(folder, kind)]
    if not loaded:
        raise FileNotFoundError(f"no {kind} shards in {folder}")
    return {name: torch.cat([shard[name] for shard in loaded]) for name in loaded[0]}
