"""`inv3d image`: turn one or more photos into 3D heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inv3d.cli.arguments import OneOf, output_path, some_path
from inv3d.cli.options import (
    STEPS,
    WARPING,
    Background,
    ChosenHead,
    Debug,
    Detail,
    Deterministic,
    Device,
    Force,
    Identity,
    Json,
    Model,
    Perceptual,
    Preset,
    Searched,
    Seed,
    check_folder,
)
from inv3d.core.encoders.kinds import NO_ENCODER, PREIM3D, check_encoder_name, in_lines
from inv3d.core.inversion import methods
from inv3d.core.plurals import number_of
from inv3d.core.printable import printable

if TYPE_CHECKING:
    from inv3d.core.inversion.loop import Progress
    from inv3d.photos import PhotoResult

_NAME = 24
"""Signs of a photo's name in a table of 80."""


def image(
    photos: Annotated[
        list[Path],
        typer.Argument(
            parser=some_path, metavar="PHOTO...", help="Photos, folders of photos, or patterns such as 'faces/*.png'."
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            # the first sign keeps click from filling the lines
            help=f"\b\nMethod of optimisation, instead of one pass:\n{methods.described()}.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            parser=OneOf(tuple(methods.CAMERAS)),
            metavar="|".join(methods.CAMERAS),
            help="What the method does with the camera: "
            + ", ".join(f"{name} ({what})" for name, what in methods.CAMERAS.items())
            + ".",
            show_default=methods.FREE,
        ),
    ] = None,
    warping: Annotated[
        float | None,
        typer.Option(
            parser=WARPING,
            metavar="WEIGHT",
            help="Weight of the warping loss of 3dinv, which moves the camera; for cameras that are nearly right.",
            show_default="0",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"\b\nEncoder that a head begins at:\n{in_lines()};\n{NO_ENCODER}: optimise from the mean code.\n\n"
            "Of the methods, 3dinv alone begins at one.",
            show_default=PREIM3D,
        ),
    ] = None,
    refine_pose: Annotated[
        int,
        typer.Option(parser=STEPS, metavar="NUMBER", help="Optimisation steps on the camera alone, after an encoder."),
    ] = 0,
    refine: Annotated[
        int | None,
        typer.Option(
            parser=STEPS,
            metavar="NUMBER",
            help="Optimisation steps on the code and the camera.",
            show_default="0 after an encoder alone, otherwise the preset's",
        ),
    ] = None,
    tune: Annotated[
        int | None,
        typer.Option(
            parser=STEPS,
            metavar="NUMBER",
            help="Pivotal tuning steps on the generator.",
            show_default="0, or the preset's with a method that tunes",
        ),
    ] = None,
    space: Searched = None,
    model: Model = "demo",
    perceptual: Perceptual = "auto",
    identity: Identity = "own",
    preset: Preset = "auto",
    detail: Detail = "frames",
    background: Background = "keep",
    out: Annotated[
        Path | None,
        typer.Option(
            parser=output_path,
            metavar="FOLDER",
            help="Output folder; for several photos, the folder that contains theirs.",
            show_default="the photo's name plus -inv3d, beside it",
        ),
    ] = None,
    head: ChosenHead = None,
    seed: Seed = 0,
    device: Device = "auto",
    deterministic: Deterministic = False,
    force: Force = False,
    resume: Annotated[bool, typer.Option("--resume", help="Skip finished photos and continue stopped ones.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn photos into 3D heads, each with one pass of an encoder, or with a method of optimisation.

    Examples: inv3d image face.png --encoder preim3d; inv3d image face.png --refine 100 --tune 100; inv3d image face.png
    --method 3dinv; inv3d image photos/

    Writes the same output folder as `inv3d video`, but no preview.png.
    """
    from inv3d.budget import require_head
    from inv3d.cli.conclusion import conclude
    from inv3d.cli.progress import minutes, reporter
    from inv3d.cli.signals import interruptible
    from inv3d.cli.terminal import document, teller
    from inv3d.core.bundle import check_prepared, read_info
    from inv3d.core.device import choose_device
    from inv3d.core.inversion.settings import preset_named
    from inv3d.estimate import photo_seconds
    from inv3d.export import background as backgrounds
    from inv3d.photos import PhotoJob, photos_to_heads
    from inv3d.photos import described as course_in_words
    from inv3d.places import find_photos, outputs_of
    from inv3d.workspace import check_output

    tell = teller(as_json)
    choice = choose_device(device, deterministic)
    if encoder is not None:
        check_encoder_name(encoder)
    settings = preset_named(preset, choice.device).taking(frames=detail == "frames")
    course = methods.course_of(settings, method, camera, warping, encoder, refine_pose, refine, tune, space)
    job = PhotoJob(
        model=model, **vars(course), perceptual=perceptual, identity=identity, seed=seed, device=choice.device, force=force,
        resume=resume, head=head.choice if head else None, background=backgrounds.Background.parse(background),
    )  # fmt: skip
    found = find_photos(photos)
    outputs = outputs_of(found, out)
    for folder in outputs:
        check_folder(folder)
        if not (resume and folder.exists()):
            check_output(folder, found, force, resume)
    check_prepared(model)
    require_head(read_info(model), fit=course.refine_pose + course.refine + course.tune > 0)
    seconds = photo_seconds(job, len(found))
    tell(f"{number_of(len(found), 'photo')}: {course_in_words(job)}, model {model}")
    tell(f"device {choice.device} ({choice.reason}); about {minutes(seconds)}")
    finished: list[PhotoResult] = []
    with interruptible(lambda: _stopped(found, outputs, finished)), reporter(as_json) as progress:

        def add(result: PhotoResult) -> None:
            finished.append(result)
            if len(found) > 1:
                progress.tell(f"{result.photo}: {_outcome(result)}")
                for warning in _warnings(result):
                    progress.tell(f"  warning: {warning}")

        def steps_of(photo: Path) -> Progress:
            """A single photo is reported step by step, several one by one."""
            name = f"photos ({printable(photo.name)})"

            def one_of_several(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
                progress(name, len(finished), len(found), {})

            return one_of_several if len(found) > 1 else progress

        results = photos_to_heads(found, outputs, job, steps_of, add)
        if len(found) > 1:
            progress("photos", len(found), len(found), {})
    _tell_results(results, tell, as_json)
    if as_json:
        document({"device": str(choice.device), "photos": [_record(result) for result in results]})
    failed = {str(result.photo): result.error for result in results if result.error is not None}
    conclude(failed, len(results), "photos", "above")


def _stopped(photos: list[Path], outputs: list[Path], finished: list[PhotoResult]) -> tuple[str, str]:
    """The message and hint of a stopped run: which photo was in progress, and how many are finished."""
    from inv3d.cli.video import stopped

    done = {result.photo for result in finished}
    waiting = [(photo, out) for photo, out in zip(photos, outputs, strict=True) if photo not in done]
    if len(photos) == 1 or not waiting:
        return stopped(outputs[0])
    photo, out = waiting[0]
    return (
        f"stopped at {photo}, before {out} was finished; {len(done)} of {number_of(len(photos), 'photo')} finished",
        "run the same command with --resume to skip the finished photos and continue with this one",
    )


def _tell_results(results: list[PhotoResult], tell: Callable[[str], None], as_json: bool) -> None:
    """Print a few lines on one photo, a table of several."""
    from inv3d.cli.figures import figures, remarks_on, spent
    from inv3d.cli.terminal import shortened, table

    if len(results) > 1:
        if not as_json:
            rows = [(shortened(result.photo.name, _NAME), *_figures(result), _state(result)) for result in results]
            table(("photo", "yaw", "PSNR", "likeness", "seconds", "head"), rows, right=("yaw", "PSNR", "seconds"))
    elif (run := results[0].run) is not None:
        means = run["means"]["fit"]
        tell(f"done in {spent(run)}")
        whose = ", by the generator alone" if run["settings"]["output"]["frames"] else ""
        tell(f"  the photo's own view (yaw {run['yaw_degrees']:z.0f} degrees){whose}: {figures(means)}")
        for warning in _warnings(results[0]):
            tell(f"  warning: {warning}")
        for line in remarks_on(run):
            tell(f"  {line}")
        if run["encoder"] != NO_ENCODER and not run["refine"] + run["tune"]:
            tell("  this is one pass of an encoder; with --refine 100 --tune 100 the head comes nearer to the photo")
        if turned := _turned(results[0]):
            tell(f"  {turned}")
        tell(f"open {results[0].out / 'report.html'}")
    elif results[0].error is None:
        tell(_outcome(results[0]))


def _figures(result: PhotoResult) -> tuple[str, str, str, str]:
    from inv3d.cli.figures import likeness

    if result.run is None:
        return ("", "", "", "")
    run, means = result.run, result.run["means"]["fit"]
    return f"{run['yaw_degrees']:z.0f}°", f"{means['psnr']:.1f}", likeness(means), f"{run['total_seconds']:.1f}"


def _state(result: PhotoResult) -> str:
    """What became of a photo in a word or two; more was told when it was finished."""
    if result.error is not None:
        return "failed"
    if result.run is None:
        return "skipped"
    return "see above" if _warnings(result) else "made"


def _warnings(result: PhotoResult) -> list[str]:
    return result.run["warnings"] if result.run else []


def _outcome(result: PhotoResult) -> str:
    if result.error is not None:
        return f"failed: {result.error.message}"
    if result.run is None:
        return f"{result.out} exists already, skipped"
    turned = _turned(result)
    return f"{result.out} ({turned})" if turned else f"{result.out}"


def _turned(result: PhotoResult) -> str:
    """A remark on a head that is not upright in its photo."""
    rolled = result.run["rolled_degrees"] if result.run else 0.0
    return f"the head was rotated by {rolled:.0f} degrees and has been set upright" if abs(rolled) > 60 else ""


def _record(result: PhotoResult) -> dict[str, object]:
    """A result as JSON for programs."""
    record: dict[str, object] = {"photo": str(result.photo), "out": str(result.out)}
    if result.error is not None:
        return {**record, "error": result.error.message, "hint": result.error.hint}
    if result.run is None:
        return {**record, "skipped": True}
    run = result.run
    return {**record, "seconds": run["total_seconds"], "metrics": run["means"]["fit"], "warnings": run["warnings"]}
