"""`inv3d train`: retrain an embedded model, whole or part by part, or train an encoder for any model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inv3d.cli.arguments import Number, OneOf, folder_path, input_path, output_path
from inv3d.cli.options import (
    FACTOR,
    Debug,
    Deterministic,
    Device,
    Force,
    Json,
    Model,
    Ray,
    check_file,
    check_folder,
    refuse_idle,
)
from inv3d.core.encoders.kinds import E3DGE, PREIM3D, check_ingredients, described, ingredients

if TYPE_CHECKING:
    import torch

    from inv3d.core.bundle import Bundle
    from inv3d.core.editing.directions import Directions
    from inv3d.core.training.dataset import Drawing

app = typer.Typer(
    help="Retrain an embedded model, or train an encoder for any model. A stopped training continues from its last "
    "checkpoint, even in a copied folder.\n\nExample: inv3d train demo runs/demo",
)

THREADS = Number(1, 1024, whole=True)

Folder = Annotated[
    Path,
    typer.Argument(parser=folder_path, metavar="FOLDER", help="Folder for data, checkpoints and the finished model."),
]
Scale = Annotated[
    float,
    typer.Option(
        parser=FACTOR, metavar="FACTOR", help="Multiplier of data and steps; 0.01 is a trial of a few minutes."
    ),
]
Threads = Annotated[
    int | None, typer.Option(parser=THREADS, metavar="NUMBER", help="CPU threads.", show_default="those that other programs leave")
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="NAME",
        help="Model whose weights training starts from, such as demo.",
        show_default="random weights",
    ),
]
Compiled = Annotated[bool, typer.Option(help="Speed up data generation with torch.compile (needs a C++ compiler).")]
SourceName = Annotated[
    Literal["people", "toons", "cats", "chairs"],
    typer.Option(
        parser=OneOf(("people", "toons", "cats", "chairs")),
        metavar="people|toons|cats|chairs",
        help="People (needs the extra 'train'), stylised heads, cats or chairs; the later steps follow this choice.",
    ),
]


def _start(device: str, threads: int | None, deterministic: bool = False) -> torch.device:
    """Set the number of threads; returns the device."""
    import torch

    from inv3d.core.device import choose_device

    if threads is not None:
        torch.set_num_threads(threads)
    return choose_device(device, deterministic).device


def _refuse_compiled(context: typer.Context, source: str) -> None:
    """Raises UsageError for a choice that people do not leave: their renderer's kernels are always compiled."""
    refuse_idle(context, {"compiled": (source != "people", "with another --source")})


_DRAWN = 1.5e9
"""Bytes of memory of a process that draws pictures."""


def _drawing(ray: str | None) -> AbstractContextManager[Drawing]:
    """Where training data is drawn: in this process, or on the Ray cluster at an address."""
    from inv3d.batch.spread import spread
    from inv3d.core.training.dataset import in_turn

    return nullcontext(in_turn) if ray is None else spread(ray, _DRAWN)


@contextmanager
def _training(folder: Path, as_json: bool, missing: str = "") -> Iterator[Callable[[str], None]]:
    """The context of all trainings: yields the function that prints lines; a signal prints how to continue; if an
    earlier part is absent, `missing` is the hint."""
    from inv3d.cli.progress import watched
    from inv3d.cli.signals import interruptible
    from inv3d.cli.terminal import teller
    from inv3d.core.errors import InputError
    from inv3d.core.files import disk_errors

    kept = ("the training was stopped", f"run the same command again to continue from the last checkpoint in {folder}")
    try:
        with interruptible(lambda: kept):
            yield watched(teller(as_json))
    except FileNotFoundError as error:
        if not missing:
            raise
        raise InputError(str(error), missing) from error
    except OSError:
        with disk_errors(folder, "choose another folder"):
            raise


def _finish(out: Path, as_json: bool, advice: str = "") -> None:
    """Report what was written."""
    from inv3d.cli.terminal import document, teller

    teller(as_json)(f"wrote {out}{advice}")
    if as_json:
        document({"out": str(out)})


_SHIP = "; copy it to inv3d/models to ship it"


