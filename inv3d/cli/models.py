"""`inv3d models`: list, import, prepare, check and remove generators."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inv3d.cli.arguments import Number, checkpoint_path
from inv3d.cli.options import FACTOR, Debug, Device, Force, Json, refuse_idle
from inv3d.cli.progress import watched
from inv3d.cli.signals import check, interruptible, nothing_kept
from inv3d.cli.terminal import counter, document, say, teller

if TYPE_CHECKING:
    from inv3d.core.bundle import ModelInfo
    from inv3d.core.imports import Import
    from inv3d.fetch import Entry

app = typer.Typer(help="Manage the models on this machine.\n\nExample: inv3d models list")

FOCAL = Number(0.1, 100)
KNOWN_YAW = Number(1, 180)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Model; `inv3d models list` shows all.")]


@app.command("list")
def list_models(as_json: Json = False, debug: Debug = False) -> None:
    """List the models: name, output size, known yaw range and licence.

    Example: inv3d models list
    """
    from inv3d.core.bundle import read_info
    from inv3d.core.errors import ModelError
    from inv3d.core.library import available

    found: list[dict[str, Any]] = []
    for name in available():
        try:
            info = read_info(name)
        except ModelError as error:  # one damaged model must not hide the others
            found.append({"name": name, "error": error.message})
            line = error.message
        else:
            found.append(info.model_dump(mode="json"))
            line = (
                f"{info.generator.resolution} px, yaws to ±{info.known_yaw:.0f} degrees, licence {info.license}: "
                f"{info.description}"
            )
        if not as_json:
            say(f"{name:<10} {line}")
    if as_json:
        document(found)


@app.command("info")
def model_info(name: Name, as_json: Json = False, debug: Debug = False) -> None:
    """Print the model card: what the model is, how it was trained, its figures and its limits.

    Example: inv3d models info demo
    """
    from inv3d.core.bundle import ALIGNER, read_info
    from inv3d.core.encoders.kinds import ENCODERS
    from inv3d.core.library import is_embedded, model_folder

    info, folder = read_info(name), model_folder(name)
    ready = (folder / ALIGNER).is_file()
    encoders = [kind for kind in ENCODERS if (folder / f"{kind}.safetensors").is_file()]
    if as_json:
        document({**info.model_dump(mode="json"), "folder": str(folder), "prepared": ready, "encoders": encoders})
        return
    if is_embedded(name):
        for line in (folder / "CARD.md").read_text(encoding="utf-8").splitlines():
            say(line)
        return
    config = info.generator
    say(f"{info.name}: {info.description}")
    say(f"licence: {info.license}")
    say(f"{config.resolution} px from {config.raw_resolution} x {config.raw_resolution} rays, w of {config.w_dim}")
    say(f"cameras at {info.radius} looking at {info.pivot}, focal {info.focal}; yaws to ±{info.known_yaw:.0f} degrees")
    for key, value in (info.source or {}).items():
        say(f"{key}: {value}")
    say("prepared" if ready else f"not prepared, so it cannot find heads in pictures; run: inv3d models prepare {name}")
    say(f"encoders: {', '.join(encoders) or 'none'}")


License = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="The model's licence in one line, for the report.", show_default="unknown"),
]


@app.command("import")
def import_model(
    file: Annotated[
        Path,
        typer.Argument(parser=checkpoint_path, metavar="FILE", help="Checkpoint: a .pkl, .pt or .safetensors file."),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the imported model.")],
    like: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Family of a file that holds only weights: ffhq, lpff, afhqcats or shapenetcars."
        ),
    ] = None,
    license: License = None,
    focal: Annotated[
        float,
        typer.Option(
            parser=FOCAL,
            metavar="NUMBER",
            help="Focal length of the training cameras in image widths; ShapeNet cars: 1.025.",
        ),
    ] = 4.2647,
    known_yaw: Annotated[
        float,
        typer.Option(
            parser=KNOWN_YAW, metavar="DEGREES", help="Largest yaw, to either side, of the training pictures."
        ),
    ] = 60.0,
    faces: Annotated[bool, typer.Option("--faces/--no-faces", help="Whether the model shows human faces.")] = True,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Import a public EG3D checkpoint. No code in the file is executed.

    Example: inv3d models import ffhq512-128.pkl --name ffhq
    """
    from inv3d.core.imports import UNKNOWN_LICENSE, Import

    _import(Import(file, name, like, license or UNKNOWN_LICENSE, focal, known_yaw, faces, force), as_json)


