"""The main job, a clip or photographs to a head, as plain functions that the command line and scripts call."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import inv3d
from inv3d.clock import StageClock
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.errors import InputError, UsageError
from inv3d.core.files import disk_errors
from inv3d.core.helpers import OWN, with_helpers
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.loop import Progress, silent
from inv3d.core.inversion.settings import FitSettings, preset_for
from inv3d.export.report import Source
from inv3d.export.results import ClipFacts, ClipRun, FrameFacts, PhotographsRun, finite_figures
from inv3d.memory import memory_errors
from inv3d.output import write_output
from inv3d.video.choose import HeadChoice, in_words
from inv3d.video.decode import FailedFrame
from inv3d.video.material import Material, Recording
from inv3d.video.select import cut_views
from inv3d.video.track import HeadTrack
from inv3d.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class VideoJob:
    """One clip, or photographs of one person, to invert. `out` is the output folder; `settings` None takes the device's preset; `perceptual` and
    `identity` name the networks of the losses (see `helpers`); `head` says which of several heads is meant."""

    material: Material
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

    @property
    def fit(self) -> FitSettings:
        """Its settings, or the device's preset."""
        return self.settings or preset_for(self.device)


def ready_bundle(model: str, perceptual: str, identity: str, device: torch.device) -> Bundle:
    """A prepared model with the networks of the losses. Raises ModelError before anything is written."""
    bundle = with_helpers(load_bundle(model, device), perceptual, identity, device)
    bundle.aligner  # noqa: B018 - raises if there is none
    return bundle


def settings_for(bundle: Bundle, settings: FitSettings) -> FitSettings:
    """The settings without terms that do not apply to a model: objects without a face have no identity."""
    return dataclasses.replace(settings, identity=0.0) if bundle.info.subject == "things" else settings


def cut_footage(material: Material, bundle: Bundle, found: HeadTrack, views: int) -> Footage:
    """Choose frames and cut their aligned pictures at the generator's resolution."""
    selection = material.select(found, views)
    info = bundle.info
    roles = (selection.targets, selection.between, selection.held_out)
    chosen = tuple(frame for role in roles for frame in role)
    frames = material.frames({frame.index for frame in chosen}.__contains__)
    everything = cut_views(frames, chosen, info.generator.resolution, info.camera)
    first, second = len(roles[0]), len(roles[0]) + len(roles[1])
    return Footage(everything[:first], everything[first:second], everything[second:])


def without_frames(found: HeadTrack, lost: Iterable[tuple[int, float]]) -> HeadTrack:
    """The track, with the frames (index, seconds) that contradict the others marked as failed."""
    failed = [FailedFrame(index, seconds, "contradicts the other views") for index, seconds in lost]
    numbers = {frame.index for frame in failed}
    usable = tuple(frame for frame in found.frames if frame.index not in numbers)
    return HeadTrack(usable, tuple(sorted((*found.failed, *failed), key=lambda frame: frame.index)))


def space_needed(bundle: Bundle, settings: FitSettings) -> int:
    """Bytes that the weights of a head take on the disk: tuned in float32 as a stage, and their changes in float16."""
    return 6 * sum(weight.numel() for weight in bundle.generator.parameters()) if settings.tuning_steps else 0


def video_to_head(job: VideoJob, progress: Progress = silent) -> dict[str, Any]:
    """Run a `VideoJob` and write its output folder; returns what `run.json` says.

    Raises Inv3dError for everything that the user can fix. A stopped run leaves `<out>.partial`, from which `resume`
    continues and ends with the same head.
    """
    clock = StageClock()
    if job.views < 1:
        raise UsageError(f"--views {job.views} is not a positive number", "use at least 1")
    material = job.material
    with memory_errors(), Workspace(job.out, material.files, job.force, job.resume) as workspace:
        with clock("load"):
            bundle = ready_bundle(job.model, job.perceptual, job.identity, job.device)
            settings = settings_for(bundle, job.fit)
        identity = {
            "sha256": material.digest, "views": job.views, "latents": job.latents,
            "model": job.model, "fingerprint": bundle.fingerprint, "perceptual": job.perceptual, "identity": job.identity, "seed": job.seed, "settings": asdict(settings),
            "head": in_words(job.head),
            "device": job.device.type, "version": inv3d.__version__,
        }  # fmt: skip
        workspace.begin(identity, space_needed(bundle, settings))
        with workspace.discarded_on(InputError):
            with clock("track"):
                found = workspace.value("track", HeadTrack, lambda: _tracked(job, bundle, progress))
            with clock("cut"):
                footage = cut_footage(material, bundle, found, job.views)
        with clock("fit"):
            inverted = invert(
                footage, bundle, settings,
                latents=job.latents, seed=job.seed, keep=workspace.tensors, progress=progress,
            )  # fmt: skip
        found, footage = without_frames(found, inverted.left_out), inverted.footage
        head = dataclasses.replace(inverted.head, yaw_range=found.yaw_range)
        with finite_figures("the input cannot be described"):
            run = _run(material, found, {**identity, "settings": settings})
        with disk_errors(job.out):
            source = _source(job, settings, found)
            run = write_output(head, footage.targets, footage.held_out, workspace.output, source, run, clock, progress)
        workspace.finish()
    return run.model_dump(mode="json")


def _run(material: Material, found: HeadTrack, facts: dict[str, Any]) -> ClipRun | PhotographsRun:
    """The record of a run, with everything that is known before its output is written."""
    frames = FrameFacts(len(found.frames), found.failed)
    if isinstance(material, Recording):
        clip_info = ClipFacts(**{**vars(material.info), "path": str(material.path)})
        return ClipRun(clip=str(material.path.resolve()), clip_info=clip_info, frames=frames, **facts)
    return PhotographsRun(photos=tuple(str(path.resolve()) for path in material.files), frames=frames, **facts)


def _source(job: VideoJob, settings: FitSettings, found: HeadTrack) -> Source:
    """The report's description of the input."""
    low, high = (math.degrees(yaw) for yaw in found.yaw_range)
    return Source(
        job.material.title,
        f"{job.views} views, preset {settings.name}",
        f"The input covers yaws from {low:.0f}° to {high:.0f}°; the orbit stays within this range.",
        f"{len(found.frames)} usable, {len(found.failed)} failed.",
        tuple(f"{job.material.place(frame.index, frame.time)}: {frame.reason}" for frame in found.failed),
    )


def _tracked(job: VideoJob, bundle: Bundle, progress: Progress) -> HeadTrack:
    def counted(done: int, total: int) -> None:
        progress("track", done, max(done, total), {})

    return job.material.track(bundle, job.head, counted)
