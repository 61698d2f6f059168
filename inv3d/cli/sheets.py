"""`inv3d models sample`, `source` and `directions`: contact sheets of heads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inv3d.cli.arguments import Angles, Number, OneOf, Seeds
from inv3d.cli.arguments import angles as parse_angles
from inv3d.cli.arguments import seeds as parse_seeds
from inv3d.cli.models import Name
from inv3d.cli.options import PIXELS, SEED, Debug, Device, Force, Json, Picture, Pitch, Yaws, check_file, refuse_idle
from inv3d.cli.progress import reporter
from inv3d.cli.signals import interruptible, nothing_kept
from inv3d.cli.terminal import document, teller

if TYPE_CHECKING:
    from torch import Tensor

    from inv3d.core.counting import Counted

SHARE = Number(0, 1)
COMPONENTS = Number(0, 80, whole=True)
STRENGTH = Number(0.1, 10)
MOST_ROWS = 128
"""Directions and components of a sheet, at most."""
COLUMNS = Number(1, 10_000, whole=True)

SeedList = Annotated[
    Seeds,
    typer.Option(parser=parse_seeds, metavar="SEEDS", help="Seeds: whole numbers and ranges, separated by commas."),
]
Columns = Annotated[
    int | None,
    typer.Option(parser=COLUMNS, metavar="NUMBER", help="Pictures per row.", show_default="about as wide as high"),
]
Resolution = Annotated[int, typer.Option(parser=PIXELS, metavar="PIXELS", help="Pixels per side of each picture.")]

_SEEDS, _YAWS = parse_seeds("0-23"), parse_angles("-60,0,60")


def sample(
    context: typer.Context,
    name: Name,
    seeds: SeedList = _SEEDS,
    yaw: Yaws = _YAWS,
    pitch: Pitch = 0.0,
    out: Picture = Path("sheet.png"),
    truncation: Annotated[
        float,
        typer.Option(parser=SHARE, metavar="NUMBER", help="Truncation; values below 1 move heads towards the mean."),
    ] = 1.0,
    mix: Annotated[
        bool,
        typer.Option("--mix", help="Mix styles: each row has the shape of one seed, each column the looks of one."),
    ] = False,
    resolution: Resolution = 128,
    columns: Columns = None,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw a contact sheet of random heads of a generator.

    Example: inv3d models sample demo --seeds 0-23 --yaw -60,0,60 --out sheet.png
    """
    refuse_idle(context, {"columns": (not mix, "without --mix"), "yaw": (not mix or len(yaw.degrees) == 1, "with one angle")})
    check_file(out, force, (".png",), "a PNG file")

    from inv3d.budget import require_pictures
    from inv3d.core.bundle import load_bundle, read_info
    from inv3d.core.device import choose_device
    from inv3d.export.sheet import generator_sheet, mixing_sheet

    choice = choose_device(device)
    info = read_info(name)
    if mix:
        require_pictures(info, resolution, len(seeds.numbers) ** 2)
    else:
        require_pictures(info, resolution, len(seeds.numbers) * len(yaw.degrees), together=len(yaw.degrees))
    bundle = load_bundle(name, choice.device)
    cameras = info.camera(*_angles(yaw, pitch)).to(choice.device)

    def draw(counted: Counted) -> list[Tensor]:
        if mix:
            front = cameras[len(cameras) // 2]
            return mixing_sheet(bundle, list(seeds.numbers), front, resolution, truncation, counted)
        return generator_sheet(bundle, list(seeds.numbers), cameras, resolution, truncation, counted)

    _write(out, force, draw, len(seeds.numbers) if mix else columns, as_json)


def source(
    kind: Annotated[
        Literal["people", "toons", "cats", "chairs"],
        typer.Option(
            parser=OneOf(("people", "toons", "cats", "chairs")),
            metavar="NAME",
            help="Source to draw: people (needs the extra 'train'), toons (stylised heads), cats or chairs.",
        ),
    ] = "people",
    seeds: SeedList = _SEEDS,
    yaw: Yaws = _YAWS,
    pitch: Pitch = 0.0,
    out: Picture = Path("source.png"),
    resolution: Resolution = 128,
    columns: Columns = None,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw a contact sheet of exact heads: people, which demo was trained on (same seeds, same people), toons, cats or chairs.

    Example: inv3d models source --seeds 0-23 --yaw -60,0,60 --out people.png
    """
    check_file(out, force, (".png",), "a PNG file")

    from inv3d.budget import require_source
    from inv3d.core.camera import look_at
    from inv3d.core.cats.cat import CAT
    from inv3d.core.chairs.chair import CHAIR
    from inv3d.core.procedural.toon import TOON
    from inv3d.export.sheet import people_sheet, source_sheet

    require_source(resolution, len(seeds.numbers) * len(yaw.degrees), together=len(yaw.degrees))
    cameras = look_at(*_angles(yaw, pitch))
    drawn = {"toons": TOON, "cats": CAT, "chairs": CHAIR}
    draw = people_sheet if kind == "people" else partial(source_sheet, drawn[kind])
    _write(out, force, partial(draw, list(seeds.numbers), cameras, resolution), columns, as_json)


def directions(
    name: Name,
    seed: Annotated[
        int | None,
        typer.Option(parser=SEED, metavar="NUMBER", help="Seed of the head to edit.", show_default="the mean head"),
    ] = None,
    components: Annotated[
        int, typer.Option(parser=COMPONENTS, metavar="NUMBER", help="Also show so many principal components (GANSpace).")
    ] = 0,
    strength: Annotated[
        float, typer.Option(parser=STRENGTH, metavar="NUMBER", help="Strength of the outer columns, in standard deviations.")
    ] = 2.0,
    out: Picture = Path("sheet.png"),
    resolution: Resolution = 96,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw what the directions of `inv3d edit` do: a row for each, its strength growing from left to right.

    Example: inv3d models directions demo --components 8 --out sheet.png
    """
    check_file(out, force, (".png",), "a PNG file")

    from inv3d.budget import require_pictures
    from inv3d.core.bundle import load_bundle, read_info
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.core.inversion.loop import staged
    from inv3d.edited import all_directions
    from inv3d.export.edits import direction_sheet
    from inv3d.export.pictures import save_png
    from inv3d.export.sheet import code_of

    choice = choose_device(device)
    require_pictures(read_info(name), resolution, 5 * MOST_ROWS)
    bundle = load_bundle(name, choice.device)
    shown = all_directions(bundle, components)
    code = bundle.generator.code_space.repeat(bundle.mean_code[None]) if seed is None else code_of(bundle, seed)
    strengths = [strength * share for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    with interruptible(nothing_kept(out)), disk_errors(out), write_whole(out, replace=force) as part, reporter(as_json) as progress:
        save_png(part, direction_sheet(bundle, shown, strengths, code, resolution, staged(progress, "rows")))
    teller(as_json)(f"wrote {out}")
    if as_json:
        document({"out": str(out), "directions": [each.name for each in shown]})


def _angles(yaw: Angles, pitch: float) -> tuple[Tensor, Tensor]:
    """Yaws and pitches [C] in radians."""
    import torch

    yaws = torch.tensor(yaw.degrees).deg2rad()
    return yaws, torch.full_like(yaws, pitch).deg2rad()


def _write(out: Path, force: bool, draw: Callable[[Counted], list[Tensor]], columns: int | None, as_json: bool) -> None:
    """Draw the pictures and write them as one, with `columns` pictures per row."""
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.core.inversion.loop import staged
    from inv3d.export.pictures import save_png
    from inv3d.export.sheet import grid

    with interruptible(nothing_kept(out)), disk_errors(out), write_whole(out, replace=force) as part, reporter(as_json) as progress:
        pictures = draw(staged(progress, "heads"))
        ratio = pictures[0].shape[2] / pictures[0].shape[1]
        wide = columns or max(1, round((len(pictures) / ratio) ** 0.5))
        save_png(part, grid(pictures, min(wide, len(pictures))))
    teller(as_json)(f"wrote {out}")
    if as_json:
        document({"out": str(out)})
