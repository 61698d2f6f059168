"""Exports by the ending of their file: what `inv3d export` and scripts both call."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from inv3d.core.errors import UsageError
from inv3d.core.files import write_whole
from inv3d.core.head import Head
from inv3d.core.inversion.settings import OutputSettings
from inv3d.core.views import Views
from inv3d.export import splats, textured
from inv3d.export.formats import PLAIN, TEXTURED, write_plain, write_textured
from inv3d.export.mesh import extract_mesh, head_width
from inv3d.export.orbit import write_orbit
from inv3d.export.sides import Likeness, likeness, shots
from inv3d.export.usdz import usd

FORMATS = (*TEXTURED, *PLAIN, ".mp4")
HEAD_WIDTH = 155.0
WORLD, METRES, MILLIMETRES = "the model's world units", "metres", "millimetres"


@dataclass(frozen=True)
class Wanted:
    """How to export: at most so many `triangles`, a `texture` of so many pixels per side, a true `head_width` in
    millimetres (None: the model's world units, and 155 mm in STL and USDZ files), `resolution` in cells per side of a mesh or pixels
    per side of an orbit (None: 144, or the model's own), and whether a .ply file contains `splats`."""

    triangles: int = 60_000
    texture: int = 2048
    head_width: float | None = None
    resolution: int | None = None
    splats: bool = False


@dataclass(frozen=True)
class Exported:
    """What was written: how many triangles or splats, in which units, and how much it looks like the head."""

    triangles: int | None = None
    splats: int | None = None
    units: str | None = None
    likeness: Likeness | None = None


def save(head: Head, out: Path, wanted: Wanted, photos: Views | None = None, replace: bool = False) -> Exported:
    """Write one file by its ending; a texture is painted from `photos`, where there are any.

    Raises UsageError for other endings, and if the file exists and may not be replaced; InputError, OSError.
    """
    suffix = out.suffix.lower()
    if suffix not in ((".ply",) if wanted.splats else FORMATS):
        raise UsageError(f"{out} is not an export format", f"use {'.ply' if wanted.splats else ', '.join(FORMATS)}")
    if suffix == ".usdz":
        usd()  # raises before minutes are spent
    if suffix == ".mp4":
        with write_whole(out, replace) as part:
            write_orbit(head, part, resolution=wanted.resolution)
        return Exported()
    if wanted.splats:
        return _splats(head, out, wanted, replace)
    return (_textured if suffix in TEXTURED else _plain)(head, out, wanted, photos, replace)


def _textured(head: Head, out: Path, wanted: Wanted, photos: Views | None, replace: bool) -> Exported:
    mesh = extract_mesh(head, wanted.resolution or OutputSettings.mesh_cells, wanted.triangles)
    painted = textured.paint(head, mesh, photos, wanted.texture)
    like = likeness(head, functools.partial(textured.picture, painted))
    # a USDZ file is shown in the room
    true_width = wanted.head_width or (HEAD_WIDTH if out.suffix.lower() == ".usdz" else None)
    factor, units = _size(true_width, head_width(mesh))
    write_textured(painted.scaled(factor), out, replace)
    return Exported(triangles=len(mesh.faces), units=units, likeness=like)


def _plain(head: Head, out: Path, wanted: Wanted, photos: Views | None, replace: bool) -> Exported:
    printed = out.suffix.lower() == ".stl"
    mesh = extract_mesh(head, wanted.resolution or OutputSettings.mesh_cells, wanted.triangles, flat=printed)
    factor, units = _size(wanted.head_width, head_width(mesh))
    if printed:
        factor, units = (wanted.head_width or HEAD_WIDTH) / head_width(mesh), MILLIMETRES
    write_plain(mesh.apply_scale(factor), out, replace)
    return Exported(triangles=len(mesh.faces), units=units)


def _splats(head: Head, out: Path, wanted: Wanted, replace: bool) -> Exported:
    mesh = extract_mesh(head, wanted.resolution or OutputSettings.mesh_cells, splats.MOST)
    fitted = splats.fit_colors(splats.splats_of(mesh), shots(head))
    like = likeness(head, functools.partial(splats.picture, fitted))
    factor, units = _size(wanted.head_width, head_width(mesh))
    splats.write_splats(fitted.scaled(factor), out, replace)
    return Exported(splats=len(fitted), units=units, likeness=like)


def _size(true_width: float | None, width: float) -> tuple[float, str]:
    """The factor from world units to the units of a file, and their name, for a head of a `true_width` in millimetres."""
    return (1.0, WORLD) if true_width is None else (true_width / 1000 / width, METRES)
