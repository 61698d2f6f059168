"""The main job, a clip or photographs to a head, as plain functions that the command line and scripts call."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import inv3d
from inv3d.clock import StageClock
from inv3d.core.bending import bent
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.crops import joined
from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import common_start
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.store import has_encoder
from inv3d.core.errors import InputError, UsageError
from inv3d.core.files import disk_errors
from inv3d.core.helpers import AUTO, OWN, best_perceptual, with_helpers
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.loop import Progress, silent, staged
from inv3d.core.inversion.settings import FitSettings, preset_for
from inv3d.core.plurals import number_of
from inv3d.core.repeatable import kind_of
from inv3d.core.views import Views
from inv3d.export.background import KEEP, Background
from inv3d.export.preview import Preview
from inv3d.export.report import Source
from inv3d.export.results import ClipFacts, ClipRun, FrameFacts, PhotographsRun, finite_figures
from inv3d.memory import memory_errors
from inv3d.output import write_output
from inv3d.video.advice import Advice, advise
from inv3d.video.choose import HeadChoice, in_words
from inv3d.video.decode import FailedFrame, Frame
from inv3d.video.material import Material, Recording
from inv3d.video.select import Selection, cut_views
from inv3d.video.track import HeadTrack
from inv3d.workspace import Workspace

PREVIEW = "preview.png"
_PREVIEW_SIZE = 128
_MOST_LOST = 5
"""Photos that cannot be used and are named at once; the report lists all."""


@dataclass(frozen=True, kw_only=True)
class VideoJob:
    """One clip, or photographs of one person, to invert. `out` is the output folder; `settings` None takes the device's
    preset; `perceptual` and `identity` name the networks of the losses (see `helpers`); `head` says which of several
    heads is meant, `background` what the orbit shows behind it, `matte` what cuts it out (see `cutout`), and `turn` how far
    the head turns to its further side (degrees), where that is known better than it can be read."""

    material: Material
    out: Path
    views: int = 9
    latents: bool = False
    model: str = "demo"
    perceptual: str = AUTO
    identity: str = OWN
    settings: FitSettings | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    force: bool = False
    resume: bool = False
    head: HeadChoice | None = None
    background: Background = KEEP
    turn: float | None = None
    matte: str = AUTO

    @property
    def fit(self) -> FitSettings:
        """Its settings, or the device's preset."""
        return self.settings or preset_for(self.device)


def ready_bundle(model: str, perceptual: str, identity: str, device: torch.device) -> Bundle:
    """A prepared model with the networks of the losses. Raises ModelError before anything is written."""
    bundle = with_helpers(load_bundle(model, device), perceptual, identity, device)
    bundle.aligner  # noqa: B018 - raises if there is none
    return bundle


@dataclass(frozen=True)
class Suited:
    """A `bundle` with the networks that suit some pictures, the name of the `perceptual` one, and how far the pictures lie
    outside of what the model's own networks have seen (see `World`)."""

    bundle: Bundle
    perceptual: str
    strangeness: float


def suited(bundle: Bundle, perceptual: str, targets: Views) -> Suited:
    """Choose the perceptual network for `targets`, if that is left to us, and tell how strange they are to the model."""
    strangeness = bundle.strangeness(targets.images)
    if perceptual != AUTO:
        return Suited(bundle, perceptual, strangeness)
    chosen = best_perceptual()
    return Suited(with_helpers(bundle, chosen, OWN, bundle.generator.device), chosen, strangeness)


def choice_of_perceptual(perceptual: str) -> str:
    """What identifies the choice of a network in a job: with `AUTO` a run is another one once weights arrive or vanish."""
    return f"{AUTO}, {best_perceptual()}" if perceptual == AUTO else perceptual


def settings_for(bundle: Bundle, settings: FitSettings) -> FitSettings:
    """The settings without terms that do not apply to a model: objects without a face have no identity and may differ from
    their mirror images."""
    return dataclasses.replace(settings, identity=0.0, symmetry=0.0) if bundle.shows_things else settings


def settings_for_several(bundle: Bundle, settings: FitSettings) -> FitSettings:
    """The same for several views of a head, with the steps that they take from where they start."""
    settings = settings_for(bundle, settings)
    if settings.encoded is None or not has_encoder(bundle.name, PREIM3D):
        return dataclasses.replace(settings, encoded=None)
    return dataclasses.replace(settings.scaled(settings.encoded), encoded=1.0)


