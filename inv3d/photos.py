"""The photo job as plain functions: photos to heads, by one pass of an encoder, by optimisation, or by both."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import inv3d
from inv3d.clock import StageClock
from inv3d.core.bending import bent
from inv3d.core.bundle import Bundle
from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import Inverter, Start, load_inverter
from inv3d.core.encoders.kinds import NO_ENCODER, PREIM3D
from inv3d.core.errors import InputError, Inv3dError, OutOfMemoryError, UsageError
from inv3d.core.files import disk_errors
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.loop import Progress, silent
from inv3d.core.inversion.settings import SPACES, FitSettings, preset_for
from inv3d.core.library import input_digest
from inv3d.core.repeatable import kind_of
from inv3d.core.views import Views
from inv3d.destination import read_made
from inv3d.export.background import KEEP, Background
from inv3d.export.report import Source
from inv3d.export.results import PhotoRun
from inv3d.memory import memory_errors
from inv3d.output import write_output
from inv3d.pipeline import choice_of_perceptual, ready_bundle, settings_for, space_needed, suited
from inv3d.video.advice import advise_on_photo
from inv3d.video.choose import HeadChoice, in_words
from inv3d.video.photo import Aligned, align_photo
from inv3d.workspace import Workspace, check_output

BATCH = 8
"""Photos that are encoded together."""
AROUND = math.radians(30)
"""How far the orbit extends beyond the front and the side that a photo shows, in radians."""


@dataclass(frozen=True, kw_only=True)
class PhotoJob:
    """How photos are inverted: by the `encoder` (or `NO_ENCODER`), then by `refine_pose` steps on the camera, by `refine`
    steps on the code and the camera, and by `tune` steps on the generator; without an encoder the code begins at the mean.
    `settings` None takes the device's preset; `method` and `camera` name what they were made from, if anything (see
    `course_of`). The networks are those of `VideoJob`; `head` says which of several heads is meant."""

    model: str = "demo"
    method: str | None = None
    camera: str | None = None
    encoder: str = PREIM3D
    refine_pose: int = 0
    refine: int = 0
    tune: int = 0
    perceptual: str = AUTO
    identity: str = OWN
    settings: FitSettings | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    force: bool = False
    resume: bool = False
    head: HeadChoice | None = None
    background: Background = KEEP

    def identify(self, photo: Path, bundle: Bundle) -> dict[str, Any]:
        """What distinguishes this job on a photo from any other."""
        choices = {
            **self.__dict__, "settings": asdict(self.fit), "device": kind_of(self.device), "head": in_words(self.head),
        }  # fmt: skip
        for name in ("force", "resume", "background"):
            del choices[name]
        choices["perceptual"] = choice_of_perceptual(self.perceptual)
        return {
            "sha256": input_digest(photo), **choices, "fingerprint": bundle.fingerprint, "version": inv3d.__version__,
        }  # fmt: skip

    @property
    def fit(self) -> FitSettings:
        """Settings with this job's numbers of steps."""
        return (self.settings or preset_for(self.device)).with_steps(self.refine_pose, self.refine, self.tune)


@dataclass(frozen=True)
class PhotoResult:
    """The outcome of a photo: the content of `run.json`, or an error; neither if its head existed already."""

    photo: Path
    out: Path
    run: dict[str, Any] | None = None
    error: Inv3dError | None = None


def photos_to_heads(
    photos: list[Path],
    outputs: list[Path],
    job: PhotoJob,
    progress_of: Callable[[Path], Progress] = lambda photo: silent,
    finished: Callable[[PhotoResult], None] = lambda result: None,
) -> list[PhotoResult]:
    """Invert photos and write their output folders; `progress_of` gives what each reports its steps to, and `finished` is called
    with each result. A photo that cannot be used does not stop the others. With `resume`, photos whose head exists are skipped.

    Raises UsageError for outputs that exist, ModelError, OutOfMemoryError.
    """
    if min(job.refine_pose, job.refine, job.tune) < 0:
        raise UsageError("the number of steps is negative", "use 0 or more")
    there = [(photo, out) for photo, out in zip(photos, outputs, strict=True) if job.resume and out.exists()]
    passed = {out: result for photo, out in there if not (result := _passed(photo, out)).error or not job.force}
    for out in outputs:
        if out not in passed:
            check_output(out, photos, job.force, job.resume)
    results: list[PhotoResult] = []

    def add(result: PhotoResult) -> None:
        results.append(result)
        finished(result)

    with memory_errors("--device", "--preset"):
        bundle = ready_bundle(job.model, job.perceptual, job.identity, job.device)
        inverter = load_inverter(bundle, job.encoder)
        job = replace(job, settings=settings_for(bundle, job.settings or preset_for(job.device)))
        pairs = list(zip(photos, outputs, strict=True))
        for batch in (pairs[i : i + BATCH] for i in range(0, len(pairs), BATCH)):
            for _, out in batch:
                if out in passed:
                    add(passed[out])
            waiting = [(photo, out) for photo, out in batch if out not in passed]
            for result in _batch(waiting, job, bundle, inverter, progress_of):
                add(result)
    return results


def _passed(photo: Path, out: Path) -> PhotoResult:
    """The result of a resumed run for a photo whose output folder exists."""
    try:
        same = read_made(out).sha256 == input_digest(photo)
    except (InputError, UsageError) as error:
        return PhotoResult(photo, out, error=error)
    if same:
        return PhotoResult(photo, out)
    message = f"{out} was made from an earlier version of {photo}"
    return PhotoResult(photo, out, error=UsageError(message, "add --force to replace it"))


