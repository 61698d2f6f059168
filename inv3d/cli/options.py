"""Options that several commands share, and the checks that are made before work starts."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from inv3d.cli.arguments import (
    LARGEST_SEED,
    Angles,
    Number,
    OneOf,
    WhichHead,
    angles,
    background,
    device_name,
    either,
    input_path,
    output_path,
    which_head,
)
from inv3d.core.inversion.settings import SPACES, Space

PIXELS = Number(16, 8192, whole=True)
SEED = Number(0, LARGEST_SEED, whole=True)
STEPS = Number(0, 100_000, whole=True)
WARPING = Number(0, 1000)
FACTOR = Number(0.0001, 1000)
PITCH = Number(-89, 89)

Device = Annotated[
    str, typer.Option(parser=device_name, metavar="NAME", help="Device to compute on: auto, cpu, cuda or cuda:N.")
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help="On CUDA, add up in the same order every time, so that continued and repeated runs are equal bit by bit; slower. "
        "On a CPU they are anyway.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output and messages on standard error.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
Background = Annotated[
    str,
    typer.Option(
        parser=background,
        metavar="WHAT",
        help="What shows behind the head: keep (the room's colour), white, black, transparent or a colour such as #8090a0.",
    ),
]
Detail = Annotated[
    str,
    typer.Option(
        parser=OneOf(("frames", "model")),
        metavar="WHENCE",
        help="What renders take their colours from: frames (those that saw the same point, where any did) or model (the "
        "generator alone, as in the papers).",
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Preset: draft (a first look), fast, fine (slower and better), paper, paper-fast, or auto (paper on CUDA, fast on a CPU).",
    ),
]
Searched = Annotated[
    Space | None,
    typer.Option(
        "--space",
        parser=OneOf(tuple(SPACES)),
        metavar="|".join(SPACES),
        help="Where codes are searched for: one vector for all layers (w), one for each (w+), or also one for each plane of "
        "those that make them (wtri), which is nearer to the input and further from the model's own heads.",
        show_default=False,
    ),
]
Model = Annotated[str, typer.Option(metavar="NAME", help="Model to use; `inv3d models list` shows all.")]
Perceptual = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Network of the perceptual loss: own, lpips-alex, lpips-vgg, or auto (LPIPS if its weights are on this "
        "machine, otherwise own).",
    ),
]
Identity = Annotated[
    str, typer.Option(metavar="NAME", help="Network of the identity loss: own, arcface or curricularface.")
]
Seed = Annotated[
    int,
    typer.Option(
        parser=SEED,
        metavar="NUMBER",
        help="Random seed; the same seed gives the same result.",
    ),
]
Yaws = Annotated[Angles, typer.Option(parser=angles, metavar="DEGREES", help="Yaws in degrees, separated by commas.")]
Pitch = Annotated[
    float, typer.Option(parser=PITCH, metavar="DEGREES", help="Pitch in degrees; positive values look from above.")
]
Picture = Annotated[Path, typer.Option(parser=output_path, metavar="FILE", help="PNG file to write.")]
ChosenHead = Annotated[
    WhichHead | None,
    typer.Option(
        parser=which_head,
        metavar="NUMBER|X,Y",
        help="Head to use: its number counted from the left, or its position in pixels.",
        show_default="the only or clearly largest one",
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Use the machines of a Ray cluster, which see the same folders: auto, HOST:PORT or ray://HOST:PORT. Needs "
        "the extra 'batch'.",
        show_default="this machine alone",
    ),
]
HeadFolder = Annotated[
    Path, typer.Argument(parser=input_path, metavar="HEAD", help="Output folder of `inv3d video` or `inv3d image`.")
]


def given(context: typer.Context) -> list[Any]:
    """Typer's descriptions of the parameters that stand on the command line itself, defaults aside."""
    sources = ((each, context.get_parameter_source(each.name or "")) for each in context.command.params)
    return [each for each, source in sources if source is not None and source.name == "COMMANDLINE"]


def refuse_idle(context: typer.Context, uses: Mapping[str, tuple[bool, str]]) -> None:
    """Raises UsageError for an option that was given and would do nothing; `uses` says by its parameter's name whether it does
    anything, and with what it would."""
    from inv3d.core.errors import UsageError

    for each in given(context):
        fits, where = uses.get(each.name or "", (True, ""))
        if not fits:
            raise UsageError(f"{each.opts[0]} has no effect here", f"use it {where}, or leave it out")


def check_file(out: Path, force: bool, endings: tuple[str, ...], kind: str) -> None:
    """Raises UsageError if `out` does not end in one of the `endings` of its `kind`, if it exists and may not be
    replaced, or if it cannot be written."""
    from inv3d.core.errors import UsageError
    from inv3d.core.files import refuse_existing

    if out.suffix.lower() not in endings:
        named = f"use a file name that ends in {either([each for each in endings if each])}"
        raise UsageError(f"{out} is not {kind}", named if all(endings) else f"{named}, or one without an ending")
    refuse_existing(out, force)
    _refuse_unwritable(out.parent, out)


def check_folder(out: Path) -> None:
    """Raises UsageError if the output folder `out` could not be created at the end of the work."""
    from inv3d.core.errors import UsageError
    from inv3d.core.files import partial_of

    if len(os.fsencode(partial_of(out).name)) > 255:
        raise UsageError(f"the folder name {out.name} is too long", "choose a shorter one with --out")
    above = out.parent
    while _mode(above) == 0 and above != above.parent:
        above = above.parent
    _refuse_unwritable(above, out)


def _refuse_unwritable(folder: Path, out: Path) -> None:
    from inv3d.core.errors import UsageError

    mode, hint = _mode(folder), "choose a folder you may write to"
    if mode == 0:
        raise UsageError(f"{out} cannot be written: there is no folder {folder}", "create the folder first")
    if not stat.S_ISDIR(mode):
        raise UsageError(f"{out} cannot be written: {folder} is not a folder", hint)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{out} cannot be written: {folder} is read-only", hint)


def _mode(path: Path) -> int:
    """The mode of what a path names; 0 if it does not exist or cannot be seen."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
