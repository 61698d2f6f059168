"""`inv3d export`: meshes and orbit videos of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.arguments import Number, output_path
from inv3d.cli.options import Debug, Device, Force, HeadFolder, Json, check_file

FACES = Number(100, 10_000_000, whole=True)
RESOLUTION = Number(16, 2048, whole=True)
GRID = 144
"""The default number of grid cells per side from which a mesh is extracted."""


def export(
    head: HeadFolder,
    out: Annotated[
        Path,
        typer.Option(
            parser=output_path, metavar="FILE", help="File to write: .glb, .ply, .obj or .stl (mesh), or .mp4 (orbit)."
        ),
    ] = Path("head.glb"),
    faces: Annotated[
        int, typer.Option(parser=FACES, metavar="NUMBER", help="Maximum number of triangles of a mesh.")
    ] = 60_000,
    resolution: Annotated[
        int | None,
        typer.Option(
            parser=RESOLUTION,
            metavar="NUMBER",
            help="Grid cells per side of a mesh, or pixels per side of an orbit.",
            show_default=f"mesh: {GRID}; orbit: the model's own",
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Export a mesh or an orbit video of a finished head.

    A mesh is a closed surface in the model's world units. GLB and OBJ files have y up and the face towards +z; PLY and STL
    files have z up and the face towards -y. All formats but STL contain the colours.

    Example: inv3d export clip-inv3d --out head.ply --resolution 256
    """
    from inv3d.budget import require_mesh, require_pictures
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.core.head import Head
    from inv3d.export.mesh import FORMATS, extract_mesh, write_mesh
    from inv3d.export.orbit import FRAMES, write_orbit

    check_file(out, force, (*FORMATS, ".mp4"), "an export format")
    orbit = out.suffix.lower() == ".mp4"
    loaded = Head.load(head, choose_device(device).device)
    if orbit:
        require_pictures(loaded.bundle.info, resolution, FRAMES)
    else:
        require_mesh(resolution or GRID)
    with interruptible(nothing_kept(out)), disk_errors(out), write_whole(out, replace=force) as part:
        if orbit:
            write_orbit(loaded, part, resolution=resolution)
        else:
            write_mesh(extract_mesh(loaded, resolution or GRID, faces), part)
    teller(as_json)(f"wrote {out}")
    if as_json:
        document({"out": str(out)})
