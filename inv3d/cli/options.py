"""Options that several commands share, and what is checked about them before work starts."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inv3d.cli.arguments import (
    LARGEST_SEED,
    Angles,
    Number,
    WhichHead,
    angles,
    device_name,
    input_path,
    output_path,
    which_head,
)

if TYPE_CHECKING:
    import torch

    from inv3d.core.inversion.settings import FitSettings

_PARTIAL = ".partial"
"""What an output folder's name ends in until it is whole."""

PIXELS = Number(16, 8192, whole=True)
STEPS = Number(0, 100_000, whole=True)
FACTOR = Number(0.0001, 1000)
PITCH = Number(-89, 89)

Device = Annotated[str, typer.Option(parser=device_name, metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, for programs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
Preset = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="auto, fast, fine (slower and better) or paper; auto takes paper on CUDA, fast on a CPU."
    ),
]
Model = Annotated[str, typer.Option(metavar="NAME", help="Which generator; see `inv3d models list`.")]
Perceptual = Annotated[str, typer.Option(metavar="NAME", help="own, lpips-alex or lpips-vgg.")]
Identity = Annotated[str, typer.Option(metavar="NAME", help="own, arcface or curricularface.")]
Seed = Annotated[
    int,
    typer.Option(parser=Number(0, LARGEST_SEED, whole=True), metavar="NUMBER", help="Same seed, same result."),
]
Yaws = Annotated[Angles, typer.Option(parser=angles, metavar="DEGREES", help="Yaws in degrees, with commas.")]
Pitch = Annotated[
    float, typer.Option(parser=PITCH, metavar="DEGREES", help="Pitch in degrees; positive looks from above.")
]
Picture = Annotated[
    Path, typer.Option(parser=output_path, metavar="FILE", help="A PNG file; the pictures stand side by side.")
]
ChosenHead = Annotated[
    WhichHead | None,
    typer.Option(
        parser=which_head,
        metavar="NUMBER|X,Y",
        help="Which of several heads: its number from the left, or its place in pixels; default: the only or largest one.",
    ),
]
HeadFolder = Annotated[
    Path, typer.Argument(parser=input_path, metavar="HEAD", help="An output folder of `inv3d video` or `inv3d image`.")
]


def chosen_settings(preset: str, device: torch.device) -> FitSettings:
    """The settings of a `Preset`. Raises UsageError."""
    from inv3d.core.errors import UsageError
    from inv3d.core.inversion.settings import PRESETS, preset_for

    if preset == "auto":
        return preset_for(device)
    if preset not in PRESETS:
        raise UsageError(f"there is no preset '{preset}'", f"use auto, {', '.join(PRESETS)}")
    return PRESETS[preset]


def check_file(out: Path, force: bool, endings: tuple[str, ...], kind: str) -> None:
    """Raises UsageError if `out` does not end in one of `endings`, as what is of `kind` does, if it exists and may not be
    replaced, or if it cannot be written."""
    from inv3d.core.errors import UsageError
    from inv3d.core.files import refuse_existing

    if out.suffix.lower() not in endings:
        raise UsageError(f"{out} is not {kind}", f"let --out end in {_or(endings)}")
    refuse_existing(out, force)
    _refuse_unwritable(out.parent, out)


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def check_folder(out: Path) -> None:
    """Raises UsageError if an output folder `out` could not be made after all the work."""
    from inv3d.core.errors import UsageError

    if len(os.fsencode(out.name + _PARTIAL)) > 255:
        raise UsageError(f"{out.name} is too long for the name of a folder", "choose a shorter one")
    above = out.parent
    while _mode(above) == 0 and above != above.parent:
        above = above.parent
    _refuse_unwritable(above, out)


def _refuse_unwritable(folder: Path, out: Path) -> None:
    from inv3d.core.errors import UsageError

    mode, hint = _mode(folder), "choose a folder you may write to"
    if mode == 0:
        raise UsageError(f"{out} cannot be written: there is no folder {folder}", "make the folder first")
    if not stat.S_ISDIR(mode):
        raise UsageError(f"{out} cannot be written: {folder} is not a folder", hint)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{out} cannot be written: {folder} is read-only", hint)


def _mode(path: Path) -> int:
    """What kind of thing a path names; 0 if it names nothing that can be seen."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