def cut_footage(
    material: Material,
    bundle: Bundle,
    selection: Selection,
    watched: Callable[[Iterator[Frame]], Iterator[Frame]] = lambda frames: frames,
    finer: bool = True,
) -> Footage:
    """Cut the aligned pictures of chosen frames at the generator's resolution, and those of the fit `finer` too, where frames
    are; all frames pass through `watched`."""
    info = bundle.info
    chosen = selection.frames
    frames = material.frames({frame.index for frame in chosen}.__contains__)
    everything = cut_views(watched(frames), chosen, info.generator.resolution, info.camera, finer)
    first, second = len(selection.targets), len(chosen) - len(selection.held_out)
    held_out = dataclasses.replace(everything[second:], fine=None)  # they are measured in the model's own size
    places = functools.reduce(joined, (frame.crops() for frame in chosen)) if isinstance(material, Recording) else None
    return Footage(everything[:first], everything[first:second], held_out, places)


def without_frames(found: HeadTrack, lost: Iterable[tuple[int, float]]) -> HeadTrack:
    """The track, with the frames (index, seconds) that contradict the others marked as failed."""
    failed = [FailedFrame(index, seconds, "contradicts the other views") for index, seconds in lost]
    numbers = {frame.index for frame in failed}
    usable = tuple(frame for frame in found.frames if frame.index not in numbers)
    return HeadTrack(usable, tuple(sorted((*found.failed, *failed), key=lambda frame: frame.index)))


def space_needed(bundle: Bundle, settings: FitSettings) -> int:
    """Bytes that the weights of a head take on the disk: tuned in float32 as a stage, and their changes in float16."""
    return 6 * sum(weight.numel() for weight in bundle.generator.parameters()) if settings.tuning_steps else 0


def say_nothing(line: str) -> None:
    """Takes lines for the user, and drops them."""


def video_to_head(
    job: VideoJob, progress: Progress = silent, tell: Callable[[str], None] = say_nothing
) -> dict[str, Any]:
    """Run a `VideoJob` and write its output folder; returns what `run.json` says. `tell` gets lines for the user: what was
    found before the fit starts, and what is wrong with it.

    Raises Inv3dError for everything that the user can fix. A stopped run leaves `<out>.partial`, from which `resume`
    continues and ends with the same head.
    """
    clock = StageClock()
    if job.views < 1:
        raise UsageError(f"--views {job.views} is not a positive number", "use at least 1")
    material = job.material
    with memory_errors("--device", "--views", "--preset"), Workspace(job.out, material.files, job.force, job.resume) as workspace:
        with clock("load"):
            bundle = ready_bundle(job.model, job.perceptual, job.identity, job.device)
            cut_out = cut_out_named(job.matte, bundle)
            settings = settings_for_several(bundle, job.fit)
        identity = {
            "sha256": material.digest, "views": job.views, "latents": job.latents, "turn": job.turn, "matte": job.matte,
            "model": job.model, "fingerprint": bundle.fingerprint, "perceptual": choice_of_perceptual(job.perceptual),
            "identity": job.identity, "seed": job.seed, "settings": asdict(settings), "head": in_words(job.head),
            "device": kind_of(job.device), "version": inv3d.__version__,
        }  # fmt: skip
        workspace.begin(identity, space_needed(bundle, settings))
        with workspace.discarded_on(InputError, UsageError):
            with clock("track"):
                found = workspace.value("track", HeadTrack, lambda: _tracked(job, bundle, progress))
                found = found if job.turn is None else found.turning(math.radians(job.turn))
            with clock("cut"):
                selection = material.select(found, job.views, settings.output.held_out)
                turn_known = job.turn is not None or isinstance(material, Recording)  # whose turn is measured
                advice = advise(found, selection.targets, turn_known)
                preview = Preview(selection.targets, material.place, *_found(material, found, advice))
                footage = cut_footage(material, bundle, selection, preview.watched, settings.output.fine)
        shown, crops = workspace.output / PREVIEW, _by_frame(footage.targets)
        with disk_errors(job.out):
            preview.write(shown, crops)
        for line in (preview.title, *preview.notes, f"look at {shown}"):
            tell(line)

        def look(targets: Views, code: Tensor) -> None:
            renders = _first_renders(bundle, targets, code, preview)
            with disk_errors(job.out):
                later = {} if targets.mattes is None else {"the heads without the room": _by_frame(targets)}
                preview.write(shown, crops, {**later, "the shape so far, without the frames' colours": renders})
            tell(f"first render in {shown}")

        seen = suited(bundle, job.perceptual, footage.targets)
        footage = footage.without_room(cut_out)
        with clock("fit"):
            inverted = invert(
                footage, seen.bundle, settings,
                start=common_start(footage.targets, bundle) if settings.encoded else None,
                latents=job.latents, seed=job.seed, keep=workspace.tensors, look=look,
                progress=progress,
            )  # fmt: skip
        found, footage = without_frames(found, inverted.left_out), inverted.footage
        head = dataclasses.replace(inverted.head, yaw_range=found.yaw_range)
        if settings.output.frames:
            with clock("frames"):
                if not isinstance(material, Recording):  # frames of a clip tell shape and cameras better than their faces do
                    head, footage = bent(head, footage)
                head = head.showing(footage.fitted)
        with finite_figures("the input cannot be described"):
            run = _run(material, found, {**identity, "perceptual": seen.perceptual, "settings": settings})
        with disk_errors(job.out):
            source = _source(job, settings, found, advice, head.shown_range)
            run = write_output(
                head, footage, workspace.output, source, run, clock, progress, strangeness=seen.strangeness,
                background=job.background,
            )  # fmt: skip
        workspace.finish()
    return run.model_dump(mode="json")


