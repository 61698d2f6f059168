"""Estimates of how long a job will take, reported before it starts.

On a CPU the unit is a trial render, which is timed on the spot. What the parts of a run cost in this unit is read off the stages
of the main command with the presets `fast` and `draft`, in seconds of processors (`benchmarks/command.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.encoders.kinds import E3DGE
from inv3d.core.inversion.settings import FitSettings, OutputSettings
from inv3d.core.inversion.stages import Problem, fit_latents, fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views
from inv3d.export.textured import FINER
from inv3d.photos import PhotoJob
from inv3d.pipeline import VideoJob, settings_for_several

_TRIAL = 3  # steps of a stage
_VIEW = 2.7
"""The cost of a 64 px view with its gradient in trial renders; measured."""
_BEGINNING = 2.0
"""Seconds until the first frame is looked at."""
_READY = 3.0
"""Seconds until the first photo is read: its networks are loaded. An idle processor takes half of one, a busy machine four."""
_FOUND = 28.0
"""What comes between tracking and the output beside the steps of the fit, in trial renders: pictures are cut, their mattes
decided, views that contradict looked for, first renders shown."""
_DETAILED = 2.4
"""A render with the local detail of a picture, and a look at its surface, in those without; measured."""
_SEARCHED, _APART, _TOGETHER = 0.36, 0.68, 0.42
"""A step on one code, one on several, and one that tunes the generator with one code, in steps that tune it with several."""


def video_seconds(job: VideoJob, clock: Callable[[], float] = time.perf_counter) -> float:
    """Estimated seconds for a clip or photographs, from small renders timed on the spot by a `clock`."""
    bundle = load_bundle(job.model, job.device)
    render = trial_render(bundle, job.device, clock)
    fit = fit_seconds(bundle, settings_for_several(bundle, job.fit), job.views, job.latents, render)
    rest = _FOUND + output_renders(bundle, job.fit.output, job.views)
    return _BEGINNING + job.material.seconds_to_track(job.fit.frame_rate) + fit + rest * render


def photo_seconds(job: PhotoJob, photos: int) -> float:
    """Estimated seconds for a number of `photos`, from small renders timed on the spot."""
    bundle = load_bundle(job.model, job.device)
    alone = replace(job.fit.output, held_out=0)
    render = trial_render(bundle, job.device)
    fit = fit_seconds(bundle, job.fit, 1, False, render)
    rest = output_renders(bundle, alone, views=1, detailed=job.encoder == E3DGE)
    return _READY + photos * (fit + rest * render)


def trial_render(bundle: Bundle, device: torch.device, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a 64 px render of the mean head, the best of four; infinite if it contains NaN or infinity."""
    generator = bundle.generator
    code = generator.code_space.repeat(generator.mean_w[None])
    seconds = []
    for _ in range(4):
        start = clock()
        with torch.no_grad():
            image = generator(code, bundle.info.front.to(device), 64, superresolution=False).image
        if not bool(torch.isfinite(image).all()):
            return math.inf
        seconds.append(clock() - start)
    return min(seconds)


def fit_seconds(bundle: Bundle, settings: FitSettings, views: int, latents: bool, render: float) -> float:
    """Seconds of a fit. A CPU's follow from those of a trial `render`; a GPU, whose small renders say little, makes a few
    steps of every stage."""
    if bundle.generator.device.type == "cpu" or not math.isfinite(render):
        return fit_renders(bundle, settings, views, latents) * render
    return trial_fit(bundle, settings, views, latents)


def trial_fit(bundle: Bundle, settings: FitSettings, views: int, latents: bool) -> float:
    """Seconds of a fit, from some steps of every stage on flat pictures of so many `views`."""
    generator, device = bundle.generator, bundle.generator.device
    few = settings.with_steps(0, _TRIAL, _TRIAL)
    yaw = torch.linspace(-1.0, 1.0, 2 * views - 1) if views > 1 else torch.zeros(1)
    images = torch.zeros(len(yaw), 3, generator.resolution, generator.resolution)
    numbers = tuple(range(len(yaw)))
    every = Views(images, bundle.info.camera(yaw, 0.0 * yaw), numbers, tuple(map(float, numbers))).to(device)
    task = Problem(bundle, every[::2], every[1::2], replace(few, latent_steps=_TRIAL), 0)
    ends: list[float] = []

    def note(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        sum(losses.values())  # waits for the device
        ends.append(time.perf_counter())

    track = LatentTrack(generator.code_space.repeat(bundle.mean_code[None]).repeat(views, 1, 1), task.yaws)
    if not latents:
        track = LatentTrack(track.codes[:1], task.yaws[:1])
    search = settings.pose_steps + settings.wplus_steps
    stages: list[tuple[int, Callable[[], object]]] = [
        (search, lambda: fit_wplus(task, note)),
        (settings.latent_steps if latents and views > 1 else 0, lambda: fit_latents(task, track.codes[:1], note)),
        (settings.tuning_steps, lambda: tune(task, track, note)),
    ]
    seconds = 0.0
    for steps, run in stages:
        if steps:
            ends.clear()
            run()
            seconds += steps * (ends[-1] - ends[0]) / (len(ends) - 1)  # the first step prepares kernels
    return seconds


def fit_renders(bundle: Bundle, settings: FitSettings, views: int, latents: bool) -> float:
    """The cost of a fit in trial renders."""
    search, apart = settings.pose_steps + settings.wplus_steps, settings.latent_steps if latents else 0
    largest = bundle.generator.raw_resolution
    if settings.rays_per_view is None:
        return _VIEW * (search + apart + settings.tuning_steps) * views * (largest / 64) ** 2

    window = settings.window or 0 if bundle.generator.window_margin is not None else 0

    def step(size: int | None) -> float:
        return 1.03 + 1.24 * (min(size or 0, largest) / 48) ** 2 + 2.16 * (min(window, largest) / 48) ** 2

    steps = _SEARCHED * search + _APART * apart
    tuning = settings.tuning_steps if apart or views == 1 else _TOGETHER * settings.tuning_steps
    return steps * step(settings.whole_resolution) + tuning * step(settings.tuning_size)


def output_renders(bundle: Bundle, output: OutputSettings, views: int, detailed: bool = False) -> float:
    """The cost of everything after the fit in trial renders, of a head with local detail if `detailed`; the factors are
    measured."""
    field = _DETAILED if detailed else 1.0
    largest = bundle.generator.raw_resolution
    texture = output.texture or FINER * bundle.generator.resolution

    def render(size: int) -> float:
        return field * (0.3 + 2.25 * (min(size, largest) / 256) ** 2)

    turning = largest // 2 if output.frames and bundle.generator.resolution == largest else largest
    orbit = (output.orbit_frames / 2 + 1) * render(output.orbit_resolution or turning) + 0.27 * output.orbit_frames
    shown = 1.66 * render(largest) if output.thorough else 2.7 * render(turning)
    measured = (views + output.held_out) * (shown if output.frames else render(largest) + 1.0)
    frames = 2.9 * views * render(largest // 2) if output.frames else 0.0
    mesh = 10.0 + (8.0 + 12.0 * field) * (output.mesh_cells / 144) ** 3
    painted = 24.0 * (texture / 1024) ** 2 + (10 + views) * render(min(texture // FINER, turning))
    return orbit + measured + frames + mesh + painted
