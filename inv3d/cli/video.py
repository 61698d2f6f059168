"""`inv3d video`: turn a head-turn video, or photographs of one person, into a 3D head."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inv3d.cli.arguments import Number, OneOf, input_path, output_path
from inv3d.cli.options import (
    FACTOR,
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
    refuse_idle,
)
from inv3d.core.encoders.kinds import E3DGE, ENCODERS, described
from inv3d.core.plurals import number_of

if TYPE_CHECKING:
    import torch

    from inv3d.video.choose import HeadChoice
    from inv3d.video.material import Material

VIEWS = Number(1, 1000, whole=True)
TURN = Number(10, 120)


def video(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            parser=input_path,
            metavar="CLIP|PHOTO...",
            help="Video of one head turning from one side to the other, or photos of one person from several sides: "
            "files, a folder, or a pattern.",
        ),
    ],
    views: Annotated[
        int,
        typer.Option(
            parser=VIEWS,
            metavar="NUMBER",
            help="Number of frames to fit, evenly spaced by yaw; at most as many as there are photos.",
        ),
    ] = 9,
    latents: Annotated[
        bool,
        typer.Option(
            "--latents/--no-latents",
            help="Fit one latent code per view, for faces that move; the preset draft takes one for all.",
        ),
    ] = False,
    turn: Annotated[
        float | None,
        typer.Option(
            parser=TURN,
            metavar="DEGREES",
            help="How far the head turns to its further side, where you know it: 90 is a profile. Profiles in a few photos are "
            "often read as 55 to 75; how far a filmed head turns is measured.",
            show_default="as it is found",
        ),
    ] = None,
    space: Searched = None,
    model: Model = "demo",
    perceptual: Perceptual = "auto",
    identity: Identity = "own",
    preset: Preset = "auto",
    detail: Detail = "frames",
    background: Background = "keep",
    matte: Annotated[
        Literal["auto", "own", "rembg"],
        typer.Option(
            parser=OneOf(("auto", "own", "rembg")),
            metavar="NAME",
            help="What cuts the head out of the room: auto (of people a network that knows photographs), own (the model's "
            'aligner), or rembg (pip install "rembg[cpu]", which fetches its weights once).',
        ),
    ] = "auto",
    effort: Annotated[
        float, typer.Option(parser=FACTOR, metavar="FACTOR", help="Multiplier of the preset's optimisation steps.")
    ] = 1.0,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Fit nothing: encode every frame of the clip on its own, and write a video of the head from fixed sides.",
        ),
    ] = False,
    encoder: Annotated[str, typer.Option(metavar="NAME", help=f"Encoder of --replay: {described()}.")] = E3DGE,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=output_path,
            metavar="FOLDER",
            help="Output folder.",
            show_default="the name of the clip, the folder or the first photo plus -inv3d, beside it",
        ),
    ] = None,
    head: ChosenHead = None,
    seed: Seed = 0,
    device: Device = "auto",
    deterministic: Deterministic = False,
    force: Force = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a stopped run.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn a head-turn video, or photos of one person from several sides, into a 3D head.

    Examples: inv3d video clip.mp4 --views 9 --latents; inv3d video left.jpg front.jpg right.jpg; inv3d video photos/

    With --replay: inv3d video clip.mp4 --replay --encoder e3dge writes replay.mp4 and codes.safetensors instead.

    Writes preview.png before the fit starts; then head/ (to render again), views/, orbit.mp4, mesh.glb, view.html,
    metrics.json, report.html and run.json.
    """
    from inv3d.budget import require_head
    from inv3d.cli.figures import figures, remarks_on, spent
    from inv3d.cli.progress import minutes, reporter
    from inv3d.cli.signals import interruptible
    from inv3d.cli.terminal import document, teller
    from inv3d.core.bundle import check_prepared, read_info
    from inv3d.core.device import choose_device
    from inv3d.core.inversion.settings import preset_named
    from inv3d.estimate import video_seconds
    from inv3d.export import background as backgrounds
    from inv3d.export.results import TITLES
    from inv3d.pipeline import VideoJob, video_to_head
    from inv3d.places import find_material, output_of
    from inv3d.workspace import check_output

    fitted = {each.name or "": (not replay, "without --replay, which fits nothing") for each in context.command.params}
    refuse_idle(context, {**fitted, **dict.fromkeys(_REPLAYED, (True, "")), "encoder": (replay, "with --replay")})
    tell = teller(as_json)
    choice = choose_device(device, deterministic)
    settings = preset_named(preset, choice.device).scaled(effort).taking(frames=detail == "frames").within(space)
    material = find_material(inputs)
    out = out or output_of(inputs, material)
    check_folder(out)
    if replay:
        _replay(material, out, model, encoder, choice.device, force, head.choice if head else None, as_json)
        return
    job = VideoJob(
        material=material, out=out, views=material.at_most(views), latents=latents, model=model, perceptual=perceptual, identity=identity,
        settings=settings, seed=seed, device=choice.device, force=force, resume=resume,
        head=head.choice if head else None, background=backgrounds.Background.parse(background), turn=turn, matte=matte,
    )  # fmt: skip
    check_prepared(model)
    check_output(out, material.files, force, resume)
    require_head(read_info(model), fit=True)
    seconds = video_seconds(job)
    tell(material.description)
    codes = "one code per view" if latents and settings.latent_steps else "one code"
    tell(f"{number_of(job.views, 'view')}, {codes}, model {model}, preset {settings.name}")
    tell(f"device {choice.device} ({choice.reason}); about {minutes(seconds)}; output in {out}")
    with interruptible(lambda: stopped(out)), reporter(as_json) as progress:
        run = video_to_head(job, progress, progress.tell)
    means = run["means"]
    tell(f"done in {spent(run)}")
    for name, title in TITLES.items():
        if means[name]:
            predicted = ", each without its own frame" if name == "fit" and settings.output.frames else ""
            tell(f"  {title}{predicted}: {figures(means[name])}")
    for line in remarks_on(run):
        tell(f"  {line}")
    failed = Counter(frame["reason"] for frame in run["frames"]["failed"])
    if failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.most_common())
        tell(f"  {material.unit} left out: {reasons} (listed in the report)")
    tell(f"open {out / 'report.html'}")
    if as_json:
        document(
            {
                "inputs": [str(path) for path in material.files], "out": str(out), "device": str(choice.device), "estimated_seconds": round(seconds),
                "seconds": run["total_seconds"], "metrics": means,
            }
        )  # fmt: skip


