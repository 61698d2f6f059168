"""`inv3d video`: the main job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.options import Debug, Device, Force, Identity, Json, Model, Perceptual, Preset, Seed, chosen_settings


def video(
    clip: Annotated[Path, typer.Argument(help="A video of one head turning from one side to the other.")],
    views: Annotated[int, typer.Option(help="Frames to fit, evenly spaced by yaw.")] = 9,
    latents: Annotated[
        bool, typer.Option("--latents/--no-latents", help="One latent code per view, for faces that move.")
    ] = False,
    model: Model = "demo",
    perceptual: Perceptual = "own",
    identity: Identity = "own",
    preset: Preset = "auto",
    effort: Annotated[float, typer.Option(help="Factor on the preset's optimisation steps.")] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="Output folder; default: the clip's name plus -inv3d, beside it.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    force: Force = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn a head-turn video into a 3D head.

    Example: inv3d video clip.mp4 --views 9 --latents

    Writes head/ (to render again), views/, orbit.mp4, mesh.glb, metrics.json, report.html and run.json.
    """
    from inv3d.cli.progress import json_line, reporter
    from inv3d.core.device import choose_device
    from inv3d.core.errors import UsageError
    from inv3d.pipeline import VideoJob, estimate_seconds, video_to_head
    from inv3d.video.decode import probe

    choice = choose_device(device)
    if not effort > 0:
        raise UsageError(f"--effort {effort} makes no sense", "use a positive factor, such as 0.5 or 2")
    settings = chosen_settings(preset, choice.device).scaled(effort)
    out = out or clip.with_name(clip.stem + "-inv3d")
    info = probe(clip)
    networks = (perceptual, identity)
    job = VideoJob(clip, out, views, latents, model, *networks, settings, seed, choice.device, force, resume)
    seconds = estimate_seconds(job, info)
    with reporter(as_json) as progress, interruptible(out):
        if as_json:
            json_line(
                {"clip": str(clip), "out": str(out), "device": str(choice.device), "estimated_seconds": round(seconds)}
            )
        else:
            typer.echo(f"{clip.name}: {info.width} x {info.height}, {info.duration:.1f} s, {info.codec}")
            typer.echo(
                f"{views} views, {'one code per view' if latents else 'one code'}, model {model}, preset {settings.name}"
            )
            typer.echo(f"device {choice.device} ({choice.reason}); about {minutes(seconds)}; output in {out}")
        run = video_to_head(job, progress)
    if as_json:
        json_line({"done": str(out), "seconds": run["total_seconds"], "metrics": run["means"]})
        return
    means = run["means"]
    typer.echo(f"done in {run['total_seconds']:.0f} s, {run['peak_memory_mb'] / 1024:.1f} GB at most")
    for name, label in (("fit", "views of the fit"), ("held_out", "frames never used")):
        if means[name]:
            typer.echo(
                f"  {label}: PSNR {means[name]['psnr']:.1f} dB, MS-SSIM {means[name]['ms_ssim']:.3f}, ID {means[name]['identity']:.2f}"
            )
    failed = Counter(frame["reason"] for frame in run["frames"]["failed"])
    if failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.most_common())
        typer.echo(f"  frames left out: {reasons} (the report lists them)")
    typer.echo(f"open {out / 'report.html'}")


@contextmanager
def interruptible(out: Path) -> Iterator[None]:
    """Ctrl-C ends with a word on how to go on."""
    from inv3d.core.errors import StoppedError

    try:
        yield
    except KeyboardInterrupt as stop:
        hint = f"the same command with --resume goes on from the last finished stage, kept in {out}.partial"
        raise StoppedError("stopped before the head was finished", hint) from stop


def minutes(seconds: float) -> str:
    """A time for a person."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
