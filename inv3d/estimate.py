"""Estimates of how long a job will take, reported before it starts."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import torch

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.inversion.settings import FitSettings, OutputSettings
from inv3d.export.textured import FINER
from inv3d.photos import PhotoJob
from inv3d.pipeline import VideoJob

_VIEW = 2.7
"""The cost of a 64 px view with its gradient in trial renders; measured."""


def video_seconds(job: VideoJob) -> float:
    """Estimated seconds for a clip or photographs, from small renders timed on the spot."""
    bundle = load_bundle(job.model, job.device)
    renders = fit_renders(bundle, job.fit, job.views, job.latents) + output_renders(bundle, job.fit.output, job.views)
    return 5.0 + job.material.seconds_to_track + renders * trial_render(bundle, job.device)


def photo_seconds(job: PhotoJob, photos: int) -> float:
    """Estimated seconds for a number of `photos`, from small renders timed on the spot."""
    bundle = load_bundle(job.model, job.device)
    alone = replace(job.fit.output, held_out=0)
    renders = fit_renders(bundle, job.fit, views=1, latents=False) + output_renders(bundle, alone, views=1)
    return 3.0 + photos * renders * trial_render(bundle, job.device)


def trial_render(bundle: Bundle, device: torch.device) -> float:
    """Seconds of a 64 px render of the mean head, the best of four; infinite if it contains NaN or infinity."""
    generator = bundle.generator
    code = generator.code_space.repeat(generator.mean_w[None])
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        with torch.no_grad():
            image = generator(code, bundle.info.front.to(device), 64, superresolution=False).image
        if not bool(torch.isfinite(image).all()):
            return math.inf
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def fit_renders(bundle: Bundle, settings: FitSettings, views: int, latents: bool) -> float:
    """The cost of a fit in trial renders."""
    search = settings.pose_steps + settings.wplus_steps + (settings.latent_steps if latents else 0)
    largest = bundle.generator.raw_resolution
    if settings.rays_per_view is None:
        return _VIEW * (search + settings.tuning_steps) * views * (largest / 64) ** 2

    window = settings.window or 0 if bundle.generator.window_margin is not None else 0

    def step(size: int | None) -> float:
        return 1.2 + 1.0 * (min(size or 0, largest) / 48) ** 2 + 2.0 * (min(window, largest) / 48) ** 2

    return search * step(settings.whole_resolution) + settings.tuning_steps * step(settings.tuning_size)


def output_renders(bundle: Bundle, output: OutputSettings, views: int) -> float:
    """The cost of everything after the fit in trial renders; the factors are measured."""
    largest = bundle.generator.raw_resolution
    texture = output.texture or FINER * bundle.generator.resolution

    def render(size: int) -> float:
        return 0.3 + 2.25 * (min(size, largest) / 256) ** 2

    orbit = (output.orbit_frames / 2 + 1) * render(output.orbit_resolution or largest)
    measured = (views + output.held_out) * (render(largest) + 1.0)
    frames = 2 * views * render(largest // 2) if output.frames else 0.0
    mesh = 23.0 * (output.mesh_cells / 144) ** 3
    painted = 57.0 * (texture / 1024) ** 2 + (10 + views) * render(texture // FINER)
    return orbit + measured + frames + mesh + painted
