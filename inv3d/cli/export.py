"""`inv3d export`: meshes and orbits of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.options import Debug, Device, Force


def export(
    head: Annotated[Path, typer.Argument(help="An output folder of `inv3d video`.")],
    out: Annotated[Path, typer.Option(help="File to write: .glb, .ply, .obj, .stl (mesh) or .mp4 (orbit).")] = Path(
        "head.glb"
    ),
    faces: Annotated[int, typer.Option(help="Largest number of triangles of a mesh.")] = 60_000,
    resolution: Annotated[int | None, typer.Option(help="Grid cells per side (mesh) or pixels (orbit).")] = None,
    device: Device = "auto",
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Write a mesh or an orbit video of a finished head.

    Example: inv3d export clip-inv3d --out head.ply --resolution 256
    """
    from inv3d.core.device import choose_device
    from inv3d.core.errors import UsageError
    from inv3d.core.files import disk_errors, refuse_existing, write_whole
    from inv3d.core.head import Head
    from inv3d.export.mesh import FORMATS, extract_mesh, write_mesh
    from inv3d.export.orbit import write_orbit

    if out.suffix.lower() not in (*FORMATS, ".mp4"):
        raise UsageError(f"'{out.suffix}' is not a format to export", f"let --out end in {', '.join(FORMATS)} or .mp4")
    refuse_existing(out, force)
    loaded = Head.load(head, choose_device(device).device)
    with disk_errors(out), write_whole(out, force) as part:
        if out.suffix.lower() == ".mp4":
            write_orbit(loaded, part, resolution=resolution)
        else:
            write_mesh(extract_mesh(loaded, resolution or 144, faces), part)
    typer.echo(f"wrote {out}")
