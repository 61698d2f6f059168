"""`inv3d models`: what generators there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inv3d.cli.options import Debug, Device, Force, Json, check_png, parse_angles, parse_seeds

if TYPE_CHECKING:
    from torch import Tensor

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

    from inv3d.core.bundle import available, read_info

    infos = [read_info(name) for name in available()]
    if as_json:
        for info in infos:
            typer.echo(json.dumps(info.to_json()))
        return
    for info in infos:
        size = info.generator.resolution
        typer.echo(
            f"{info.name:<10} {size} px, yaws to ±{info.known_yaw:.0f} degrees, licence {info.license}: {info.description}"
        )


@app.command("info")
def model_info(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")], debug: Debug = False
) -> None:
    """The model card: what the model is, how it was trained, its figures and limits."""
    from inv3d.core.bundle import model_folder, read_info

    info = read_info(name)
    card = model_folder(name) / "CARD.md"
    typer.echo(
        card.read_text(encoding="utf-8")
        if card.is_file()
        else f"{info.name}: {info.description} (licence {info.license})"
    )


def _angles(yaw: str, pitch: float) -> tuple[Tensor, Tensor]:
    """Yaws and pitches [C] in radians."""
    import torch

    yaws = torch.tensor(parse_angles(yaw)).deg2rad()
    return yaws, torch.full_like(yaws, pitch).deg2rad()


def _write(out: Path, pictures: list[Tensor], columns: int | None) -> None:
    from inv3d.export.pictures import save_png
    from inv3d.export.sheet import grid
    from inv3d.workspace import disk_errors

    ratio = pictures[0].shape[2] / pictures[0].shape[1]
    with disk_errors(out):
        save_png(out, grid(pictures, columns or max(1, round((len(pictures) / ratio) ** 0.5))))
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
        _write(out, mixing_sheet(bundle, chosen, front, resolution, truncation, _count), len(chosen))
    else:
        _write(out, generator_sheet(bundle, chosen, cameras, resolution, truncation, _count), columns)


@app.command("source")
def source(
    seeds: Seeds = "0-23",
    yaw: Yaw = "-60,0,60",
    pitch: Pitch = 0.0,
    out: Out = Path("source.png"),
    resolution: Resolution = 128,
    columns: Columns = None,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Draw the same heads as `sample demo`, exactly, from the procedural source that demo was trained on.

    Example: inv3d models source --seeds 0-23 --yaw -60,0,60 --out source.png
    """
    check_png(out, force)
    chosen, angles = parse_seeds(seeds), _angles(yaw, pitch)

    from inv3d.core.camera import look_at
    from inv3d.export.sheet import source_sheet

    _write(out, source_sheet(chosen, look_at(*angles), resolution, _count), columns)
