"""`inv3d render`: pictures and videos of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.arguments import Number, angles, input_path, output_path
from inv3d.cli.options import (
    PIXELS,
    Background,
    Debug,
    Device,
    Force,
    HeadFolder,
    Json,
    Pitch,
    Yaws,
    check_file,
    refuse_idle,
)

_YAWS = angles("-60,-30,0,30,60")
_FRAMES = Number(2, 2000, whole=True)
_FPS = Number(1, 120, whole=True)


def render(
    context: typer.Context,
    head: HeadFolder,
    yaw: Yaws = _YAWS,
    pitch: Pitch = 0.0,
    path: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Move the camera instead: swing, circle, ellipse, up-down, spiral or around.",
            show_default="none",
        ),
    ] = "",
    cameras: Annotated[
        Path | None,
        typer.Option(
            parser=input_path,
            metavar="FILE",
            help="Use the cameras of a file instead: cameras.json of an output folder, nerfstudio's transforms.json, or "
            "COLMAP's images.txt.",
            show_default="none",
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(parser=_FRAMES, metavar="NUMBER", help="Number of pictures along a path.")
    ] = 96,
    fps: Annotated[int, typer.Option(parser=_FPS, metavar="NUMBER", help="Pictures per second of a video.")] = 30,
    show: Annotated[
        str, typer.Option(metavar="NAME", help="What to show: color, depth, normals, alpha or grey (the shape alone).")
    ] = "color",
    background: Background = "keep",
    codec: Annotated[str, typer.Option(metavar="NAME", help="Codec of an .mp4 file: h264 or h265.")] = "h264",
    resolution: Annotated[
        int | None,
        typer.Option(parser=PIXELS, metavar="PIXELS", help="Pixels per side.", show_default="those of the frames, or the model's own"),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            parser=output_path,
            metavar="FILE",
            help="File to write: .png (pictures side by side), .exr (one depth), .mp4, .webm (transparent) or .gif; or, without "
            "an ending, a folder of pictures with their cameras.",
        ),
    ] = Path("render.png"),
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Render a finished head from given angles, along a path, or with given cameras.

    A single picture of the depth is a 16-bit PNG file with distances along the rays, 10,000 for one world unit, or an EXR
    file with these distances in world units as 32-bit numbers; both are 0 where there is no head.

    Examples: inv3d render clip-inv3d --yaw -60,0,60 --out turn.png; inv3d render clip-inv3d --path ellipse --out turn.mp4
    """
    from inv3d.cli.terminal import document, teller
    from inv3d.core.errors import UsageError
    from inv3d.export.maps import MAPS
    from inv3d.export.paths import PATHS
    from inv3d.video.write import CODECS, MOVING

    for option, name, names in (("--show", show, MAPS), ("--codec", codec, CODECS), ("--path", path or "swing", PATHS)):
        if name not in names:
            raise UsageError(f"{option} '{name}' is not known", f"use {', '.join(names)}")
    if path and cameras is not None:
        raise UsageError("--path and --cameras exclude each other", "use one of them")
    check_file(out, force, (".png", ".exr", *MOVING, ""), "a picture, a video or a folder")
    suffix = out.suffix.lower()
    turning = not path and cameras is None, "without --path and --cameras"
    moving, mp4 = (suffix in MOVING, "with a video"), (suffix == ".mp4", "with an .mp4 file")
    in_colour = show == "color", "with --show color"
    uses = {"yaw": turning, "pitch": turning, "frames": (bool(path), "with --path"), "fps": moving, "codec": mp4}
    refuse_idle(context, {**uses, "background": in_colour})

    import torch

    from inv3d.budget import require_pictures
    from inv3d.cli.progress import reporter
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors
    from inv3d.core.headfile import load_head
    from inv3d.core.inversion.loop import staged
    from inv3d.export import background as backgrounds
    from inv3d.export.cameras import read_cameras
    from inv3d.export.film import along, outside, write_film, write_folder, write_row

    tell, behind = teller(as_json), backgrounds.Background.parse(background)
    chosen = None if cameras is None else read_cameras(cameras)
    loaded = load_head(head, choose_device(device).device)
    if path:
        chosen = along(loaded, path, frames)
    elif chosen is None:
        if remark := outside(loaded, yaw.degrees):
            tell(remark)
        yaws = torch.tensor(yaw.degrees).deg2rad()
        chosen = loaded.camera(yaws, torch.full_like(yaws, pitch).deg2rad())
    require_pictures(loaded.bundle.info, resolution, len(chosen))
    with interruptible(nothing_kept(out)), disk_errors(out), reporter(as_json) as progress:
        counted = staged(progress, "render")
        if suffix in (".png", ".exr"):
            write_row(loaded, chosen, show, resolution, out, force, behind, counted)
        elif suffix:
            write_film(loaded, chosen, show, resolution, out, fps, codec, force, behind, counted)
        else:
            write_folder(loaded, chosen, show, resolution, out, behind, counted)
    tell(f"wrote {out}")
    if as_json:
        given = {} if path or cameras else {"yaws": list(yaw.degrees), "pitch": pitch}
        document({"out": str(out), **given, "pictures": len(chosen)})
