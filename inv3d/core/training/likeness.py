"""Renders of the codes that an encoder reads, compared with the pictures that they were read off."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.generator import Scene
from inv3d.core.inversion.loop import Losses, total
from inv3d.core.inversion.reconstruction import Reconstruction
from inv3d.core.inversion.settings import FitSettings


def likeness(
    bundle: Bundle,
    fit: FitSettings,
    scene: Scene,
    cameras: Camera,
    images: Tensor,
    few: int,
    random: torch.Generator,
) -> Losses:
    """Losses of renders of a `scene` of B codes from their own `cameras` against `images` [B,3,R,R]: whole pictures, or, if
    `fit` draws pixels at random, those, and the first `few` pictures whole but small."""
    compared = Reconstruction(bundle, fit, random)
    heads = len(images) if fit.rays_per_view is None else min(few, len(images))
    own = scene[:heads], cameras[:heads], compared.target(images[:heads], fit.whole_resolution)
    parts = [compared.whole(bundle.generator, *own, shares(images[:heads]), fit.whole_resolution)]
    if fit.rays_per_view is not None:
        parts.append(compared.rays(bundle.generator, scene, cameras, images, shares(images)))
    return total(parts)


def shares(images: Tensor) -> Tensor:
    """The share [B] of each of some images [B,...] in their mean."""
    return images.new_full((len(images),), 1.0 / len(images))


@torch.no_grad()
def beside(bundle: Bundle, images: Tensor, codes: Tensor, yaw: Tensor, pitch: Tensor, sides: tuple[float, ...]) -> Tensor:
    """Pictures [B,3,R,R], and beside each the render of its code from its own `yaw` and `pitch` [B] (radians), then from the
    `sides` (degrees), as one picture [3,H,W]."""
    rows = []
    for i in range(len(images)):
        yaws = torch.cat([yaw[[i]], torch.tensor(sides).deg2rad()])
        pitches = torch.cat([pitch[[i]], torch.zeros(len(sides))])
        cameras = bundle.info.camera(yaws, pitches).to(codes.device)
        render = bundle.generator(codes[[i]], cameras, images.shape[-1], superresolution=False)
        rows.append(torch.cat([images[i], *render.image], 2))
    return torch.cat(rows, 1).cpu()
