"""`inv3d export`: meshes, splats and orbit videos of a finished head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inv3d.cli.arguments import Length, Levels, Number, either, levels, output_path
from inv3d.cli.options import Debug, Device, Force, HeadFolder, Json, check_file, refuse_idle

if TYPE_CHECKING:
    from inv3d.export.sides import Likeness

TRIANGLES = levels("60000")
RESOLUTION = Number(16, 2048, whole=True)
TEXTURE = Number(64, 8192, whole=True)
LENGTH = Length(10, 10_000)
PUPILS = Length(4, 4_000, example="63mm")
GRID = 144
"""The default number of grid cells per side from which a mesh is extracted."""


def export(
    context: typer.Context,
    head: HeadFolder,
    out: Annotated[
        Path,
        typer.Option(
            parser=output_path,
            metavar="FILE",
            help="File to write: .glb, .obj or .usdz (textured mesh), .ply (coloured mesh), .stl (for 3D printing), .spz "
            "(Gaussian splats), or .mp4 (orbit).",
        ),
    ] = Path("head.glb"),
    triangles: Annotated[
        Levels,
        typer.Option(
            parser=levels,
            metavar="NUMBER[,NUMBER...]",
            help="Maximum number of triangles of a mesh; several, the largest first, write levels of detail: head.glb, "
            "head-lod1.glb and so on.",
        ),
    ] = TRIANGLES,
    splats: Annotated[bool, typer.Option("--splats", help="Write Gaussian splats instead of a mesh: .ply; .spz files always have them.")] = False,
    texture: Annotated[
        int, typer.Option(parser=TEXTURE, metavar="PIXELS", help="Pixels per side of a mesh's texture.")
    ] = 2048,
    head_width: Annotated[
        float | None,
        typer.Option(
            parser=LENGTH,
            metavar="LENGTH",
            help="True width of the head, hair and ears included, such as 155mm: scales GLB, OBJ, USDZ and PLY to metres.",
            show_default="the model's world units; 155mm in STL and USDZ files",
        ),
    ] = None,
    ipd: Annotated[
        float | None,
        typer.Option(
            parser=PUPILS,
            metavar="LENGTH",
            help="True distance between the pupils, such as 63mm, instead of --head-width; needs the extra photos.",
            show_default="none",
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

    A mesh is a closed surface. GLB, OBJ and USDZ files have y up and the face towards +z, PLY and STL files z up and the
    face towards -y. STL files are cut flat at the neck and in millimetres. Splats have y down and z forward in PLY files,
    and y up and the face towards +z in SPZ files, as their viewers expect.

    Example: inv3d export clip-inv3d --out head.glb --triangles 20000
    """
    from inv3d.budget import require_mesh, require_pictures, require_splats
    from inv3d.cli.progress import reporter
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors, refuse_existing
    from inv3d.core.headfile import load_head
    from inv3d.core.inversion.settings import OutputSettings
    from inv3d.export.formats import TEXTURED
    from inv3d.export.save import FORMATS, SPLATS, Wanted, files_of, has_splats, save
    from inv3d.export.views import read_views

    suffix = out.suffix.lower()
    finest, *coarser = triangles.triangles
    wanted = Wanted(finest, texture, head_width, resolution, splats, ipd, tuple(coarser))
    check_file(out, force, SPLATS if splats else FORMATS, "a file of splats" if splats else "an export format")
    filmed, has_mesh = suffix == ".mp4", not (suffix == ".mp4" or has_splats(out, wanted))
    meshed, painted = (has_mesh, "with a mesh"), (suffix in TEXTURED, f"with {either(TEXTURED)}")
    sized = not filmed, "with a mesh or splats"
    refuse_idle(context, {"triangles": meshed, "texture": painted, "head_width": sized, "ipd": sized})
    for path in files_of(out, wanted):
        refuse_existing(path, force)
    loaded = load_head(head, choose_device(device).device)
    if suffix == ".mp4":
        require_pictures(loaded.bundle.info, resolution, OutputSettings.orbit_frames)
    elif has_splats(out, wanted):
        require_splats(resolution or GRID)
    else:
        require_mesh(resolution or GRID, texture if suffix in TEXTURED else 0)
    with interruptible(nothing_kept(out)), disk_errors(out), reporter(as_json) as progress:
        photos = read_views(head) if suffix in (*TEXTURED, ".ply") else None
        made = save(loaded, out, wanted, photos, force, progress)
    tell = teller(as_json)
    tell(f"wrote {_all_of(out)}")
    if made.triangles is not None:
        tell(f"  {made.triangles} triangles; units: {made.units}")
    if made.splats is not None:
        tell(f"  {made.splats} splats; units: {made.units}")
    if made.head_width is not None:
        tell(f"  the head is {made.head_width:.0f} mm wide")
    _tell_likeness(tell, made.likeness)
    for level in made.coarser:
        tell(f"wrote {_all_of(level.path)}")
        tell(f"  {level.triangles} triangles")
        _tell_likeness(tell, level.likeness)
    if as_json:
        width = None if made.head_width is None else round(made.head_width, 1)
        facts = {"triangles": made.triangles, "splats": made.splats, "units": made.units, "head_width_mm": width}
        levels_made = [
            {"out": str(level.path), "triangles": level.triangles, **_psnr(level.likeness)} for level in made.coarser
        ]
        document(
            {
                "out": str(out),
                **{name: fact for name, fact in facts.items() if fact is not None},
                **_psnr(made.likeness),
                **({"coarser": levels_made} if levels_made else {}),
            }
        )


def _all_of(path: Path) -> str:
    """A file and those that belong to it."""
    from inv3d.export.formats import companions

    others = " and ".join(map(str, companions(path)))
    return f"{path} with {others}" if others else str(path)


def _tell_likeness(tell: Callable[[str], None], like: Likeness | None) -> None:
    if like is not None:
        face = "" if like.face is None else f"; inside the face: {like.face:.1f} dB"
        tell(f"  compared with the head from eight sides: {like.around:.1f} dB{face}")


def _psnr(like: Likeness | None) -> dict[str, float]:
    if like is None:
        return {}
    face = {} if like.face is None else {"psnr_face": round(like.face, 2)}
    return {"psnr": round(like.around, 2), **face}
