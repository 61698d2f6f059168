"""`inv3d models`: what generators there are."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inv3d.cli.options import Debug, Device, Force, Json, check_png, parse_angles, parse_seeds

if TYPE_CHECKING:
    from torch import Tensor

    from inv3d.core.imports import Import
    from inv3d.fetch import Entry

app = typer.Typer(help="The generators on this machine.", no_args_is_help=True)

Seeds = Annotated[str, typer.Option(help="Whole numbers and ranges, with commas.")]
Yaw = Annotated[str, typer.Option(help="Yaws in degrees, with commas; every head is drawn from each.")]
Pitch = Annotated[float, typer.Option(help="Pitch in degrees; positive looks from above.")]
Columns = Annotated[int | None, typer.Option(min=1, help="Heads in a row; default: about as wide as high.")]
Resolution = Annotated[int, typer.Option(min=16, help="Pixels per side of a picture.")]
Out = Annotated[Path, typer.Option(help="A PNG file.")]


@app.command("list")
def list_models(as_json: Json = False, debug: Debug = False) -> None:
    """Name, output size, known yaw range and licence of every model."""
    import json

    from inv3d.core.bundle import read_info
    from inv3d.core.errors import ModelError
    from inv3d.core.library import available

    for name in available():
        try:
            info = read_info(name)
        except ModelError as error:  # it must not hide the others
            typer.echo(json.dumps({"name": name, "error": error.message}) if as_json else f"{name:<10} {error.message}")
            continue
        if as_json:
            typer.echo(json.dumps(info.model_dump(mode="json")))
            continue
        typer.echo(
            f"{name:<10} {info.generator.resolution} px, yaws to ±{info.known_yaw:.0f} degrees, "
            f"licence {info.license}: {info.description}"
        )


@app.command("info")
def model_info(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")], debug: Debug = False
) -> None:
    """The model card: what the model is, how it was trained, its figures and limits."""
    from inv3d.core.bundle import ALIGNER, read_info
    from inv3d.core.encoders.store import ENCODERS
    from inv3d.core.library import is_embedded, model_folder

    info, folder = read_info(name), model_folder(name)
    if is_embedded(name):
        typer.echo((folder / "CARD.md").read_text(encoding="utf-8"))
        return
    config = info.generator
    typer.echo(f"{info.name}: {info.description}")
    typer.echo(f"licence: {info.license}")
    typer.echo(
        f"{config.resolution} px from {config.raw_resolution} x {config.raw_resolution} rays, w of {config.w_dim}"
    )
    typer.echo(
        f"cameras at {info.radius} looking at {info.pivot}, focal {info.focal}; yaws to ±{info.known_yaw:.0f} degrees"
    )
    for key, value in (info.source or {}).items():
        typer.echo(f"{key}: {value}")
    ready = (folder / ALIGNER).is_file()
    typer.echo("prepared" if ready else f"finds no heads in pictures yet; run: inv3d models prepare {name}")
    encoders = [kind for kind in ENCODERS if (folder / f"{kind}.safetensors").is_file()]
    typer.echo(f"encoders: {', '.join(encoders) or 'none'}")


License = Annotated[str | None, typer.Option(help="Its licence in one line, for the report; default: not told.")]


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A .pkl, .pt or .safetensors file.")],
    name: Annotated[str, typer.Option(help="What the model is to be called.")],
    like: Annotated[str | None, typer.Option(help="Family of bare weights: ffhq, afhqcats or shapenetcars.")] = None,
    license: License = None,
    focal: Annotated[
        float, typer.Option(help="Focal length of its training cameras in image widths; ShapeNet cars: 1.025.")
    ] = 4.2647,
    known_yaw: Annotated[float, typer.Option(help="Degrees to either side that its training pictures show.")] = 60.0,
    faces: Annotated[bool, typer.Option("--faces/--no-faces", help="Whether it shows people.")] = True,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Import a public EG3D checkpoint. Nothing of the file is executed.

    Example: inv3d models import ffhq512-128.pkl --name ffhq
    """
    from inv3d.core.imports import UNKNOWN_LICENSE, Import

    _import(Import(file, name, like, license or UNKNOWN_LICENSE, focal, known_yaw, faces, force))