@app.command("import-encoder")
def import_encoder(
    file: Annotated[
        Path,
        typer.Argument(
            parser=checkpoint_path, metavar="FILE", help="Encoder checkpoint: a .pt file, such as PREIM3D's."
        ),
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Imported model that the encoder was trained for.")],
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Import a public encoder (PREIM3D, e4e, pSp) for an imported model. No code in the file is executed.

    Example: inv3d models import-encoder preim3d_ffhq.pt --model ffhq
    """
    import torch

    from inv3d.core.bundle import load_bundle
    from inv3d.core.encoders.imports import read_public_encoder
    from inv3d.core.encoders.kinds import PREIM3D
    from inv3d.core.encoders.store import encoder_file, save_encoder
    from inv3d.core.errors import UsageError
    from inv3d.core.library import is_embedded

    path = encoder_file(model, PREIM3D)
    if is_embedded(model):
        raise UsageError(
            f"the encoder of the embedded model '{model}' cannot be replaced", "use --model with an imported model"
        )
    if path.exists() and not force:
        raise UsageError(f"the model '{model}' already has an encoder", "use --force to replace it")
    with interruptible(nothing_kept(path)), _home_errors():
        encoder = read_public_encoder(file, load_bundle(model))
        save_encoder(encoder, path, torch.float32)
    teller(as_json)(f"imported a {encoder.config.kind} encoder for {model}: inv3d image face.png --model {model}")
    if as_json:
        document({"model": model, "encoder": encoder.config.kind, "out": str(path)})


def _home_errors() -> AbstractContextManager[None]:
    """Turn errors of writing to the models' folder into UsageError, with a hint how to choose another."""
    from inv3d.core.files import disk_errors
    from inv3d.core.library import home

    return disk_errors(home(), "choose another folder for models with INV3D_HOME")


def _import(job: Import, as_json: bool) -> None:
    from inv3d.core.imports import import_checkpoint
    from inv3d.core.library import model_folder

    tell = teller(as_json)
    with interruptible(nothing_kept(f"the model '{job.name}'")), _home_errors():
        info = import_checkpoint(job, tell)
    folder = model_folder(info.name)
    tell(f"imported {info.name}: {info.generator.resolution} px, in {folder}")
    tell(f"licence: {info.license}")
    picture, oddities = _mean_picture(info, folder)
    tell(f"its mean head from three sides: {picture}")
    for oddity in oddities:
        tell(f"warning: {oddity}")
    tell(f"next: inv3d models prepare {info.name}")
    if as_json:
        document({**info.model_dump(mode="json"), "folder": str(folder), "picture": str(picture), "oddities": oddities})


def _mean_picture(info: ModelInfo, folder: Path) -> tuple[Path, list[str]]:
    """Save a picture of an imported generator in its folder; returns its path and what is odd about it."""
    from inv3d.core.bundle import load_bundle
    from inv3d.core.sanity import look_at_mean
    from inv3d.export.pictures import save_png
    from inv3d.export.sheet import grid

    look = look_at_mean(load_bundle(info.name).generator, info)
    out = folder / "mean.png"
    with _home_errors():
        save_png(out, grid(list(look.pictures), 3))
    return out, list(look.oddities)


@app.command("fetch")
def fetch_model(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name in the catalogue; without it, the catalogue is printed."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not use the network.")] = False,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Download a public checkpoint and import it; an interrupted download is continued.

    Example: inv3d models fetch ffhq
    """
    import dataclasses

    from inv3d.core.errors import ModelError
    from inv3d.core.imports import Import
    from inv3d.core.library import new_folder
    from inv3d.fetch import catalogue, entry, fetch, place

    fetched = name is not None, "with a NAME of the catalogue"
    refuse_idle(context, {"offline": fetched, "force": fetched})
    tell = teller(as_json)
    if name is None:
        known = list(catalogue().values())
        if as_json:
            document([dataclasses.asdict(each) for each in known])
        for each in [] if as_json else known:
            _describe(each, tell)
        return
    wanted = entry(name)
    new_folder(name, force)
    _describe(wanted, tell)
    own = not place(wanted).exists()  # otherwise the user put it there
    kept = (f"the download of '{name}' was stopped", "run the same command again to continue it")
    with interruptible(lambda: kept), _home_errors():
        file = fetch(wanted, offline, _megabytes)
    with _home_errors():
        job = Import(file, name, wanted.like, wanted.license, wanted.focal, wanted.known_yaw, wanted.faces, force)
        try:
            _import(job, as_json)
        except ModelError as error:
            raise ModelError(error.message, f"remove {file} to fetch it again; {error.hint}") from error
        if own:
            file.unlink()


def _describe(entry: Entry, tell: Callable[[str], None]) -> None:
    size = "size unknown" if entry.size is None else f"{entry.size / 1e6:.0f} MB"
    check = "checked by SHA-256" if entry.sha256 else "SHA-256 unknown"
    tell(f"{entry.name}: {entry.address} ({size}, {check})")
    tell(f"  licence: {entry.license}")


def _megabytes(done: int, total: int | None) -> None:
    check()
    counter(f"{done / 1e6:.0f}", "?" if total is None else f"{total / 1e6:.0f}", "MB")


@app.command("prepare")
def prepare_model(
    name: Name,
    scale: Annotated[
        float, typer.Option(parser=FACTOR, metavar="FACTOR", help="Multiplier of pictures and steps; 0.02 is a trial.")
    ] = 1.0,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train an aligner for an imported model on its own renders, and measure its codes. A stopped run is continued.

    Example: inv3d models prepare ffhq
    """
    from inv3d.core.library import is_embedded, model_folder

    folder, tell = model_folder(name), teller(as_json)
    # printed before the libraries are loaded, which takes a while on a busy machine
    tell(f"preparing {name}")

    from inv3d.core.bundle import ALIGNER
    from inv3d.core.device import choose_device
    from inv3d.core.errors import UsageError
    from inv3d.core.training.prepare import Plan, prepare

    if is_embedded(name) or ((folder / ALIGNER).exists() and not force):
        raise UsageError(f"the model '{name}' is already prepared", "use --force to prepare an imported model again")
    choice = choose_device(device)
    kept = (f"preparing '{name}' was stopped", "run the same command again to continue from the last checkpoint")
    with interruptible(lambda: kept), _home_errors():
        prepare(name, Plan().scaled(scale), choice.device, watched(tell))
    tell(f"prepared {name}: inv3d video clip.mp4 --model {name} --views 9 --latents")
    if as_json:
        document({"model": name, "prepared": True})


@app.command("verify")
def verify_model(name: Name, as_json: Json = False, debug: Debug = False) -> None:
    """Check that an imported model is unchanged, and that a model renders.

    Example: inv3d models verify ffhq
    """
    from inv3d.core.imports import verify

    verify(name)
    teller(as_json)(f"the model '{name}' is intact")
    if as_json:
        document({"model": name, "well": True})


@app.command("remove")
def remove_model(name: Name, as_json: Json = False, debug: Debug = False) -> None:
    """Delete an imported model. Heads that were made with it can no longer be rendered.

    Example: inv3d models remove ffhq
    """
    from inv3d.core.files import disk_errors
    from inv3d.core.library import home, remove

    with disk_errors(home(), "check the folder's permissions"):
        folder = remove(name)
    teller(as_json)(f"removed {folder}")
    if as_json:
        document({"removed": str(folder)})
