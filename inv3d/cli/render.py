"""`inv3d render`: pictures of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.options import Debug, Device, Force, check_png, parse_angles


def render(
    head: Annotated[Path, typer.Argument(help="An output folder of `inv3d video`.")],
    yaw: Annotated[str, typer.Option(help="Yaws in degrees, with commas.")] = "-60,-30,0,30,60",
    pitch: Annotated[float, typer.Option(help="Pitch in degrees; positive looks from above.")] = 0.0,
    resolution: Annotated[int | None, typer.Option(help="Pixels per side; default: the model's own.")] = None,
    out: Annotated[Path, typer.Option(help="A PNG file; the pictures stand side by side.")] = Path("render.png"),
    device: Device = "auto",
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Render a finished head from chosen sides.

    Example: inv3d render clip-inv3d --yaw -60,0,60 --out turn.png
    """
    angles = parse_angles(yaw)

    import torch

    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.core.head import Head
    from inv3d.export.pictures import row, save_png

    check_png(out, force)
    choice = choose_device(device)
    loaded = Head.load(head, choice.device)
    low, high = torch.tensor(loaded.yaw_range).rad2deg().tolist()
    outside = [angle for angle in angles if not low - 1 <= angle <= high + 1]
    if outside:
        typer.echo(f"note: the clip covers yaws from {low:.0f} to {high:.0f} degrees; {outside} lie outside")
    yaws = torch.tensor(angles).deg2rad()
    camera = loaded.camera(yaws, torch.full_like(yaws, pitch).deg2rad())
    pictures = [loaded.render(camera[i], resolution).image[0].cpu() for i in range(len(camera))]
    with disk_errors(out), write_whole(out, force) as part:
        save_png(part, row(pictures))
    typer.echo(f"wrote {out}")