def _batch(
    waiting: list[tuple[Path, Path]], job: PhotoJob, bundle: Bundle, inverter: Inverter | None,
    progress_of: Callable[[Path], Progress],
) -> Iterator[PhotoResult]:  # fmt: skip
    """Align every photo, encode them together, then process them one by one."""
    clock = StageClock()
    found: list[tuple[Path, Path, Aligned]] = []
    with clock("align"):
        for photo, out in waiting:
            try:
                found.append((photo, out, align_photo(photo, bundle, job.head)))
            except (InputError, OutOfMemoryError) as error:
                yield PhotoResult(photo, out, error=error)
    if not found:
        return
    with clock("encode"):
        views = functools.reduce(Views.followed_by, (aligned.view for _, _, aligned in found))
        starts = None if inverter is None else inverter(views, bundle)
    # the time of joint work is divided among the photos
    shared = {name: round(seconds / len(found), 3) for name, seconds in clock.seconds.items()}
    for row, (photo, out, aligned) in enumerate(found):
        start = None if starts is None else starts[row]
        try:
            run = _finish(photo, out, aligned, start, job, bundle, shared, progress_of(photo))
            yield PhotoResult(photo, out, run)
        except (InputError, UsageError) as error:
            yield PhotoResult(photo, out, error=error)


def shown_range(yaw: float, bundle: Bundle) -> tuple[float, float]:
    """The range of yaws (radians) of the orbit: `AROUND` beyond `yaw` and the front, within the model's known yaws."""
    known = math.radians(bundle.info.known_yaw)
    return max(-known, min(yaw, 0.0) - AROUND), min(known, max(yaw, 0.0) + AROUND)


def _finish(
    photo: Path,
    out: Path,
    aligned: Aligned,
    start: Start | None,
    job: PhotoJob,
    bundle: Bundle,
    shared: dict[str, float],
    progress: Progress,
) -> dict[str, Any]:
    """Refine and tune one photo's head and write its output folder; returns what `run.json` says."""
    clock = StageClock()
    clock.seconds.update(shared)
    identity = job.identify(photo, bundle)
    with Workspace(out, [photo], job.force, job.resume) as workspace:
        workspace.begin(identity, space_needed(bundle, job.fit))
        seen = suited(bundle, job.perceptual, aligned.view)
        with clock("fit"):
            inverted = invert(
                Footage.of_one(aligned.view).without_room(cut_out_named(AUTO, bundle)), seen.bundle, job.fit,
                start=start, seed=job.seed, keep=workspace.tensors, progress=progress,
            )  # fmt: skip
            head, footage = inverted.head, inverted.footage
            if job.fit.output.frames:
                head, footage = bent(head, footage)
                head = head.showing(footage.targets)
        view = footage.targets
        head = replace(head, yaw_range=shown_range(float(view.cameras.yaw), bundle))
        yaw, pitch = (math.degrees(float(angle)) for angle in (view.cameras.yaw, view.cameras.pitch))
        advice = advise_on_photo(aligned.confidence, seen.strangeness, face=not bundle.shows_things)
        warnings = tuple(str(each) for each in advice)
        facts: dict[str, Any] = {**identity, "perceptual": seen.perceptual, "settings": job.fit}
        run = PhotoRun(
            photo=str(photo.resolve()),
            warnings=warnings,
            confidence=round(aligned.confidence, 3),
            rolled_degrees=aligned.rolled,
            yaw_degrees=round(yaw, 1),
            pitch_degrees=round(pitch, 1),
            **facts,
        )
        low, high = (math.degrees(limit) for limit in head.shown_range)
        source = Source(
            photo.name,
            described(job),
            f"The photo shows the head from {yaw:z.0f}°; the orbit goes from {low:z.0f}° to {high:z.0f}°. What the photo does "
            "not show is its mirror image where that fits, and the model's guess elsewhere.",
            "One photo.",
            warnings=warnings,
        )
        with disk_errors(out):
            run = write_output(
                head, footage, workspace.output, source, run, clock, progress, strangeness=seen.strangeness,
                background=job.background,
            )  # fmt: skip
        workspace.finish()
    return run.model_dump(mode="json")


def described(job: PhotoJob) -> str:
    """A description of how a photo is inverted."""
    parts = [] if job.method is None else [f"method {job.method} (camera {job.camera})"]
    parts.append("mean code" if job.encoder == NO_ENCODER else f"encoder {job.encoder}")
    space = SPACES[job.fit.space]
    stages = ((job.refine_pose, "camera steps"), (job.refine, f"{space} steps"), (job.tune, "tuning steps"))
    parts += [f"{steps} {what}" for steps, what in stages if steps]
    return ", ".join(parts)


def align_photos(photos: Sequence[Path], bundle: Bundle, report: Callable[[str], None]) -> Views | None:
    """The heads of photos, aligned; those that cannot be used are reported and left out. None if none can."""
    found: list[Views] = []
    for photo in photos:
        try:
            found.append(align_photo(photo, bundle).view)
        except (InputError, OutOfMemoryError) as error:
            report(f"left out: {error.message}")
    return functools.reduce(Views.followed_by, found) if found else None