@app.command("import-encoder")
def import_encoder(
    file: Annotated[Path, typer.Argument(help="A .pt file with an encoder, such as PREIM3D's.")],
    model: Annotated[str, typer.Option(help="The imported generator that it was trained for.")],
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Import a public encoder (PREIM3D, e4e, pSp) for an imported model. Nothing of the file is executed.

    Example: inv3d models import-encoder preim3d_ffhq.pt --model ffhq
    """
    import torch

    from inv3d.core.bundle import load_bundle
    from inv3d.core.encoders.imports import read_public_encoder
    from inv3d.core.encoders.store import PREIM3D, encoder_file, save_encoder
    from inv3d.core.errors import UsageError
    from inv3d.core.library import is_embedded

    path = encoder_file(model, PREIM3D)
    if is_embedded(model):
        raise UsageError(f"the encoder of '{model}' is embedded and stays", "name an imported model with --model")
    if path.exists() and not force:
        raise UsageError(f"'{model}' has an encoder already", "use --force to replace it")
    encoder = read_public_encoder(file, load_bundle(model))
    with _home_errors():
        save_encoder(encoder, path, torch.float32)
    typer.echo(f"imported a {encoder.config.kind} encoder for {model}: inv3d image face.png --model {model}")


def _home_errors() -> AbstractContextManager[None]:
    """Errors of writing to the folder of the models, with how to choose another."""
    from inv3d.core.files import disk_errors
    from inv3d.core.library import home

    return disk_errors(home(), "choose another folder for models with INV3D_HOME")


def _import(job: Import) -> None:
    from inv3d.core.imports import import_checkpoint
    from inv3d.core.library import model_folder

    with _home_errors():
        info = import_checkpoint(job)
    typer.echo(f"imported {info.name}: {info.generator.resolution} px, in {model_folder(info.name)}")
    typer.echo(f"licence: {info.license}")
    typer.echo(f"next: inv3d models prepare {info.name}")


@app.command("fetch")
def fetch_model(
    name: Annotated[
        str | None, typer.Argument(help="A name of the catalogue; without one the catalogue is shown.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never touch the network.")] = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Fetch a public checkpoint and import it; an interrupted download goes on.

    Example: inv3d models fetch ffhq
    """
    from inv3d.core.errors import ModelError
    from inv3d.core.imports import Import
    from inv3d.core.library import new_folder
    from inv3d.fetch import catalogue, entry, fetch, place

    if name is None:
        for known in catalogue().values():
            typer.echo(_described(known))
        return
    wanted = entry(name)
    new_folder(name, force)
    typer.echo(_described(wanted))
    own = not place(wanted).exists()  # else a person put it there
    with _home_errors():
        file = fetch(wanted, offline, _megabytes)
        try:
            _import(Import(file, name, wanted.like, wanted.license, wanted.focal, wanted.known_yaw, wanted.faces, force))
        except ModelError as error:
            raise ModelError(error.message, f"remove {file} to fetch it again; {error.hint}") from error
        if own:
            file.unlink()


def _described(entry: Entry) -> str:
    size = "size not known" if entry.size is None else f"{entry.size / 1e6:.0f} MB"
    check = "checked by SHA-256" if entry.sha256 else "no SHA-256 known"
    return f"{entry.name}: {entry.address} ({size}, {check})\n  licence: {entry.license}"


def _megabytes(done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        of = "" if total is None else f" of {total / 1e6:.0f}"
        typer.echo(f"\r{done / 1e6:.0f}{of} MB", nl=done == total, err=True)


@app.command("prepare")
def prepare_model(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")],
    scale: Annotated[float, typer.Option(help="Factor on pictures and steps; 0.02 is a trial.")] = 1.0,
    device: Device = "auto",
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Train an aligner for an imported model, on its own renders, and measure its codes. Goes on where it was stopped.

    Example: inv3d models prepare ffhq
    """
    from inv3d.core.bundle import ALIGNER
    from inv3d.core.device import choose_device
    from inv3d.core.errors import UsageError
    from inv3d.core.library import is_embedded, model_folder
    from inv3d.core.training.prepare import Plan, prepare

    folder = model_folder(name)
    if is_embedded(name) or ((folder / ALIGNER).exists() and not force):
        raise UsageError(f"'{name}' is prepared already", "use --force to prepare an imported model anew")
    choice = choose_device(device)
    with _home_errors():
        prepare(name, Plan().scaled(scale), choice.device, typer.echo)
    typer.echo(f"prepared {name}: inv3d video clip.mp4 --model {name} --views 9 --latents")


@app.command("verify")
def verify_model(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")], debug: Debug = False
) -> None:
    """Check that a model's weights are those that were imported, and that it renders."""
    from inv3d.core.imports import verify

    verify(name)
    typer.echo(f"{name} is well")


@app.command("remove")
def remove_model(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")], debug: Debug = False
) -> None:
    """Delete an imported model. Heads that were made with it cannot be rendered any more."""
    from inv3d.core.files import disk_errors
    from inv3d.core.library import home, remove

    with disk_errors(home(), "see who owns the folder"):
        typer.echo(f"removed {remove(name)}")


def _angles(yaw: str, pitch: float) -> tuple[Tensor, Tensor]:
    """Yaws and pitches [C] in radians."""
    import torch

    yaws = torch.tensor(parse_angles(yaw)).deg2rad()
    return yaws, torch.full_like(yaws, pitch).deg2rad()


def _write(out: Path, force: bool, pictures: list[Tensor], columns: int | None) -> None:
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.export.pictures import save_png
    from inv3d.export.sheet import grid

    ratio = pictures[0].shape[2] / pictures[0].shape[1]
    with disk_errors(out), write_whole(out, force) as part:
        save_png(part, grid(pictures, columns or max(1, round((len(pictures) / ratio) ** 0.5))))
    typer.echo(f"wrote {out}")


def _count(done: int, total: int) -> None:
    """A counter for people who watch; logs stay clean."""
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {total}", nl=done == total, err=True)


@app.command("sample")
def sample(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")],
    seeds: Seeds = "0-23",
    yaw: Yaw = "-60,0,60",
    pitch: Pitch = 0.0,
    out: Out = Path("sheet.png"),
    truncation: Annotated[float, typer.Option(min=0.0, max=1.0, help="Below 1 heads come closer to the mean.")] = 1.0,
    mix: Annotated[bool, typer.Option("--mix", help="Row i shows the shape of a seed, column j the looks.")] = False,
    resolution: Resolution = 128,
    columns: Columns = None,
    device: Device = "auto",
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Draw a contact sheet of random heads of a generator.

    Example: inv3d models sample demo --seeds 0-23 --yaw -60,0,60 --out sheet.png
    """
    check_png(out, force)
    chosen, angles = parse_seeds(seeds), _angles(yaw, pitch)

    from inv3d.core.bundle import load_bundle
    from inv3d.core.device import choose_device
    from inv3d.export.sheet import generator_sheet, mixing_sheet

    choice = choose_device(device)
    bundle = load_bundle(name, choice.device)
    cameras = bundle.info.camera(*angles).to(choice.device)
    if mix:
        front = cameras[len(cameras) // 2]
        _write(out, force, mixing_sheet(bundle, chosen, front, resolution, truncation, _count), len(chosen))
    else:
        _write(out, force, generator_sheet(bundle, chosen, cameras, resolution, truncation, _count), columns)


@app.command("source")
def source(
    kind: Annotated[
        Literal["toons", "people"], typer.Option(help="Stylised heads, or people (needs the extra 'train').")
    ] = "toons",
    seeds: Seeds = "0-23",
    yaw: Yaw = "-60,0,60",
    pitch: Pitch = 0.0,
    out: Out = Path("source.png"),
    resolution: Resolution = 128,
    columns: Columns = None,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Draw the same heads as `sample demo`, exactly, from the procedural source that demo was trained on, or people.

    Example: inv3d models source --kind people --seeds 0-23 --yaw -60,0,60 --out people.png
    """
    check_png(out, force)
    chosen, angles = parse_seeds(seeds), _angles(yaw, pitch)

    from inv3d.core.camera import look_at
    from inv3d.export.sheet import people_sheet, source_sheet

    draw = people_sheet if kind == "people" else source_sheet
    _write(out, force, draw(chosen, look_at(*angles), resolution, _count), columns)
