"""Exports by the ending of their file: what `inv3d export` and scripts both call."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import trimesh

from inv3d.core.errors import UsageError
from inv3d.core.files import write_whole
from inv3d.core.head import Head
from inv3d.core.inversion.loop import Progress, silent, staged
from inv3d.core.inversion.settings import OutputSettings
from inv3d.core.views import Views
from inv3d.export import splats, textured
from inv3d.export.formats import PLAIN, TEXTURED, companions, level_paths, plain_file, textured_file
from inv3d.export.mesh import coarser, extract_mesh, head_width
from inv3d.export.orbit import write_orbit
from inv3d.export.pupils import pupil_distance
from inv3d.export.sides import Likeness, likeness, likeness_each, shots
from inv3d.export.spz import write_spz
from inv3d.export.usdz import usd

SPLATS = (".ply", ".spz")
FORMATS, LEVELLED = (*TEXTURED, *PLAIN, ".spz", ".mp4"), (*TEXTURED, ".ply")
HEAD_WIDTH = 155.0
WORLD, METRES, MILLIMETRES = "the model's world units", "metres", "millimetres"


@dataclass(frozen=True)
class Wanted:
    """How to export: at most so many `triangles`, a `texture` of so many pixels per side, a true `head_width` in
    millimetres (None: the model's world units, and 155 mm in STL and USDZ files) or a true distance between the pupils, `ipd`,
    `resolution` in cells per side of a mesh or pixels per side of an orbit (None: 144, or the model's own), and whether a .ply
    file contains `splats`, as .spz files do; `levels` are the numbers of triangles of coarser meshes beside it. Raises UsageError if there are
    both a `head_width` and an `ipd`."""

    triangles: int = 60_000
    texture: int = 2048
    head_width: float | None = None
    resolution: int | None = None
    splats: bool = False
    ipd: float | None = None
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.head_width is not None and self.ipd is not None:
            raise UsageError("--head-width and --ipd exclude each other", "use one of them")


@dataclass(frozen=True)
class Level:
    """A coarser mesh: where it is, of how many triangles, and how much it looks like the head."""

    path: Path
    triangles: int
    likeness: Likeness | None


@dataclass(frozen=True)
class Exported:
    """What was written: how many triangles or splats, in which units, how much it looks like the head, how wide the head is
    in millimetres, if its size is true, and the `coarser` levels of detail."""

    triangles: int | None = None
    splats: int | None = None
    units: str | None = None
    likeness: Likeness | None = None
    head_width: float | None = None
    coarser: tuple[Level, ...] = ()


def has_splats(out: Path, wanted: Wanted) -> bool:
    """Whether an export to `out` consists of splats."""
    return wanted.splats or out.suffix.lower() == ".spz"


def files_of(out: Path, wanted: Wanted) -> list[Path]:
    """All files that an export to `out` writes. Raises UsageError if it cannot have levels of detail."""
    if wanted.levels and (has_splats(out, wanted) or out.suffix.lower() not in LEVELLED):
        raise UsageError(
            f"{'splats' if has_splats(out, wanted) else f'{out.suffix} files'} have no levels of detail",
            f"give one number of triangles, or write a mesh to {', '.join(LEVELLED)}",
        )
    meshes = level_paths(out, 1 + len(wanted.levels))
    return [file for path in meshes for file in (path, *companions(path))]


def save(
    head: Head, out: Path, wanted: Wanted, photos: Views | None = None, replace: bool = False, progress: Progress = silent
) -> Exported:
    """Write one file by its ending; a mesh is painted from `photos`, where there are any.

    Raises UsageError for other endings, and if the file exists and may not be replaced; InputError, OSError.
    """
    suffix = out.suffix.lower()
    formats = SPLATS if wanted.splats else FORMATS
    if suffix not in formats:
        raise UsageError(f"{out} is not an export format", f"use {', '.join(formats)}")
    files_of(out, wanted)
    if suffix == ".usdz":
        usd()  # raises before minutes are spent
    if suffix == ".mp4":
        with write_whole(out, replace) as part:
            write_orbit(head, part, resolution=wanted.resolution, counted=staged(progress, "orbit"))
        return Exported()
    # so does this
    millimetres = None if wanted.ipd is None else wanted.ipd / pupil_distance(head)
    job = _Job(head, out, wanted, photos, replace, millimetres, progress)
    if has_splats(out, wanted):
        return job.splats()
    return job.textured() if suffix in TEXTURED else job.plain()


@dataclass(frozen=True)
class _Size:
    """The `factor` from world units to the `units` of a file, and the `head_width` in millimetres, if it is true."""

    factor: float
    units: str
    head_width: float | None = None


@dataclass(frozen=True)
class _Job:
    """An export to a file `out`; `millimetres` are those of one world unit, where the pupils tell."""

    head: Head
    out: Path
    wanted: Wanted
    photos: Views | None
    replace: bool
    millimetres: float | None
    progress: Progress

    @property
    def suffix(self) -> str:
        return self.out.suffix.lower()

    def mesh(self, triangles: int, flat: bool = False) -> trimesh.Trimesh:
        mesh = extract_mesh(self.head, self.wanted.resolution or OutputSettings.mesh_cells, triangles, flat)
        self.progress("mesh", 1, 1, {})
        return mesh

    def meshes(self) -> list[trimesh.Trimesh]:
        """The mesh of every level of detail, the finest first."""
        finest = self.mesh(self.wanted.triangles, flat=self.suffix == ".stl")
        return [finest, *(coarser(self.head, finest, triangles) for triangles in self.wanted.levels)]

    def size(self, mesh: trimesh.Trimesh) -> _Size:
        """The size that a head with this `mesh` has in the file."""
        width, millimetres = head_width(mesh), self.millimetres
        if millimetres is None:
            # a print has a size, and a USDZ file is shown in the room
            true_width = self.wanted.head_width or (HEAD_WIDTH if self.suffix in (".stl", ".usdz") else None)
            if true_width is None:
                return _Size(1.0, WORLD)
            millimetres = true_width / width
        if self.suffix == ".stl":
            return _Size(millimetres, MILLIMETRES, millimetres * width)
        return _Size(millimetres / 1000, METRES, millimetres * width)

    def textured(self) -> Exported:
        meshes = self.meshes()
        counted = staged(self.progress, "texture")
        painted = textured.paint_each(self.head, meshes, self.photos, self.wanted.texture, counted)
        likes = likeness_each(self.head, [functools.partial(textured.picture, each) for each in painted])
        self.progress("comparison", 1, 1, {})
        size = self.size(meshes[0])
        with ExitStack() as whole:
            for each, path in zip(painted, self.paths, strict=True):
                whole.enter_context(textured_file(each.scaled(size.factor), path, self.replace))
        return self.exported(meshes, likes, size)

    def plain(self) -> Exported:
        meshes = self.meshes()
        if self.suffix == ".ply":
            textured.paint_vertices(self.head, meshes, self.photos)
            self.progress("colours", 1, 1, {})
        size = self.size(meshes[0])
        with ExitStack() as whole:
            for mesh, path in zip(meshes, self.paths, strict=True):
                whole.enter_context(plain_file(mesh.apply_scale(size.factor), path, self.replace))
        return self.exported(meshes, [None] * len(meshes), size)

    @property
    def paths(self) -> list[Path]:
        return level_paths(self.out, 1 + len(self.wanted.levels))

    def exported(self, meshes: list[trimesh.Trimesh], likes: Sequence[Likeness | None], size: _Size) -> Exported:
        levels = [
            Level(path, len(mesh.faces), like) for path, mesh, like in zip(self.paths, meshes, likes, strict=True)
        ]
        return Exported(
            triangles=levels[0].triangles, units=size.units, likeness=likes[0], head_width=size.head_width,
            coarser=tuple(levels[1:]),
        )  # fmt: skip

    def splats(self) -> Exported:
        mesh = self.mesh(splats.MOST)
        fitted = splats.fit_colors(splats.splats_of(mesh), shots(self.head), staged(self.progress, "colours"))
        like = likeness(self.head, functools.partial(splats.picture, fitted))
        self.progress("comparison", 1, 1, {})
        size = self.size(mesh)
        write = write_spz if self.suffix == ".spz" else splats.write_splats
        write(fitted.scaled(size.factor), self.out, self.replace)
        return Exported(splats=len(fitted), units=size.units, likeness=like, head_width=size.head_width)
