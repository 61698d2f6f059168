"""`inv3d train`: trains the embedded model again from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.options import Debug, Device

app = typer.Typer(help="Train the embedded model again.", no_args_is_help=True)


@app.command("demo")
def train_demo(
    folder: Annotated[Path, typer.Argument(help="Where data, checkpoints and the finished model go.")],
    scale: Annotated[float, typer.Option(help="Factor on data and steps; 0.01 is a trial of a few minutes.")] = 1.0,
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: all cores.")] = None,
    compiled: Annotated[
        bool, typer.Option(help="Fuse the data generation with torch.compile (needs a C++ compiler).")
    ] = True,
    debug: Debug = False,
) -> None:
    """Data, generator, aligner, identity and perceptual networks, one after the other; goes on where it stopped.

    Example: inv3d train demo runs/demo
    """
    import torch

    from inv3d.core.device import choose_device
    from inv3d.core.training.recipe import train_all

    if threads:
        torch.set_num_threads(threads)
    bundle = train_all(folder, scale, choose_device(device).device, compiled, typer.echo)
    typer.echo(f"wrote {bundle}; copy it to inv3d/models/demo to ship it")
