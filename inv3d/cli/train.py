"""`inv3d train`: trains the embedded model again, whole or part by part, and encoders of any model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inv3d.cli.options import Debug, Device

if TYPE_CHECKING:
    import torch

app = typer.Typer(
    help="Train the embedded model again, or an encoder for any model. Everything goes on where it stopped, also in a "
    "copied folder.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Where data, checkpoints and the finished model go.")]
Scale = Annotated[float, typer.Option(help="Factor on data and steps; 0.01 is a trial of a few minutes.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; default: all cores.")]
Compiled = Annotated[bool, typer.Option(help="Fuse the data generation with torch.compile (needs a C++ compiler).")]


def _limit(threads: int | None) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)


def _start(device: str, threads: int | None) -> torch.device:
    from inv3d.core.device import choose_device

    _limit(threads)
    return choose_device(device).device


def _finished(bundle: Path) -> None:
    typer.echo(f"wrote {bundle}; copy it to inv3d/models/demo to ship it")


def _needs(what: Callable[[], object], hint: str) -> None:
    """Run a part; a missing earlier part becomes a clear error."""
    from inv3d.core.errors import InputError

    try:
        what()
    except FileNotFoundError as error:
        raise InputError(str(error), hint) from error


@app.command("data")
def train_data(
    folder: Folder, scale: Scale = 1.0, threads: Threads = None, compiled: Compiled = True, debug: Debug = False
) -> None:
    """Draw the training data: points, pixels and pictures of procedural heads, in FOLDER/data."""
    from inv3d.core.training.recipe import make_data

    _limit(threads)
    make_data(folder, scale, compiled, typer.echo)


@app.command("generator")
def train_generator(
    folder: Folder,
    scale: Scale = 1.0,
    start: Annotated[
        str | None, typer.Option("--from", help="A model to go on from (demo), instead of from nothing.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Distil the procedural source into the generator, from FOLDER/data to FOLDER/generator.pt."""
    from inv3d.core.library import model_folder
    from inv3d.core.training import recipe

    chosen = _start(device, threads)
    bundle = model_folder(start) if start else None
    _needs(lambda: recipe.train_generator(folder, scale, chosen, typer.echo, bundle), f"run: inv3d train data {folder}")


@app.command("network")
def train_network(
    name: Annotated[Literal["aligner", "identity", "perceptual", "judge"], typer.Argument(help="Which network.")],
    folder: Folder,
    scale: Scale = 1.0,
    device: Device = "auto",
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Train a network beside the generator, from FOLDER/data to FOLDER/NAME.pt."""
    from inv3d.core.training import recipe

    chosen = _start(device, threads)
    _needs(lambda: recipe.train_helper(name, folder, scale, chosen, typer.echo), f"run: inv3d train data {folder}")


@app.command("assemble")
def train_assemble(folder: Folder, debug: Debug = False) -> None:
    """Put the trained parts into one model, FOLDER/demo."""
    from inv3d.core.training import recipe

    _needs(
        lambda: _finished(recipe.assemble(folder, folder / "demo")),
        "train the missing part first (inv3d train --help)",
    )


@app.command("demo")
def train_demo(
    folder: Folder,
    scale: Scale = 1.0,
    device: Device = "auto",
    threads: Threads = None,
    compiled: Compiled = True,
    debug: Debug = False,
) -> None:
    """All parts, one after the other: data, generator, aligner, identity, perceptual, judge, the finished model.

    Example: inv3d train demo runs/demo
    """
    from inv3d.core.training.recipe import train_all

    _finished(train_all(folder, scale, _start(device, threads), compiled, typer.echo))


@app.command("encoder")
def train_encoder(
    recipe: Annotated[Literal["preim3d"], typer.Option(help="Which encoder, and how it is trained.")] = "preim3d",
    model: Annotated[str, typer.Option(help="For which generator; see `inv3d models list`.")] = "demo",
    data: Annotated[
        Path | None,
        typer.Option(help="Photographs to learn from; the embedded model learns from procedural heads without."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where pictures and checkpoints go; default: runs/encoder-MODEL.")
    ] = None,
    alternating: Annotated[
        bool, typer.Option(help="Rounds with the generator's own pictures; off for the paper's ablation.")
    ] = True,
    around: Annotated[
        bool, typer.Option(help="The identity loss on surrounding views; off for the paper's ablation.")
    ] = True,
    scale: Scale = 1.0,
    device: Device = "auto",
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Train an encoder that turns one photo into a head. Several processes: torchrun --nproc-per-node N -m inv3d ...

    Example: inv3d train encoder --recipe preim3d --model ffhq --data photos
    """
    from inv3d.core.bundle import load_bundle
    from inv3d.core.files import write_whole
    from inv3d.core.training import encoders
    from inv3d.export.pictures import save_png
    from inv3d.photos import draw_photos

    own = encoders.join_processes(_start(device, threads))
    folder = folder or Path("runs", f"encoder-{model}")
    folder.mkdir(parents=True, exist_ok=True)
    bundle = load_bundle(model, own)
    plan = encoders.scaled(encoders.recipe_for(bundle), scale)
    plan = encoders.without(plan, alternating=not alternating, around=not around)

    def draw() -> None:
        encoders.draw_inside(bundle, plan, folder, typer.echo)
        if data is not None:
            draw_photos(data, bundle, plan.samples.resolution, folder, typer.echo)
        elif bundle.info.subject == "heads":
            encoders.draw_procedural(folder, scale, typer.echo)

    encoders.first_alone(draw)
    trainer = encoders.make_trainer(bundle, plan, folder, own)
    for step in trainer.run(folder / f"{recipe}.pt", typer.echo):
        if trainer.rank == 0 and (step % 250 == 0 or step == plan.steps):
            with write_whole(folder / "grid.png", replace=True) as part:
                save_png(part, trainer.grid())
    encoders.first_alone(lambda: typer.echo(f"wrote {encoders.finish(trainer, recipe, folder)}"))
