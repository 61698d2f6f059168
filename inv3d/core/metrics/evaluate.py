"""Metrics of a head against views: one row per frame, and means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.metrics import image
from inv3d.core.views import Views


@dataclass(frozen=True)
class FrameMetrics:
    """Metrics of one frame; `yaw` in degrees, `time` in seconds, `identity` of a network that no fit optimises."""

    frame: int
    time: float
    yaw: float
    mse: float
    psnr: float
    ms_ssim: float
    perceptual: float
    identity: float


@dataclass(frozen=True)
class Means:
    """Means of these metrics over frames."""

    mse: float
    psnr: float
    ms_ssim: float
    perceptual: float
    identity: float


@torch.no_grad()
def evaluate(views: Views, images: Iterable[Tensor], bundle: Bundle) -> list[FrameMetrics]:
    """Compare every view with the rendered image [1,3,R,R] of its camera, one frame at a time."""
    rows = []
    for i, rendered in enumerate(images):
        target, render = views.images[[i]].to(rendered.device), rendered.clamp(-1.0, 1.0)
        rows.append(
            FrameMetrics(
                frame=views.frames[i],
                time=views.times[i],
                yaw=math.degrees(float(views.cameras[i].yaw)),
                mse=float(image.mse(render, target)),
                psnr=float(image.psnr(render, target)),
                ms_ssim=float(image.ms_ssim(render, target)),
                perceptual=float(bundle.perceptual.distance(render, target)),
                identity=float(bundle.judge.similarity(render, target)),
            )
        )
    return rows


def means(rows: Sequence[FrameMetrics]) -> Means | None:
    """Mean of every metric over frames; None for no frames."""
    if not rows:
        return None
    return Means(*(sum(getattr(row, field.name) for row in rows) / len(rows) for field in fields(Means)))
