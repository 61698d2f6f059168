"""Heads in Python: `inv3d.from_video`, `inv3d.from_photo` and `inv3d.load`, for scripts and notebooks."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import trimesh
from PIL import Image

from inv3d.core.camera import Camera
from inv3d.core.device import choose_device
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.head import Head
from inv3d.core.inversion.settings import preset_named
from inv3d.core.views import Views
from inv3d.export import maps
from inv3d.export.film import along, write_film
from inv3d.export.mesh import extract_mesh
from inv3d.export.pictures import to_array
from inv3d.export.save import Exported, Wanted, save
from inv3d.export.views import read_views
from inv3d.photos import PhotoJob, photos_to_heads, steps_of_code
from inv3d.pipeline import VideoJob, video_to_head
from inv3d.places import find_material, output_of, outputs_of

Place = str | Path


@dataclass(frozen=True)
class LoadedHead:
    """A finished head: `head` is what the package itself works with, `photos` are the pictures it was fitted to."""

    head: Head
    photos: Views | None

    @property
    def yaw_range(self) -> tuple[float, float]:
        """The yaws in degrees from which the input shows the head."""
        low, high = self.head.yaw_range
        return math.degrees(low), math.degrees(high)

    def render(
        self, yaw: float = 0.0, pitch: float = 0.0, resolution: int | None = None, show: str = "color"
    ) -> Image.Image:
        """A picture from `yaw` and `pitch` in degrees, which a notebook shows; `resolution` in pixels per side (default:
        those of the frames, or the model's own), `show` one of color, depth, normals, alpha and grey. Raises ValueError for others."""
        if show not in maps.MAPS:
            raise ValueError(f"show={show!r} is not one of {', '.join(maps.MAPS)}")
        camera = self._camera(yaw, pitch)
        return Image.fromarray(to_array(maps.picture(show, self.head.render(camera, resolution or self.head.finest), camera)))

    def mesh(self, triangles: int = 60_000, resolution: int = 144) -> trimesh.Trimesh:
        """The closed mesh with coloured vertices, y up, in the model's world units."""
        return extract_mesh(self.head, resolution, triangles)

    def export(self, out: str | Path, replace: bool = False, **wanted: object) -> Exported:
        """Write a mesh, splats or an orbit by the ending of `out`; the keywords are the fields of `Wanted`. Raises like
        `save`."""
        return save(self.head, Path(out), Wanted(**wanted), self.photos, replace)  # type: ignore[arg-type]

    def film(
        self, out: str | Path, path: str = "swing", frames: int = 96, fps: int = 30, resolution: int | None = None
    ) -> None:
        """Write a video along a path (see `PATHS`) by the ending of `out`: .mp4, .webm or .gif."""
        write_film(self.head, along(self.head, path, frames), "color", resolution, Path(out), fps, "h264", True)

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
    return LoadedHead(Head.load(place, choose_device(device).device), read_views(place))


def from_video(
    inputs: Place | Sequence[Place],
    out: Place | None = None,
    *,
    views: int = 9,
    latents: bool = False,
    preset: str = "auto",
    effort: float = 1.0,
    model: str = "demo",
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
) -> LoadedHead:
    """The head in a head-turn video, or in photos of one person, as `inv3d video` makes it; its output folder is `out`
    (default: beside the input). Raises Inv3dError."""
    places = [Path(place) for place in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    material, on = find_material(places), choose_device(device).device
    folder = output_of(places, material) if out is None else Path(out)
    settings = preset_named(preset, on).scaled(effort)
    job = VideoJob(
        material=material, out=folder, views=views, latents=latents, settings=settings, model=model, seed=seed, device=on,
        force=force,
    )  # fmt: skip
    video_to_head(job)
    return load(folder, device)


def from_photo(
    photo: Place,
    out: Place | None = None,
    *,
    encoder: str = PREIM3D,
    refine: int | None = None,
    tune: int = 0,
    preset: str = "auto",
    model: str = "demo",
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
) -> LoadedHead:
    """The head in one photo, as `inv3d image` makes it; its output folder is `out` (default: beside the photo). Raises
    Inv3dError."""
    on = choose_device(device).device
    settings = preset_named(preset, on)
    (folder,) = outputs_of([Path(photo)], None if out is None else Path(out))
    job = PhotoJob(
        model=model, encoder=encoder, refine=steps_of_code(refine, encoder, settings), tune=tune, settings=settings, seed=seed,
        device=on, force=force,
    )  # fmt: skip
    (result,) = photos_to_heads([Path(photo)], [folder], job)
    if result.error is not None:
        raise result.error
    return load(folder, device)
