"""The main job as plain functions: a clip becomes a head. What the command line and a script both call."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import inv3d
from inv3d.clock import StageClock
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.errors import InputError, UsageError
from inv3d.core.files import disk_errors
from inv3d.core.head import Head
from inv3d.core.helpers import OWN, with_helpers
from inv3d.core.inversion.loop import Progress, silent
from inv3d.core.inversion.outliers import MOST_BELOW, fidelity
from inv3d.core.inversion.poses import correct, interpolate_offsets
from inv3d.core.inversion.settings import FitSettings, preset_for
from inv3d.core.inversion.stages import Problem, fit_latents, fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.library import input_digest
from inv3d.core.views import Views
from inv3d.export.report import Source
from inv3d.export.results import ClipFacts, ClipRun, FrameFacts, finite_figures
from inv3d.memory import memory_errors
from inv3d.output import write_output
from inv3d.video.choose import HeadChoice, in_words
from inv3d.video.decode import ClipInfo, FailedFrame, probe
from inv3d.video.detect import detector
from inv3d.video.select import cut_views, select
from inv3d.video.track import HeadTrack, track
from inv3d.workspace import Workspace


@dataclass(frozen=True)
class VideoJob:
    """One clip to invert. `out` is the output folder; `settings` None takes the device's preset; `perceptual` and
    `identity` name the networks of the losses (see `helpers`); `head` says which of several heads is meant."""

    clip: Path
    out: Path
    views: int = 9
    latents: bool = False
    model: str = "demo"
    perceptual: str = OWN
    identity: str = OWN
    settings: FitSettings | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    force: bool = False
    resume: bool = False
    head: HeadChoice | None = None


@dataclass(frozen=True)
class Prepared:
    """A clip made ready: the head's track, and the chosen frames' aligned pictures."""

    track: HeadTrack
    targets: Views
    between: Views
    held_out: Views


@dataclass(frozen=True)
class Fitted:
    """A fitted head and the views with their refined cameras."""

    head: Head
    prepared: Prepared


def ready_bundle(model: str, perceptual: str, identity: str, device: torch.device) -> Bundle:
    """A model that can find heads, with the networks of its losses. Raises ModelError before anything is written."""
    bundle = with_helpers(load_bundle(model, device), perceptual, identity, device)
    bundle.aligner  # noqa: B018 - raises if there is none
    return bundle


def settings_for(bundle: Bundle, settings: FitSettings) -> FitSettings:
    """The settings without what makes no sense for a model: things have no identity."""
    return dataclasses.replace(settings, identity=0.0) if bundle.info.subject == "things" else settings


def prepare(clip: Path, bundle: Bundle, head_track: HeadTrack, views: int) -> Prepared:
    """Choose frames and cut their aligned pictures at the generator's resolution."""
    selection = select(head_track, views)
    info = bundle.info
    roles = (selection.targets, selection.between, selection.held_out)
    frames = tuple(frame for role in roles for frame in role)
    everything = cut_views(clip, frames, info.generator.resolution, info.camera)
    first, second = len(roles[0]), len(roles[0]) + len(roles[1])
    return Prepared(head_track, everything[:first], everything[first:second], everything[second:])


Tensors = dict[str, torch.Tensor]


def stages(workspace: Workspace | None, device: torch.device) -> Callable[[str, Callable[[], Tensors]], Tensors]:
    """Runs stages by name: what one makes is kept in the workspace, if any, and loaded from there the next time."""

    def stage(name: str, make: Callable[[], Tensors]) -> Tensors:
        made = make() if workspace is None else workspace.tensors(name, make)
        return {key: tensor.to(device) for key, tensor in made.items()}

    return stage