_REPLAYED = ("inputs", "replay", "model", "out", "head", "device", "force", "as_json", "debug")
"""Options that a replay makes use of as a fit does."""


def _replay(
    material: Material, out: Path, model: str, encoder: str, device: torch.device, force: bool,
    head: HeadChoice | None, as_json: bool,
) -> None:  # fmt: skip
    from inv3d.cli.progress import reporter
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.bundle import check_prepared
    from inv3d.core.errors import UsageError
    from inv3d.replay import VIDEO, ReplayJob, replay_clip

    if encoder not in ENCODERS:
        raise UsageError(f"there is no encoder '{encoder}'", f"choose one of: {', '.join(ENCODERS)}")
    check_prepared(model)
    tell = teller(as_json)
    tell(material.description)
    job = ReplayJob(material=material, out=out, model=model, encoder=encoder, device=device, force=force, head=head)
    with interruptible(nothing_kept(out)), reporter(as_json) as progress:
        run = replay_clip(job, progress)
    tell(f"{run.frames} frames, {run.left_out} left out: {run.encoded_per_second} encoded and {run.shown_per_second} shown a second")
    tell(f"flicker {run.flicker} of 255 levels; the clip's own {run.flicker_of_clip}")
    tell(f"open {out / VIDEO}")
    if as_json:
        document({**run.model_dump(mode="json"), "out": str(out)})


def stopped(out: Path) -> tuple[str, str]:
    """The message and hint of a stopped run."""
    from inv3d.core.files import partial_of

    partial = partial_of(out)
    if partial.exists():
        hint = f"run the same command with --resume to continue from the last finished stage, kept in {partial}"
    else:
        hint = "nothing was kept; run the same command again"
    return f"stopped before {out} was finished", hint
