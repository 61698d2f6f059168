"""Metrics of a head against views: one row per frame, and means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.metrics import image
from inv3d.core.metrics.judges import FaceDistance, Judges
from inv3d.core.views import Views


@dataclass(frozen=True)
class FrameMetrics:
    """Metrics of one frame; `yaw` in degrees, `time` in seconds, `identity` of a network that no fit optimises.

    Metrics that no judge can tell are None: `identity` outside the world of that network, `lpips` (AlexNet) and
    `face_distance` (dlib) where they are not installed or not asked for, the latter also where no face is found.
    `face_lost` says that a face is found in the frame, but none in the render.
    """

    frame: int
    time: float
    yaw: float
    mse: float
    psnr: float
    ms_ssim: float
    perceptual: float
    identity: float | None
    lpips: float | None = None
    face_distance: float | None = None
    face_lost: bool = False


@dataclass(frozen=True)
class Means:
    """Means of these metrics over the frames that have them, and the number of frames whose face is lost."""

    mse: float
    psnr: float
    ms_ssim: float
    perceptual: float
    identity: float | None
    lpips: float | None = None
    face_distance: float | None = None
    face_lost: int = 0


def evaluate(views: Views, images: Iterable[Tensor], bundle: Bundle, judges: Judges = Judges()) -> list[FrameMetrics]:  # noqa: B008 - immutable
    """Compare every view with the rendered image [1,3,R,R] of its camera, one frame at a time; what was not filmed does not
    count."""
    return evaluate_each(views, [images], bundle, judges)[0]


@torch.no_grad()
def evaluate_each(
    views: Views, renders: Sequence[Iterable[Tensor]], bundle: Bundle, judges: Judges
) -> list[list[FrameMetrics]]:
    """The same for several ways of rendering the views; judges look at each view once for all of them."""
    rows: list[list[FrameMetrics]] = [[] for _ in renders]
    perceptual, lpips = bundle.perceptual, judges.lpips
    for i, ways in enumerate(zip(*renders, strict=True)):
        target = views.images[[i]].to(ways[0].device)
        face = None if judges.faces is None else judges.faces.describe(target)
        seen = perceptual.features(target)
        seen_by_lpips = seen if lpips is None or lpips is perceptual else lpips.features(target)
        for found, rendered in zip(rows, ways, strict=True):
            render = views.compared(i, rendered.clamp(-1.0, 1.0))
            near = perceptual.between(perceptual.features(render), seen)
            by_lpips = near if lpips is None or lpips is perceptual else lpips.between(lpips.features(render), seen_by_lpips)
            faces = FaceDistance(None) if judges.faces is None else judges.faces.compare(face, render)
            found.append(
                FrameMetrics(
                    frame=views.frames[i],
                    time=views.times[i],
                    yaw=math.degrees(float(views.cameras[i].yaw)),
                    mse=float(image.mse(render, target)),
                    psnr=float(image.psnr(render, target)),
                    ms_ssim=float(image.ms_ssim(render, target)),
                    perceptual=float(near),
                    identity=float(bundle.judge.similarity(render, target)) if judges.own else None,
                    lpips=None if lpips is None else float(by_lpips),
                    face_distance=faces.distance,
                    face_lost=faces.lost,
                )
            )
    return rows


def means(rows: Sequence[FrameMetrics]) -> Means | None:
    """Mean of every metric over the frames that have it; None for no frames."""
    if not rows:
        return None
    values = {field.name: _mean([getattr(row, field.name) for row in rows]) for field in fields(Means)}
    return Means(**{**values, "face_lost": sum(row.face_lost for row in rows)})  # type: ignore[arg-type]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