def invert(
    prepared: Prepared,
    bundle: Bundle,
    settings: FitSettings,
    latents: bool,
    seed: int,
    device: torch.device,
    progress: Progress = silent,
    workspace: Workspace | None = None,
) -> Fitted:
    """Multi-view W+, then one code per view if `latents`, then pivotal tuning. Views come from `prepare`."""

    stage = stages(workspace, device)

    def problem_of(targets: Views, between: Views) -> Problem:
        return Problem(bundle, targets.to(device), between.to(device), settings, seed)

    problem = problem_of(prepared.targets, prepared.between)
    wplus = stage("wplus", lambda: dict(zip(("code", "offsets"), fit_wplus(problem, progress), strict=True)))
    prepared = without_outliers(refine_cameras(prepared, wplus["offsets"].cpu()), wplus["code"], bundle)
    problem = problem_of(prepared.targets, prepared.between)
    head_track = LatentTrack(wplus["code"], torch.zeros(1, device=device))
    if latents and len(prepared.targets) > 1:
        codes = stage("latents", lambda: {"codes": fit_latents(problem, wplus["code"], progress).codes})["codes"]
        head_track = LatentTrack(codes, problem.yaws)
    state = stage("tuned", lambda: dict(tune(problem, head_track, progress).state_dict()))
    generator = copy.deepcopy(bundle.generator)
    generator.load_state_dict(state)
    head = Head(generator, head_track, bundle, prepared.track.yaw_range).rounded()
    return Fitted(head, prepared)


def refine_cameras(prepared: Prepared, offsets: torch.Tensor) -> Prepared:
    """Move all cameras by what the targets' refinement found [N,6], keeping the targets in order of yaw."""
    keys = prepared.targets.cameras.yaw

    def moved(views: Views) -> Views:
        if not len(views):
            return views
        at_views = interpolate_offsets(offsets, keys, views.cameras.yaw)
        return dataclasses.replace(views, cameras=correct(views.cameras, at_views))

    targets = moved(prepared.targets)
    order = targets.cameras.yaw.argsort().tolist()
    return dataclasses.replace(
        prepared, targets=targets[order], between=moved(prepared.between), held_out=moved(prepared.held_out)
    )


def without_outliers(prepared: Prepared, code: torch.Tensor, bundle: Bundle) -> Prepared:
    """Leave out targets and frames in between that contradict the one code of all views; the track lists them as failed."""
    targets, between = (fidelity(views, code, bundle) for views in (prepared.targets, prepared.between))
    least = float(targets.median()) - MOST_BELOW
    kept, lost = [], []
    for views, values in ((prepared.targets, targets), (prepared.between, between)):
        kept.append(views[(values >= least).nonzero()[:, 0].tolist()])
        wrong = views[(values < least).nonzero()[:, 0].tolist()]
        lost += [
            FailedFrame(*row, "contradicts the other views") for row in zip(wrong.frames, wrong.times, strict=True)
        ]
    numbers = {frame.index for frame in lost}
    found = prepared.track
    usable = tuple(frame for frame in found.frames if frame.index not in numbers)
    failed = tuple(sorted((*found.failed, *lost), key=lambda frame: frame.index))
    return dataclasses.replace(prepared, track=HeadTrack(usable, failed), targets=kept[0], between=kept[1])


def trial_render(bundle: Bundle, device: torch.device) -> float:
    """Seconds of a 64 px render of the mean head, the best of four; infinite if it shows numbers that are none."""
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


def space_needed(bundle: Bundle, settings: FitSettings) -> int:
    """Bytes that the weights of a head take on the disk: tuned in float32 as a stage, and their changes in float16."""
    return 6 * sum(weight.numel() for weight in bundle.generator.parameters()) if settings.tuning_steps else 0


def estimate_seconds(job: VideoJob, info: ClipInfo) -> float:
    """About how long a job takes, from one small render timed on the spot."""
    bundle = load_bundle(job.model, job.device)
    decoding = 0.03 * (info.frames or 25 * info.duration)
    # measured: everything after the fit costs about 460 such renders
    renders = 460.0 + fit_renders(bundle, job.settings or preset_for(job.device), job.views, job.latents)
    return 5.0 + decoding + renders * trial_render(bundle, job.device)


