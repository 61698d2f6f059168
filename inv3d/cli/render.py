"""`inv3d render`: pictures of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.arguments import angles
from inv3d.cli.options import (
    PIXELS,
    Debug,
    Device,
    Force,
    HeadFolder,
    Json,
    Picture,
    Pitch,
    Yaws,
    check_file,
)

_YAWS = angles("-60,-30,0,30,60")


def render(
    head: HeadFolder,
    yaw: Yaws = _YAWS,
    pitch: Pitch = 0.0,
    resolution: Annotated[
        int | None,
        typer.Option(parser=PIXELS, metavar="PIXELS", help="Pixels per side.", show_default="the model's own"),
    ] = None,
    out: Picture = Path("render.png"),
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Render a finished head from given angles, side by side.

    Example: inv3d render clip-inv3d --yaw -60,0,60 --out turn.png
    """
    check_file(out, force, (".png",), "a PNG file")

    import torch

    from inv3d.budget import require_pictures
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.core.head import Head
    from inv3d.export.pictures import row, save_png

    tell = teller(as_json)
    loaded = Head.load(head, choose_device(device).device)
    require_pictures(loaded.bundle.info, resolution, len(yaw.degrees))
    low, high = torch.tensor(loaded.yaw_range).rad2deg().tolist()
    outside = [f"{angle:g}" for angle in yaw.degrees if not low - 1 <= angle <= high + 1]
    if outside:
        tell(f"note: the input shows yaws from {low:.0f} to {high:.0f} degrees only; outside: {', '.join(outside)}")
    yaws = torch.tensor(yaw.degrees).deg2rad()
    camera = loaded.camera(yaws, torch.full_like(yaws, pitch).deg2rad())
    with interruptible(nothing_kept(out)):
        pictures = [loaded.render(camera[i], resolution).image[0].cpu() for i in range(len(camera))]
        with disk_errors(out), write_whole(out, replace=force) as part:
            save_png(part, row(pictures))
    tell(f"wrote {out}")
    if as_json:
        document({"out": str(out), "yaws": list(yaw.degrees), "pitch": pitch})
