"""Heads in Python: `inv3d.from_video`, `inv3d.from_photo` and `inv3d.load`, for scripts and notebooks."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import trimesh
from PIL import Image

from inv3d.core.camera import Camera
from inv3d.core.device import choose_device
from inv3d.core.head import Head
from inv3d.core.headfile import load_head
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.inversion.methods import course_of
from inv3d.core.inversion.settings import SPACES, FitSettings, Space, preset_named
from inv3d.core.views import Views, to_array
from inv3d.destination import check_destination
from inv3d.edited import changed, write_edited
from inv3d.export import maps
from inv3d.export.background import Background
from inv3d.export.film import along, write_film
from inv3d.export.mesh import extract_mesh
from inv3d.export.paths import PATHS
from inv3d.export.save import Exported, Wanted, save
from inv3d.export.textured import paint_vertices
from inv3d.export.views import read_views
from inv3d.photos import PhotoJob, photos_to_heads
from inv3d.pipeline import VideoJob, video_to_head
from inv3d.places import find_material, output_of, outputs_of
from inv3d.video.choose import HeadChoice
from inv3d.video.write import CODECS

Place = str | Path


@dataclass(frozen=True)
class _Change:
    name: str | int
    strength: float


@dataclass(frozen=True)
class LoadedHead:
    """A finished head: `head` is what the package itself works with, `photos` are the pictures it was fitted to, and
    `folder` is where it was read from."""

    head: Head
    photos: Views | None
    folder: Path

    @property
    def yaw_range(self) -> tuple[float, float]:
        """The yaws in degrees from which the input shows the head."""
        low, high = self.head.yaw_range
        return math.degrees(low), math.degrees(high)

    def render(
        self,
        yaw: float = 0.0,
        pitch: float = 0.0,
        resolution: int | None = None,
        show: str = "color",
        background: str = "keep",
    ) -> Image.Image:
        """A picture from `yaw` and `pitch` in degrees, which a notebook shows; `resolution` in pixels per side (default:
        those of the frames, or the model's own), `show` one of color, depth, normals, alpha and grey, and `background` keep,
        white, black, transparent or a colour such as #8090a0, behind color. Raises ValueError for other words."""
        _check("show", show, maps.MAPS)
        camera, behind = self._camera(yaw, pitch), Background.parse(background)
        render = self.head.render(camera, resolution or self.head.finest)
        return Image.fromarray(to_array(maps.picture(show, render, camera, behind)))

    def mesh(self, triangles: int = 60_000, resolution: int = 144) -> trimesh.Trimesh:
        """The closed mesh with coloured vertices, y up, in the model's world units."""
        mesh = extract_mesh(self.head, resolution, triangles)
        paint_vertices(self.head, [mesh], self.photos)
        return mesh

    def export(self, out: Place, replace: bool = False, **wanted: object) -> Exported:
        """Write a mesh, splats or an orbit by the ending of `out`; the keywords are the fields of `Wanted`. Raises like
        `save`."""
        return save(self.head, Path(out), Wanted(**wanted), self.photos, replace)  # type: ignore[arg-type]

    def film(
        self,
        out: Place,
        path: str = "swing",
        frames: int = 96,
        fps: int = 30,
        resolution: int | None = None,
        show: str = "color",
        background: str = "keep",
        codec: str = "h264",
        replace: bool = False,
    ) -> None:
        """Write a video along a path (see `PATHS`) by the ending of `out`: .mp4 with a `codec`, h264 or h265, .webm or .gif.
        Raises ValueError for other words, UsageError for other endings, and if the file exists and may not be replaced,
        OSError."""
        behind = Background.parse(background)
        for argument, word, words in (("path", path, PATHS), ("show", show, maps.MAPS), ("codec", codec, CODECS)):
            _check(argument, word, words)
        write_film(self.head, along(self.head, path, frames), show, resolution, Path(out), fps, codec, replace, behind)

    def edited(self, changes: Mapping[str | int, float], out: Place | None = None, force: bool = False) -> LoadedHead:
        """This head with changes made one after the other: names of directions, or numbers of components, and strengths in
        standard deviations. With `out`, it is written to that folder as `inv3d edit` does. Raises what `changed` raises,
        and UsageError if the folder exists and may not be replaced."""
        head = changed(self.head, [_Change(name, strength) for name, strength in changes.items()])
        if out is not None:
            check_destination(Path(out), [self.folder], force)
            write_edited(head, self.head, self.folder, Path(out))
        return LoadedHead(head, None, self.folder if out is None else Path(out))

    def _camera(self, yaw: float, pitch: float) -> Camera:
        return self.head.camera(*(torch.tensor([math.radians(angle)]) for angle in (yaw, pitch)))

    def _repr_png_(self) -> bytes:
        """What a notebook shows of a head: its front."""
        buffer = io.BytesIO()
        self.render().save(buffer, "PNG")
        return buffer.getvalue()


def load(folder: Place, device: str = "auto") -> LoadedHead:
    """A head from an output folder of `inv3d video` or `inv3d image`.

    Raises InputError if there is no readable head, ModelError if its model is missing or has changed.
    """
    place = Path(folder)
    return LoadedHead(load_head(place, choose_device(device).device), read_views(place), place)


def from_video(
    inputs: Place | Sequence[Place],
    out: Place | None = None,
    *,
    views: int = 9,
    latents: bool = False,
    turn: float | None = None,
    space: Space | None = None,
    model: str = "demo",
    perceptual: str = AUTO,
    identity: str = OWN,
    preset: str = "auto",
    detail: str = "frames",
    background: str = "keep",
    matte: str = AUTO,
    effort: float = 1.0,
    head: HeadChoice | None = None,
    seed: int = 0,
    device: str = "auto",
    deterministic: bool = False,
    force: bool = False,
    resume: bool = False,
) -> LoadedHead:
    """The head in a head-turn video, or in photos of one person, as `inv3d video` makes it; its output folder is `out`
    (default: beside the input). Raises Inv3dError, ValueError for other words than those of the command."""
    places = [Path(place) for place in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    material, on = find_material(places), choose_device(device, deterministic).device
    folder = output_of(places, material) if out is None else Path(out)
    job = VideoJob(
        material=material, out=folder, views=material.at_most(views), latents=latents, turn=turn, model=model, perceptual=perceptual, identity=identity,
        settings=_settings(preset, detail, on).scaled(effort).within(_space(space)), seed=seed, device=on, force=force, resume=resume, head=head,
        background=Background.parse(background), matte=matte,
    )  # fmt: skip
    video_to_head(job)
    return load(folder, device)


def from_photo(
    photo: Place,
    out: Place | None = None,
    *,
    method: str | None = None,
    camera: str | None = None,
    warping: float | None = None,
    encoder: str | None = None,
    refine_pose: int = 0,
    refine: int | None = None,
    tune: int | None = None,
    space: Space | None = None,
    model: str = "demo",
    perceptual: str = AUTO,
    identity: str = OWN,
    preset: str = "auto",
    detail: str = "frames",
    background: str = "keep",
    head: HeadChoice | None = None,
    seed: int = 0,
    device: str = "auto",
    deterministic: bool = False,
    force: bool = False,
    resume: bool = False,
) -> LoadedHead:
    """The head in one photo, as `inv3d image` makes it; its output folder is `out` (default: beside the photo). Raises
    Inv3dError, ValueError for other words than those of the command."""
    on = choose_device(device, deterministic).device
    settings = _settings(preset, detail, on)
    course = course_of(settings, method, camera, warping, encoder, refine_pose, refine, tune, _space(space))
    (folder,) = outputs_of([Path(photo)], None if out is None else Path(out))
    job = PhotoJob(
        model=model, **vars(course), perceptual=perceptual, identity=identity, seed=seed, device=on, force=force, resume=resume,
        head=head, background=Background.parse(background),
    )  # fmt: skip
    (result,) = photos_to_heads([Path(photo)], [folder], job)
    if result.error is not None:
        raise result.error
    return load(folder, device)


def _check(argument: str, word: str, words: Iterable[str]) -> None:
    """Raises ValueError if an argument is none of the words that it knows."""
    known = tuple(words)
    if word not in known:
        raise ValueError(f"{argument}={word!r} is not one of {', '.join(known)}")


def _space(name: Space | None) -> Space | None:
    if name is not None:
        _check("space", name, SPACES)
    return name


def _settings(preset: str, detail: str, device: torch.device) -> FitSettings:
    _check("detail", detail, ("frames", "model"))
    return preset_named(preset, device).taking(frames=detail == "frames")
