"""Pictures that a generator cannot fully reproduce: drawn heads, or photographs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from torch.nn import functional as F

from inv3d.core.training import dataset
from inv3d.core.training.job import Align, EncoderJob
from inv3d.core.training.source import SOURCES, Source

OUTSIDE = "images"
"""The kind of their shards."""
OUTSIDE_SHARDS = 24
_SHARD = 100  # photographs in a file


def draw_outside(job: EncoderJob, resolution: int, report: Callable[[str], None], shards: int | None = None) -> None:
    """The photographs of a job, or, for the embedded model without any, heads of the source that it was drawn from, in so many
    `shards` (default: `OUTSIDE_SHARDS` at the job's scale)."""
    if job.photos:
        draw_photographs(job.photos, job.align, resolution, job.folder, report)
    elif job.bundle.info.drawn_from is not None:
        draw_heads(SOURCES[job.bundle.info.drawn_from], job.folder, shards or _shards_of(job), report)


def outside_bytes(job: EncoderJob, resolution: int, shards: int | None = None) -> int:
    """Of the pictures that `draw_outside` gives; drawn ones come with their coverage."""
    if job.photos:
        return len(job.photos) * 3 * resolution**2
    heads = (shards or _shards_of(job)) * dataset.IMAGE_HEADS * dataset.VIEWS_PER_HEAD
    return 0 if job.bundle.info.drawn_from is None else heads * 4 * dataset.IMAGE_RESOLUTION**2


def _shards_of(job: EncoderJob) -> int:
    return max(1, math.ceil(OUTSIDE_SHARDS * job.scale))


def draw_heads(source: Source, folder: Path, shards: int, report: Callable[[str], None]) -> None:
    """Heads of a `source` as the pictures that an embedded generator cannot fully reproduce, in `folder`."""
    plan = dataset.DataPlan(points=0, rays=0, images=shards, wide=0, twins=0, patches=0)
    dataset.generate(folder, plan, False, report, source)


def draw_photographs(
    photos: Sequence[Path], align: Align, resolution: int, folder: Path, report: Callable[[str], None]
) -> None:
    """Photographs, aligned and of `resolution` pixels, as the pictures outside of a generator's domain, in `folder`.

    Existing shards are kept.
    """
    for first in range(0, len(photos), _SHARD):
        path = folder / f"{OUTSIDE}-{first // _SHARD:04d}.safetensors"
        if path.exists():
            continue
        views = align(photos[first : first + _SHARD])
        if views is not None:
            images = F.interpolate(views.images, (resolution, resolution), mode="area")
            yaw, pitch = (angle[:, None] for angle in (views.cameras.yaw, views.cameras.pitch))
            dataset.write_shard(
                path, {"image": dataset.to_bytes((images + 1.0) / 2.0)[:, None], "yaw": yaw, "pitch": pitch}
            )
        report(f"{min(first + _SHARD, len(photos))} of {len(photos)} photos aligned")
