"""Pictures along a path of cameras, as one picture, a video, or a folder of pictures with their cameras."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.counting import Counted, counting, uncounted
from inv3d.core.errors import UsageError
from inv3d.core.files import refuse_existing, write_whole, write_whole_folder
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.views import to_array
from inv3d.export import colmap, maps
from inv3d.export.background import KEEP, TRANSPARENT, Background
from inv3d.export.cameras import write_cameras
from inv3d.export.exr import openexr, write_depth_exr
from inv3d.export.paths import path
from inv3d.export.pictures import row, save_png
from inv3d.video.write import MOVING, write_gif, write_mp4, write_webm

TRANSFORMS, EXR = "transforms.json", ".exr"
_LEAST_REACH = math.radians(15.0)  # of a path around a head that was seen from one side only


def along(head: Head, name: str, frames: int) -> Camera:
    """The cameras of a named path within the yaws from which a head is shown, above and below its frames' pitch."""
    low, high = head.shown_range
    middle, reach = (low + high) / 2, max((high - low) / 2, _LEAST_REACH)
    yaw, pitch = path(name, (middle - reach, middle + reach), frames)
    return head.camera(yaw, pitch + head.level(yaw))


def write_row(
    head: Head, cameras: Camera, show: str, resolution: int | None, out: Path, replace: bool,
    background: Background = KEEP, counted: Counted = uncounted,
) -> None:  # fmt: skip
    """Write the pictures of all cameras side by side as PNG; a single depth as 16-bit PNG (see `write_depth`), or as
    OpenEXR if the file ends in .exr (see `write_depth_exr`).

    Raises UsageError if the file exists and may not be replaced, and for anything but a single depth as OpenEXR; OSError.
    """
    single_depth = show == "depth" and len(cameras) == 1
    exr = out.suffix.lower() == EXR
    if exr and not single_depth:
        raise UsageError(f"{out} can hold only a single picture of the depth", "add --show depth, and one angle of --yaw")
    if exr:
        openexr()  # raises before anything is rendered
    renders = _rendered(head, cameras, resolution, counted)
    with write_whole(out, replace) as part:
        if single_depth:
            (write_depth_exr if exr else maps.write_depth)(part, renders[0].depth[0], renders[0].alpha[0])
        else:
            save_png(part, row([maps.picture(show, each, cameras[i], background).cpu() for i, each in enumerate(renders)]))


def write_film(
    head: Head, cameras: Camera, show: str, resolution: int | None, out: Path, fps: int, codec: str, replace: bool,
    background: Background = KEEP, counted: Counted = uncounted,
) -> None:  # fmt: skip
    """Write a video by the suffix: .mp4, .gif, or .webm, which is transparent around the head unless the `background` is a
    colour. Raises UsageError for other endings, and if the file exists and may not be replaced; OSError."""
    suffix = out.suffix.lower()
    if suffix not in MOVING:
        raise UsageError(f"{out} is not a video", f"use a file name that ends in {', '.join(MOVING)}")
    refuse_existing(out, replace)  # before anything is rendered
    chosen = background.opaque if suffix != ".webm" else background if background.colour else TRANSPARENT
    images = _arrays(head, cameras, show, resolution, chosen, counted)
    with write_whole(out, replace) as part:
        write_moving(part, suffix, images, fps, codec)


def write_moving(path: Path, suffix: str, images: list[NDArray[np.uint8]], fps: int, codec: str = "h264") -> None:
    """Write pictures as a video of the kind that a `suffix` names. Raises OSError."""
    if suffix == ".gif":
        write_gif(path, images, fps)
    elif suffix == ".webm":
        write_webm(path, images, fps)
    else:
        write_mp4(path, images, fps, codec=codec)


def write_folder(
    head: Head, cameras: Camera, show: str, resolution: int | None, out: Path, background: Background = KEEP,
    counted: Counted = uncounted,
) -> None:  # fmt: skip
    """Write numbered PNG pictures into a new folder, with their cameras as nerfstudio and as COLMAP reads them.

    Raises UsageError if it exists, OSError.
    """
    if out.exists():
        raise UsageError(f"{out} exists already", "a folder of pictures replaces nothing: name a new one with --out")
    with write_whole_folder(out) as part:
        names, size = [], 0
        renders = _rendered(head, cameras, resolution, counted)
        for i, render in enumerate(renders):
            image = maps.picture(show, render, cameras[i], background)
            names.append(f"{i:04d}.png")
            size = image.shape[-1]
            if show == "depth":
                maps.write_depth(part / names[-1], render.depth[0], render.alpha[0])
            else:
                save_png(part / names[-1], image)
        write_cameras(part / TRANSFORMS, cameras, size, names)
        colmap.write_sparse(part / colmap.SPARSE, cameras, size, names)


def _rendered(head: Head, cameras: Camera, resolution: int | None, counted: Counted) -> list[Render]:
    """The renders of all cameras, as fine as the head's frames by default."""
    return head.render_each(cameras, counting(lambda render: render, counted, len(cameras)), resolution or head.finest)


def _arrays(
    head: Head, cameras: Camera, show: str, resolution: int | None, background: Background, counted: Counted
) -> list[NDArray[np.uint8]]:
    """Pictures [H,W,3], or with their transparency [H,W,4], of even size, as codecs need."""

    def array(pair: tuple[int, Render]) -> NDArray[np.uint8]:
        i, render = pair
        image = maps.picture(show, render, cameras[i], background)
        even = image.shape[-1] // 2 * 2
        colors = to_array(image[:, :even, :even])
        if not background.transparent or len(image) == 4:
            return colors
        alpha = F.interpolate(render.alpha, image.shape[-2:], mode="bilinear", align_corners=False)[0]
        return np.concatenate([colors, to_array(alpha[:, :even, :even].mul(2).sub(1))], 2)

    renders = _rendered(head, cameras, resolution, counted)
    return [array(pair) for pair in enumerate(renders)]


def outside(head: Head, degrees: tuple[float, ...]) -> str:
    """A remark about yaws from which the input does not show the head; empty if there are none."""
    low, high = torch.tensor(head.yaw_range).rad2deg().tolist()
    beyond = [f"{angle:g}" for angle in degrees if not low - 1 <= angle <= high + 1]
    if not beyond:
        return ""
    return f"note: the input shows yaws from {low:z.0f} to {high:z.0f} degrees only; outside: {', '.join(beyond)}"
