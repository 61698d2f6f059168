"""`inv3d export`: meshes, splats and orbit videos of a finished head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inv3d.cli.arguments import Length, Number, output_path
from inv3d.cli.options import Debug, Device, Force, HeadFolder, Json, check_file

if TYPE_CHECKING:
    from inv3d.core.head import Head
    from inv3d.export.sides import Likeness

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
    splats: Annotated[bool, typer.Option("--splats", help="Write Gaussian splats instead of a mesh (.ply).")] = False,
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
    """Export a mesh, Gaussian splats or an orbit video of a finished head.

    A mesh is a closed surface. GLB and OBJ files have y up and the face towards +z, PLY and STL files z up and the face
    towards -y. STL files are cut flat at the neck and in millimetres. Splats have y down and z forward, as their viewers
    expect.

    Example: inv3d export clip-inv3d --out head.glb --triangles 20000
    """
    from inv3d.budget import require_mesh, require_pictures, require_splats
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, refuse_existing, write_whole
    from inv3d.core.head import Head
    from inv3d.export.formats import PLAIN, TEXTURED, companions
    from inv3d.export.orbit import FRAMES, write_orbit

    suffix = out.suffix.lower()
    check_file(out, force, (".ply",) if splats else (*TEXTURED, *PLAIN, ".mp4"), "an export format")
    for companion in companions(out):
        refuse_existing(companion, force)
    loaded = Head.load(head, choose_device(device).device)
    facts: dict[str, Any] = {}
    if suffix == ".mp4":
        require_pictures(loaded.bundle.info, resolution, FRAMES)
    elif splats:
        require_splats(resolution or GRID)
    else:
        require_mesh(resolution or GRID, texture if suffix in TEXTURED else 0)
    with interruptible(nothing_kept(out)), disk_errors(out):
        if suffix == ".mp4":
            with write_whole(out, replace=force) as part:
                write_orbit(loaded, part, resolution=resolution)
        elif splats:
            facts = _splats(loaded, head, out, head_width, resolution or GRID, force)
        elif suffix in TEXTURED:
            facts = _textured(loaded, head, out, triangles, texture, head_width, resolution or GRID, force)
        else:
            facts = _plain(loaded, out, triangles, head_width, resolution or GRID, force)
    tell = teller(as_json)
    tell(f"wrote {out}")
    for name in ("triangles", "splats"):
        if name in facts:
            tell(f"  {facts[name]} {name}; units: {facts['units']}")
    if "psnr" in facts:
        tell(
            f"  compared with the head from eight sides: {facts['psnr']:.1f} dB; its face: {facts['psnr_face']:.1f} dB"
        )
    if as_json:
        document({"out": str(out), **facts})


def _textured(
    head: Head, folder: Path, out: Path, triangles: int, texture: int, width: float | None, grid: int, force: bool
) -> dict[str, Any]:
    """Write a GLB or OBJ; returns facts about it."""
    import functools

    from inv3d.export.formats import write_textured
    from inv3d.export.mesh import extract_mesh, head_width
    from inv3d.export.sides import likeness
    from inv3d.export.textured import paint, picture
    from inv3d.export.views import read_views

    painted = paint(head, extract_mesh(head, grid, triangles), read_views(folder), texture)
    like = likeness(head, functools.partial(picture, painted))
    size = 1.0 if width is None else width / 1000 / head_width(painted.mesh)
    write_textured(painted.scaled(size), out, force)
    return {"triangles": len(painted.mesh.faces), "texture": texture, "units": _units(width), **_psnr(like)}


def _plain(head: Head, out: Path, triangles: int, width: float | None, grid: int, force: bool) -> dict[str, Any]:
    """Write a PLY or STL; returns facts about it."""
    from inv3d.export.formats import write_plain
    from inv3d.export.mesh import extract_mesh, head_width

    printed = out.suffix.lower() == ".stl"
    mesh = extract_mesh(head, grid, triangles, flat=printed)
    if printed:
        mesh.apply_scale((width or HEAD_WIDTH) / head_width(mesh))
    elif width is not None:
        mesh.apply_scale(width / 1000 / head_width(mesh))
    write_plain(mesh, out, force)
    return {"triangles": len(mesh.faces), "units": "millimetres" if printed else _units(width)}


def _splats(head: Head, folder: Path, out: Path, width: float | None, grid: int, force: bool) -> dict[str, Any]:
    """Write splats; returns facts about them."""
    import functools

    from inv3d.export.mesh import extract_mesh, head_width
    from inv3d.export.sides import likeness, shots
    from inv3d.export.splats import MOST, fit_colors, picture, splats_of, write_splats

    mesh = extract_mesh(head, grid, MOST)
    splats = fit_colors(splats_of(mesh), shots(head))
    like = likeness(head, functools.partial(picture, splats))
    write_splats(splats if width is None else splats.scaled(width / 1000 / head_width(mesh)), out, force)
    return {"splats": len(splats), "units": _units(width), **_psnr(like)}


def _units(width: float | None) -> str:
    return "the model's world units" if width is None else "metres"


def _psnr(like: Likeness) -> dict[str, float]:
    return {"psnr": round(like.around, 2), "psnr_face": round(like.face, 2)}
