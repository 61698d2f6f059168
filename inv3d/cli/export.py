"""`inv3d export`: meshes and orbit videos of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inv3d.cli.arguments import Length, Number, output_path
from inv3d.cli.options import Debug, Device, Force, HeadFolder, Json, check_file

if TYPE_CHECKING:
    from inv3d.core.head import Head

TRIANGLES = Number(100, 10_000_000, whole=True)
RESOLUTION = Number(16, 2048, whole=True)
TEXTURE = Number(64, 8192, whole=True)
LENGTH = Length(10, 10_000)
GRID = 144
"""The default number of grid cells per side from which a mesh is extracted."""
HEAD_WIDTH = 155.0
"""The default width of a printed head in millimetres."""


def export(
    head: HeadFolder,
    out: Annotated[
        Path,
        typer.Option(
            parser=output_path,
            metavar="FILE",
            help="File to write: .glb or .obj (textured mesh), .ply (coloured mesh), .stl (for 3D printing), or .mp4 "
            "(orbit).",
        ),
    ] = Path("head.glb"),
    triangles: Annotated[
        int, typer.Option(parser=TRIANGLES, metavar="NUMBER", help="Maximum number of triangles of a mesh.")
    ] = 60_000,
    texture: Annotated[
        int, typer.Option(parser=TEXTURE, metavar="PIXELS", help="Pixels per side of a mesh's texture.")
    ] = 2048,
    head_width: Annotated[
        float | None,
        typer.Option(
            parser=LENGTH,
            metavar="LENGTH",
            help="True width of the head, hair and ears included, such as 155mm: scales GLB, OBJ and PLY to metres.",
            show_default="the model's world units; 155mm in STL files",
        ),
    ] = None,
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

    A mesh is a closed surface. GLB and OBJ files have y up and the face towards +z, PLY and STL files z up and the face
    towards -y. STL files are cut flat at the neck and in millimetres.

    Example: inv3d export clip-inv3d --out head.glb --triangles 20000
    """
    from inv3d.budget import require_mesh, require_pictures
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, refuse_existing, write_whole
    from inv3d.core.head import Head
    from inv3d.export.formats import PLAIN, TEXTURED, companions
    from inv3d.export.orbit import FRAMES, write_orbit

    check_file(out, force, (*TEXTURED, *PLAIN, ".mp4"), "an export format")
    for companion in companions(out):
        refuse_existing(companion, force)
    suffix = out.suffix.lower()
    loaded = Head.load(head, choose_device(device).device)
    if suffix == ".mp4":
        require_pictures(loaded.bundle.info, resolution, FRAMES)
    else:
        require_mesh(resolution or GRID, texture if suffix in TEXTURED else 0)
    facts: dict[str, Any] = {}
    with interruptible(nothing_kept(out)), disk_errors(out):
        if suffix == ".mp4":
            with write_whole(out, replace=force) as part:
                write_orbit(loaded, part, resolution=resolution)
        elif suffix in TEXTURED:
            facts = _textured(loaded, head, out, triangles, texture, head_width, resolution or GRID, force)
        else:
            facts = _plain(loaded, out, triangles, head_width, resolution or GRID, force)
    tell = teller(as_json)
    tell(f"wrote {out}")
    if "triangles" in facts:
        tell(f"  {facts['triangles']} triangles; units: {facts['units']}")
    if "psnr_face" in facts:
        tell(f"  seen from eight sides, as the head: {facts['psnr']:.1f} dB; the face: {facts['psnr_face']:.1f} dB")
    if as_json:
        document({"out": str(out), **facts})


def _textured(
    head: Head, folder: Path, out: Path, triangles: int, texture: int, width: float | None, grid: int, force: bool
) -> dict[str, Any]:
    """Write a GLB or OBJ; returns facts about it."""
    from inv3d.export.formats import write_textured
    from inv3d.export.mesh import extract_mesh
    from inv3d.export.textured import likeness, paint
    from inv3d.export.views import read_views

    painted = paint(head, extract_mesh(head, grid, triangles), read_views(folder), texture)
    like = likeness(head, painted)
    write_textured(painted if width is None else painted.scaled(width / 1000), out, force)
    return {
        "triangles": len(painted.mesh.faces),
        "units": "the model's world units" if width is None else "metres",
        "texture": texture,
        "psnr": round(like.around, 2),
        "psnr_face": round(like.face, 2),
    }


def _plain(head: Head, out: Path, triangles: int, width: float | None, grid: int, force: bool) -> dict[str, Any]:
    """Write a PLY or STL; returns facts about it."""
    from inv3d.export.formats import write_plain
    from inv3d.export.mesh import extract_mesh, of_width

    printed = out.suffix.lower() == ".stl"
    mesh = extract_mesh(head, grid, triangles, flat=printed)
    units = "the model's world units"
    if printed:
        mesh, units = of_width(mesh, width or HEAD_WIDTH), "millimetres"
    elif width is not None:
        mesh, units = of_width(mesh, width / 1000), "metres"
    write_plain(mesh, out, force)
    return {"triangles": len(mesh.faces), "units": units}