def fit_renders(bundle: Bundle, settings: FitSettings, views: int, latents: bool) -> float:
    """How many trial renders cost as much as a fit; measured: 2.7 each 64 px view."""
    search = settings.wplus_steps + (settings.latent_steps if latents else 0)
    if settings.rays_per_view is None:
        return 2.7 * (search + settings.tuning_steps) * views * (bundle.info.generator.raw_resolution / 64) ** 2

    def step(size: int | None) -> float:
        return 1.2 + 1.0 * (min(size or 0, bundle.info.generator.raw_resolution) / 48) ** 2

    return search * step(settings.whole_resolution) + settings.tuning_steps * step(settings.tuning_size)


def video_to_head(job: VideoJob, progress: Progress = silent) -> dict[str, Any]:
    """Run a `VideoJob` and write its output folder; returns what `run.json` says.

    Raises Inv3dError for everything a person can mend. A stopped run leaves `<out>.partial`, from which `resume`
    goes on and ends with the same head.
    """
    clock = StageClock()
    settings = job.settings or preset_for(job.device)
    if job.views < 1:
        raise UsageError(f"--views {job.views} makes no sense", "use at least 1")
    info = probe(job.clip)
    with memory_errors(), Workspace(job.out, [job.clip], job.force, job.resume) as workspace:
        with clock("load"):
            bundle = ready_bundle(job.model, job.perceptual, job.identity, job.device)
            settings = settings_for(bundle, settings)
        identity = {
            "sha256": input_digest(job.clip), "views": job.views, "latents": job.latents,
            "model": job.model, "fingerprint": bundle.fingerprint, "perceptual": job.perceptual, "identity": job.identity, "seed": job.seed, "settings": asdict(settings),
            "head": in_words(job.head),
            "device": job.device.type, "version": inv3d.__version__,
        }  # fmt: skip
        workspace.begin(identity, space_needed(bundle, settings))
        with workspace.discarded_on(InputError):
            with clock("track"):
                found = workspace.value("track", HeadTrack, lambda: _tracked(job.clip, bundle, progress, job.head))
            with clock("cut"):
                prepared = prepare(job.clip, bundle, found, job.views)
        with clock("fit"):
            fitted = invert(prepared, bundle, settings, job.latents, job.seed, job.device, progress, workspace)
        prepared = fitted.prepared
        facts: dict[str, Any] = {**identity, "settings": settings}
        with finite_figures("the clip cannot be described"):
            run = ClipRun(
                clip=str(job.clip.resolve()),
                frames=FrameFacts(len(prepared.track.frames), prepared.track.failed),
                clip_info=ClipFacts(**{**vars(info), "path": str(job.clip)}),
                **facts,
            )
        with disk_errors(job.out):
            source = _source(job, settings, prepared.track)
            run = write_output(
                fitted.head, prepared.targets, prepared.held_out, workspace.output, source, run, clock, progress
            )
        workspace.finish()
    return run.model_dump(mode="json")


def _source(job: VideoJob, settings: FitSettings, head_track: HeadTrack) -> Source:
    """What the report says of the clip."""
    low, high = (math.degrees(yaw) for yaw in head_track.yaw_range)
    return Source(
        job.clip.name,
        f"{job.views} views, preset {settings.name}",
        f"The clip covers yaws from {low:.0f}° to {high:.0f}°; the orbit stays within.",
        f"{len(head_track.frames)} usable, {len(head_track.failed)} failed.",
        tuple(f"frame {frame.index} at {frame.time:.2f} s: {frame.reason}" for frame in head_track.failed),
    )


def _tracked(clip: Path, bundle: Bundle, progress: Progress, head: HeadChoice | None) -> HeadTrack:
    def tell(done: int, total: int) -> None:
        progress("track", done, max(done, total), {})

    return track(clip, bundle.aligner, tell, detector(bundle.info), head)
