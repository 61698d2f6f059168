"""`inv3d image`: one photo, or many, to 3D heads."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inv3d.cli.options import Debug, Device, Force, Identity, Json, Model, Perceptual, Preset, Seed, chosen_settings

if TYPE_CHECKING:
    from inv3d.photos import PhotoResult


def image(
    photos: Annotated[list[Path], typer.Argument(help="Photos, folders of photos, or patterns such as 'faces/*.png'.")],
    encoder: Annotated[
        str, typer.Option(help="preim3d (one pass), or none (optimise from the mean code).")
    ] = "preim3d",
    refine: Annotated[
        int | None,
        typer.Option(help="Steps of optimisation on the code; default: 0 after an encoder, else the preset's."),
    ] = None,
    tune: Annotated[int, typer.Option(help="Steps of pivotal tuning on the generator.")] = 0,
    model: Model = "demo",
    perceptual: Perceptual = "own",
    identity: Identity = "own",
    preset: Preset = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; default: the photo's name plus -inv3d, beside it. For several photos: the folder around theirs."
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    force: Force = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Pass over finished photos, go on with stopped ones.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn a photo into a 3D head, with one pass of an encoder.

    Examples: inv3d image face.png --encoder preim3d; inv3d image face.png --refine 100 --tune 100; inv3d image photos/

    Writes the same output folder as `inv3d video`.
    """
    from inv3d.cli.progress import json_line, reporter
    from inv3d.cli.video import interruptible, minutes
    from inv3d.core.device import choose_device
    from inv3d.core.encoders.store import ENCODERS
    from inv3d.core.errors import UsageError
    from inv3d.core.inversion.loop import silent
    from inv3d.photos import NO_ENCODER, PhotoJob, estimate_seconds, photos_to_heads
    from inv3d.places import find_photos, outputs_of

    choice = choose_device(device)
    if encoder not in (NO_ENCODER, *ENCODERS):
        raise UsageError(f"there is no encoder '{encoder}'", f"choose one of: {', '.join((*ENCODERS, NO_ENCODER))}")
    settings = chosen_settings(preset, choice.device)
    if refine is None:
        refine = settings.wplus_steps if encoder == NO_ENCODER else 0
    job = PhotoJob(model, encoder, refine, tune, perceptual, identity, settings, seed, choice.device, force, resume)
    found = find_photos(photos)
    outputs = outputs_of(found, out)
    seconds = estimate_seconds(job, len(found))
    if as_json:
        json_line({"photos": len(found), "device": str(choice.device), "estimated_seconds": round(seconds)})
    else:
        start = "no encoder" if encoder == NO_ENCODER else f"encoder {encoder}"
        typer.echo(f"{_count(len(found))}: {start}, {refine} W+ steps, {tune} tuning steps, model {model}")
        typer.echo(f"device {choice.device} ({choice.reason}); about {minutes(seconds)}")

    def tell(result: PhotoResult) -> None:
        if as_json:
            json_line(_record(result))
        elif len(found) > 1:
            typer.echo(f"{result.photo}: {_outcome(result)}")

    # several photos are told one by one, a single one step by step
    steps = nullcontext(silent) if len(found) > 1 and not as_json else reporter(as_json)
    with steps as progress, interruptible(outputs[0]):
        results = photos_to_heads(found, outputs, job, progress, tell)
    _conclude(results, as_json)


def _conclude(results: list[PhotoResult], as_json: bool) -> None:
    """A word on one photo, a table of several. Raises what went wrong with the only photo, or InputError if all failed."""
    from inv3d.core.errors import InputError

    failed = [result for result in results if result.error is not None]
    if len(results) == 1 and failed and failed[0].error is not None:
        raise failed[0].error
    if not as_json:
        _show(results)
    if len(failed) == len(results):
        raise InputError(f"none of the {len(results)} photos can be used", "see the reason of each above")


def _show(results: list[PhotoResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    if len(results) == 1 and results[0].run is not None:
        run, means = results[0].run, results[0].run["means"]["fit"]
        typer.echo(f"done in {run['total_seconds']:.0f} s, {run['peak_memory_mb'] / 1024:.1f} GB at most")
        typer.echo(
            f"  seen from {run['yaw_degrees']:.0f} degrees: PSNR {means['psnr']:.1f} dB, MS-SSIM {means['ms_ssim']:.3f}, "
            f"ID {means['identity']:.2f}"
        )
        typer.echo(f"open {results[0].out / 'report.html'}")
        return
    table = Table()
    for name in ("photo", "yaw", "PSNR", "ID", "seconds", ""):
        table.add_column(name, justify="left" if name in ("photo", "") else "right")
    for result in results:
        figures = [""] * 4
        if result.run is not None:
            run, means = result.run, result.run["means"]["fit"]
            figures = [
                f"{run['yaw_degrees']:.0f}°", f"{means['psnr']:.1f}", f"{means['identity']:.2f}",
                f"{run['total_seconds']:.1f}",
            ]  # fmt: skip
        table.add_row(result.photo.name, *figures, _outcome(result))
    Console().print(table)


def _outcome(result: PhotoResult) -> str:
    if result.error is not None:
        return f"failed: {result.error.message}"
    return f"{result.out}" if result.run is not None else f"{result.out} was there already"


def _record(result: PhotoResult) -> dict[str, object]:
    """A result for programs."""
    record: dict[str, object] = {"photo": str(result.photo), "out": str(result.out)}
    if result.error is not None:
        return {**record, "error": result.error.message, "hint": result.error.hint}
    if result.run is None:
        return {**record, "skipped": True}
    return {**record, "seconds": result.run["total_seconds"], "metrics": result.run["means"]["fit"]}


def _count(photos: int) -> str:
    return "one photo" if photos == 1 else f"{photos} photos"