def _run(material: Material, found: HeadTrack, facts: dict[str, Any]) -> ClipRun | PhotographsRun:
    """The record of a run, with everything that is known before its output is written."""
    frames = FrameFacts(len(found.frames), found.failed)
    if isinstance(material, Recording):
        clip_info = ClipFacts(**{**vars(material.info), "path": str(material.path)})
        return ClipRun(clip=str(material.path.resolve()), clip_info=clip_info, frames=frames, **facts)
    return PhotographsRun(photos=tuple(str(path.resolve()) for path in material.files), frames=frames, **facts)


def _found(material: Material, found: HeadTrack, advice: Sequence[Advice]) -> tuple[str, tuple[str, ...]]:
    """A line on what was found, and a line for each photo that cannot be used and for each warning."""
    low, high = (math.degrees(yaw) for yaw in found.yaw_range)
    every = len(found.frames) + len(found.failed)
    title = (
        f"{material.title}: a head in {len(found.frames)} of {every} {material.unit}, "
        f"turned from {low:z.0f} to {high:z.0f} degrees"
    )
    lost = found.failed if material.unit == "photos" else ()
    lines = (f"left out: {material.place(frame.index, frame.time)}: {frame.reason}" for frame in lost[:_MOST_LOST])
    return title, (*lines, *(f"warning: {each}" for each in advice))


def _by_frame(views: Views) -> dict[int, Tensor]:
    return dict(zip(views.frames, views.images, strict=True))


@torch.no_grad()
def _first_renders(bundle: Bundle, targets: Views, code: Tensor, preview: Preview) -> dict[int, Tensor]:
    """Small renders [3,R,R] of one code, for those of the targets that the preview shows."""
    generator = bundle.generator
    scene, size = generator.scene(code), min(_PREVIEW_SIZE, generator.raw_resolution)
    cameras = targets.cameras.to(code.device)
    return {
        frame: generator.render(scene, cameras[i], size, superresolution=False, sparse=True).image[0].cpu()
        for i, frame in enumerate(targets.frames)
        if frame in preview.chosen
    }


def _source(
    job: VideoJob, settings: FitSettings, found: HeadTrack, advice: Sequence[Advice], shown: tuple[float, float]
) -> Source:
    """The report's description of the input, and of the yaws (radians) from which the head is `shown`."""
    low, high, left, right = (math.degrees(yaw) for yaw in (*found.yaw_range, *shown))
    return Source(
        job.material.title,
        f"{number_of(job.views, 'view')}, preset {settings.name}",
        f"The input covers yaws from {low:z.0f}° to {high:z.0f}°; the orbit goes from {left:z.0f}° to {right:z.0f}°.",
        f"{len(found.frames)} usable, {len(found.failed)} failed.",
        tuple(f"{job.material.place(frame.index, frame.time)}: {frame.reason}" for frame in found.failed),
        tuple(str(each) for each in advice),
    )


def _tracked(job: VideoJob, bundle: Bundle, progress: Progress) -> HeadTrack:
    return job.material.track(bundle, job.head, staged(progress, "track"), job.fit.frame_rate)
