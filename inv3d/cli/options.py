"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import torch

    from inv3d.core.inversion.settings import FitSettings

Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines for programs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
Preset = Annotated[
    str,
    typer.Option(help="auto, fast, fine (slower and better) or paper; auto takes paper on CUDA, fast on a CPU."),
]
Model = Annotated[str, typer.Option(help="Which generator; see `inv3d models list`.")]
Perceptual = Annotated[str, typer.Option(help="own, lpips-alex or lpips-vgg.")]
Identity = Annotated[str, typer.Option(help="own, arcface or curricularface.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]


def chosen_settings(preset: str, device: torch.device) -> FitSettings:
    """The settings of a `Preset`. Raises UsageError."""
    from inv3d.core.errors import UsageError
    from inv3d.core.inversion.settings import PRESETS, preset_for

    if preset == "auto":
        return preset_for(device)
    if preset not in PRESETS:
        raise UsageError(f"there is no preset '{preset}'", f"use auto, {', '.join(PRESETS)}")
    return PRESETS[preset]


def check_png(out: Path, force: bool) -> None:
    """Whether a picture may be written to `out`. Raises UsageError."""
    from inv3d.core.errors import UsageError
    from inv3d.core.files import refuse_existing

    refuse_existing(out, force)
    if out.suffix != ".png":
        raise UsageError(f"{out} is not a PNG file", "let --out end in .png")


def parse_angles(text: str) -> list[float]:
    """ "-60,0,60" to numbers. Raises UsageError."""
    from inv3d.core.errors import UsageError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"'{text}' is not a list of angles", "give degrees with commas: --yaw -60,0,60") from error


def parse_seeds(text: str) -> list[int]:
    """ "0-3,7" to 0, 1, 2, 3, 7. Raises UsageError."""
    from inv3d.core.errors import UsageError

    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds.extend(range(int(first), int(last if dash else first) + 1))
    except ValueError:
        seeds = []
    if not seeds:
        raise UsageError(f"'{text}' is not a list of seeds", "give whole numbers and ranges: --seeds 0-23,42")
    return seeds
