"""Inverting one drawn photo, of which everything is known: what the tables of methods share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera, look_at
from inv3d.core.crops import Crops
from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import Start
from inv3d.core.head import Head
from inv3d.core.helpers import AUTO
from inv3d.core.inversion.invert import Footage, Inverted, invert
from inv3d.core.inversion.poses import correct
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.metrics.image import ms_ssim, mse
from inv3d.core.metrics.judges import judges_for
from inv3d.core.people.clip import PersonTurn
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.views import Views
from inv3d.video.locate import align

CPU = torch.device("cpu")
ASIDE = math.radians(30)


def angles(a: Camera, b: Camera) -> Tensor:
    """Degrees [N] between the orientations of two sets of cameras."""
    relative = a.cam2world[:, :3, :3].transpose(1, 2) @ b.cam2world[:, :3, :3]
    cosine = (relative.diagonal(dim1=1, dim2=2).sum(1) - 1.0) / 2.0
    return torch.rad2deg(torch.acos(cosine.clamp(-1.0, 1.0)))


@torch.no_grad()
def exact_views(turn: HeadTurn | PersonTurn, renderer: Any, frames: tuple[int, ...], size: int) -> Views:
    """Frames [N,3,size,size] of a clip in the generator's crop, drawn by a renderer of its kind, with their exact cameras."""
    images = torch.cat([turn.render_aligned(renderer, frame, size).image for frame in frames])
    yaw, pitch = (torch.tensor([angle(frame) for frame in frames]) for angle in (turn.yaw, turn.pitch))
    return Views(images, look_at(yaw, pitch), frames, tuple(frame / turn.fps for frame in frames))


@torch.no_grad()
def estimated(views: Views, bundle: Bundle) -> Views:
    """The views with the poses that the aligner reads off them."""
    size = views.images.shape[-1]
    whole = Crops(torch.full((1, 2), size / 2.0), torch.full((1,), float(size)), torch.zeros(1))
    read = [align(bundle.aligner, image, whole, iterations=0).alignment for image in views.images]
    yaw, pitch = (torch.cat([getattr(alignment, name) for alignment in read]) for name in ("yaw", "pitch"))
    return replace(views, cameras=bundle.info.camera(yaw, pitch))


def inverted(
    view: Views, settings: FitSettings, start: Callable[[], Start | None], bundle: Bundle, seed: int = 0
) -> tuple[Inverted, float]:
    """The head of one photo from a `start` and the view's camera on, and the seconds of one processor that it took, with those of
    the start."""
    begun = time.process_time()
    with torch.no_grad():
        found = start()
    with torch.enable_grad():
        made = invert(Footage.of_one(view).without_room(cut_out_named(AUTO, bundle)), bundle, settings, start=found, seed=seed)
    return made, time.process_time() - begun


def sides_of(camera: Camera) -> list[Camera]:
    """The cameras to the left and to the right of one, which is turned about the head with all that was found of it."""
    turns = (camera.cam2world.new_zeros(len(camera), 6).index_fill(1, torch.tensor([1]), turn) for turn in (-ASIDE, ASIDE))
    return [correct(camera, turn) for turn in turns]


def shown_aside(head: Head, found: Camera) -> Tensor:
    """Renders [2,3,R,R] of a head from 30 degrees to either side of a camera."""
    return torch.cat([head.render(side).image for side in sides_of(found)])


def compared(image: Tensor, target: Tensor, bundle: Bundle, suffix: str = "") -> dict[str, float | None]:
    """MSE, LPIPS (AlexNet, where its weights are) and MS-SSIM of pictures [B,3,R,R]."""
    lpips = judges_for(bundle, False, CPU).lpips
    return {
        f"MSE{suffix}": float(mse(image, target).mean()),
        f"LPIPS{suffix}": None if lpips is None else float(lpips.distance(image, target).mean()),
        f"MS-SSIM{suffix}": float(ms_ssim(image, target).mean()),
    }