@app.command("data")
def train_data(
    context: typer.Context,
    folder: Folder,
    source: SourceName = "people",
    scale: Scale = 1.0,
    threads: Threads = None,
    compiled: Compiled = True,
    ray: Ray = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Generate the training data in FOLDER/data: points, pixels and pictures of people, stylised heads, cats or chairs.

    Examples: inv3d train data runs/demo; inv3d train data runs/demo --ray auto
    """
    _refuse_compiled(context, source)
    check_folder(folder)

    from inv3d.core.training.recipe import make_data
    from inv3d.core.training.source import SOURCES

    _start("cpu", threads)
    with _training(folder, as_json) as report, _drawing(ray) as drawing:
        make_data(folder, scale, compiled, report, SOURCES[source], drawing)
    _finish(folder / "data", as_json)


@app.command("generator")
def train_generator(
    folder: Folder,
    scale: Scale = 1.0,
    start: Start = None,
    device: Device = "auto",
    deterministic: Deterministic = False,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the generator on FOLDER/data and write FOLDER/generator.pt.

    Example: inv3d train generator runs/demo --from demo
    """
    check_folder(folder)

    from inv3d.core.library import model_folder
    from inv3d.core.training import recipe

    chosen = _start(device, threads, deterministic)
    bundle = model_folder(start) if start is not None else None
    with _training(folder, as_json, f"run: inv3d train data {folder}") as report:
        recipe.train_generator(folder, scale, chosen, report, bundle)
    _finish(folder / "generator.pt", as_json)


@app.command("network")
def train_network(
    name: Annotated[
        Literal["aligner", "identity", "perceptual", "judge"],
        typer.Argument(
            parser=OneOf(("aligner", "identity", "perceptual", "judge")),
            metavar="NETWORK",
            help="Network to train: aligner, identity, perceptual or judge.",
        ),
    ],
    folder: Folder,
    scale: Scale = 1.0,
    start: Start = None,
    device: Device = "auto",
    deterministic: Deterministic = False,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train one of the other networks on FOLDER/data and write FOLDER/NETWORK.pt.

    Examples: inv3d train network aligner runs/demo; inv3d train network aligner runs/demo --from demo
    """
    check_folder(folder)

    from inv3d.core.library import model_folder
    from inv3d.core.training import recipe

    chosen = _start(device, threads, deterministic)
    bundle = model_folder(start) if start is not None else None
    with _training(folder, as_json, f"run: inv3d train data {folder}") as report:
        recipe.train_helper(name, folder, scale, chosen, report, bundle)
    _finish(folder / f"{name}.pt", as_json)


@app.command("assemble")
def train_assemble(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Assemble the trained parts into one model, FOLDER/demo, or FOLDER/cats or FOLDER/chairs of the generator alone.

    Example: inv3d train assemble runs/demo
    """
    check_folder(folder)

    from inv3d.core.training import recipe

    with _training(folder, as_json, "train the missing part first (inv3d train --help)"):
        out = recipe.assemble(folder)
    _finish(out, as_json, _SHIP)


@app.command("directions")
def train_directions(
    context: typer.Context,
    model: Model = "demo",
    out: Annotated[
        Path, typer.Option(parser=output_path, metavar="FILE", help="File of directions to write.")
    ] = Path("directions.safetensors"),
    pictures: Annotated[
        Path | None,
        typer.Option(
            parser=input_path,
            metavar="FOLDER",
            help="Training data (FOLDER/data of `inv3d train data`), off whose pictures an encoder reads codes: beside the file, "
            "another is written with the directions of the inversion manifold (PREIM3D).",
        ),
    ] = None,
    encoder: Annotated[str, typer.Option(metavar="NAME", help="Encoder that reads the codes.")] = PREIM3D,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Find the directions of `inv3d edit` for a model of drawn people (needs the extra 'train'); takes a minute. `inv3d
    train assemble` does it too, without the inversion manifold.

    Example: inv3d train directions --model demo --pictures runs/demo/data --out directions.safetensors
    """
    from inv3d.core.encoders.manifold import manifold_file, manifold_fingerprint

    refuse_idle(context, {"encoder": (pictures is not None, "with --pictures")})
    check_file(out, force, (".safetensors",), "a file of directions")
    beside = manifold_file(out.parent, encoder)
    if pictures is not None:
        check_file(beside, force, (".safetensors",), "a file of directions")

    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.core.bundle import load_bundle
    from inv3d.core.errors import UsageError
    from inv3d.core.files import disk_errors
    from inv3d.core.training.directions import people_directions

    bundle = load_bundle(model)
    if bundle.info.drawn_from != "people":
        raise UsageError(
            f"the model '{model}' has not learned from drawn people", "use `inv3d edit --component` with it"
        )
    fingerprint = "" if pictures is None else manifold_fingerprint(bundle, encoder)
    with interruptible(nothing_kept(out)), disk_errors(out):
        found = people_directions(bundle.generator)
        if pictures is not None:
            _read_off(pictures, bundle, encoder, found).save(beside, fingerprint)
        found.save(out, bundle.fingerprint)
    _finish(out, as_json, _SHIP)


@app.command("style")
def train_style(
    folder: Folder,
    scale: Scale = 1.0,
    device: Device = "auto",
    deterministic: Deterministic = False,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the style of `inv3d edit --style toon` for the embedded model, on its people drawn as stylised heads (needs the
    extra 'train'), and write FOLDER/style-toon.safetensors; takes an hour.

    Example: inv3d train style runs/toon
    """
    check_folder(folder)

    from inv3d.core.training import style

    chosen = _start(device, threads, deterministic)
    with _training(folder, as_json) as report:
        out = style.train_style(folder, scale, chosen, report)
    _finish(out, as_json, _SHIP)


def _read_off(pictures: Path, bundle: Bundle, encoder: str, found: Directions) -> Directions:
    """The directions of the inversion manifold. Raises InputError if the folder has no pictures, ModelError."""
    from inv3d.core.encoders.store import load_encoder
    from inv3d.core.errors import InputError
    from inv3d.core.training.directions import all_attributes
    from inv3d.core.training.manifold import codes_of_pictures, manifold_directions

    try:
        codes, parameters = codes_of_pictures(load_encoder(bundle.name, encoder), pictures)
    except FileNotFoundError as error:
        raise InputError(str(error), "name the folder of data of `inv3d train data`") from error
    return manifold_directions(found, all_attributes(), codes, parameters, bundle.generator.code_space)


@app.command("demo")
def train_demo(
    context: typer.Context,
    folder: Folder,
    source: Annotated[
        Literal["people", "toons"],
        typer.Option(
            parser=OneOf(("people", "toons")), metavar="people|toons", help="People (needs the extra 'train') or stylised heads."
        ),
    ] = "people",
    scale: Scale = 1.0,
    device: Device = "auto",
    deterministic: Deterministic = False,
    threads: Threads = None,
    compiled: Compiled = True,
    ray: Ray = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train everything in order: data, generator, aligner, identity, perceptual, judge; then assemble the model.

    Example: inv3d train demo runs/demo
    """
    _refuse_compiled(context, source)
    check_folder(folder)
    _train_all(source, folder, scale, _start(device, threads, deterministic), compiled, ray, as_json)


@app.command("cats")
@app.command("chairs")
def train_things(
    context: typer.Context,
    folder: Folder,
    scale: Scale = 1.0,
    device: Device = "auto",
    deterministic: Deterministic = False,
    threads: Threads = None,
    compiled: Compiled = True,
    ray: Ray = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a small model of things: data, generator, then aligner and encoder on the generator's own pictures.

    Examples: inv3d train cats runs/cats; inv3d train chairs runs/chairs
    """
    check_folder(folder)
    assert context.info_name is not None
    _train_all(context.info_name, folder, scale, _start(device, threads, deterministic), compiled, ray, as_json)


def _train_all(
    source: str, folder: Path, scale: float, device: torch.device, compiled: bool, ray: str | None, as_json: bool
) -> None:
    """Draw the data of a source, and train an embedded model on it."""
    from inv3d.core.training.recipe import make_data, train_all
    from inv3d.core.training.source import SOURCES

    with _training(folder, as_json) as report:
        with _drawing(ray) as drawing:
            make_data(folder, scale, compiled, report, SOURCES[source], drawing)
        out = train_all(folder, scale, device, report)
    _finish(out, as_json, _SHIP)


@app.command("encoder")
def train_encoder(
    context: typer.Context,
    recipe: Annotated[str, typer.Option(metavar="NAME", help=f"Encoder to train: {described()}.")] = PREIM3D,
    model: Model = "demo",
    data: Annotated[
        Path | None,
        typer.Option(
            parser=input_path,
            metavar="FOLDER",
            help="Photographs to train on; without them, the embedded model's encoder learns from drawn people (needs the extra 'train').",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            parser=folder_path,
            metavar="FOLDER",
            help="Folder for pictures and checkpoints.",
            show_default="runs/encoder-MODEL",
        ),
    ] = None,
    without: Annotated[
        list[str],
        typer.Option(metavar="NAME", help=f"Leave an ingredient out, for the paper's ablations; {ingredients()}."),
    ] = [],  # noqa: B006 - typer copies it
    scale: Scale = 1.0,
    device: Device = "auto",
    deterministic: Deterministic = False,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train an encoder from a photo to a head. For several processes: torchrun --nproc-per-node N -m inv3d ...

    Example: inv3d train encoder --recipe preim3d --model ffhq --data photos
    """
    from inv3d.budget import require_training
    from inv3d.core.bundle import load_bundle
    from inv3d.core.errors import UsageError
    from inv3d.core.files import write_whole
    from inv3d.core.training import job as jobs
    from inv3d.core.training.encoders import RECIPES, STEPS
    from inv3d.core.training.needs import step_bytes
    from inv3d.export.pictures import save_png
    from inv3d.photos import align_photos
    from inv3d.places import find_photos

    if recipe not in RECIPES:
        raise UsageError(f"there is no recipe '{recipe}'", f"choose one of: {', '.join(RECIPES)}")
    check_ingredients(recipe, without)
    refuse_idle(context, {"data": (not (recipe == E3DGE and "local" in without), "with the local branch")})
    own = jobs.join_processes(_start(device, threads, deterministic))
    bundle = load_bundle(model, own)
    folder = folder or Path("runs", f"encoder-{model}")
    check_folder(folder)

    def show(picture: torch.Tensor) -> None:
        with write_whole(folder / "grid.png", replace=True) as part:
            save_png(part, picture)

    with _training(folder, as_json) as report:
        job = jobs.EncoderJob(
            bundle=bundle, folder=folder, device=own, photos=find_photos([data]) if data else (),
            align=lambda photos: align_photos(photos, bundle, report),
            scale=scale, without=frozenset(without),
        )  # fmt: skip
        needs = [(step_bytes(step, bundle, own), step.held) for step in STEPS[recipe](job)]
        most = require_training(needs, model, own)
        jobs.first_alone(lambda: report(f"encoder {recipe}, model {model}, device {own}: about {most / 1e9:.1f} GB of memory at most"))
        path = RECIPES[recipe](job, report, show)
        jobs.first_alone(lambda: _finish(path, as_json))
