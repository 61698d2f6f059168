"""The start of an inversion: the output of an encoder, or the mean code."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.encoders.e3dge import E3dge
from inv3d.core.encoders.kinds import E3DGE, NO_ENCODER, PREIM3D, WTRI
from inv3d.core.encoders.local import LocalBranch, resized
from inv3d.core.encoders.pyramid import Encoder
from inv3d.core.encoders.store import check_decoded, check_encoder, load_e3dge, load_encoder, load_wtri
from inv3d.core.encoders.wtri import Wtri
from inv3d.core.generator import Detail, Scene
from inv3d.core.matting import laid_on, mattes, room_colour
from inv3d.core.views import Views

_TRIED = 64  # pixels of the renders that sides are compared by
_TRIED_CELLS = 40  # of the grid that guides these renders
ASIDE = math.radians(45)
"""How far to the side residuals are aligned: there is half of what the picture hides."""


Shaped = Callable[[Scene], Scene]
"""A scene with another shape."""


def as_it_is(scene: Scene) -> Scene:
    """A `Shaped` that changes nothing."""
    return scene


ReadDetail = Callable[[Views, Tensor], Detail]
"""Reads the local detail of views with their cameras, which the code [1,num_ws,w_dim] cannot represent."""


@dataclass(frozen=True)
class Start:
    """Codes [N,num_ws,w_dim] of N views, in W+ or W_tri. Encoders that read the side, too, give yaw and pitch [N,2] (radians), and those
    that read local detail, the function to do it with, once codes and cameras are final."""

    codes: Tensor
    angles: Tensor | None = None
    read_detail: ReadDetail | None = None

    def __getitem__(self, row: int) -> Start:
        """The start of one view; the batch dimension is kept."""
        angles = None if self.angles is None else self.angles[[row]]
        return Start(self.codes[[row]], angles, self.read_detail)


class Inverter(Protocol):
    """Encodes N views, each on its own, for the generator of a bundle."""

    def __call__(self, views: Views, bundle: Bundle) -> Start: ...


@dataclass(frozen=True)
class EncoderInverter:
    """An encoder from a picture to a code alone (pSp's family, PREIM3D)."""

    encoder: Encoder

    @torch.no_grad()
    def __call__(self, views: Views, bundle: Bundle) -> Start:
        return Start(self.encoder(views.images.to(bundle.generator.device)))


@dataclass(frozen=True)
class E3dgeInverter:
    """The encoder of E3DGE. It has learned from heads without a room behind them."""

    encoder: E3dge

    @torch.no_grad()
    def __call__(self, views: Views, bundle: Bundle) -> Start:
        images = views.images
        if bundle.has_mattes:
            found = mattes(bundle.aligner, images, not bundle.shows_things)
            each = (laid_on(views[i], found[[i]], room_colour(images[[i]], found[[i]])) for i in range(len(views)))
            images = torch.cat([one.images for one in each])
        images, cameras = images.to(bundle.generator.device), views.cameras.to(bundle.generator.device)
        codes, angles = self.encoder(images)
        given = torch.stack([cameras.yaw, cameras.pitch], 1)
        angles = torch.cat(
            [self._nearer(bundle, *(each[[i]] for each in (codes, images, angles, given))) for i in range(len(codes))]
        )
        return Start(codes, angles, functools.partial(read_detail, self.encoder.local, bundle))

    def _nearer(self, bundle: Bundle, code: Tensor, image: Tensor, read: Tensor, given: Tensor) -> Tensor:
        """Of two sides [1,2], the one that was `read` and that which was `given`, the one from which the render of the
        code is nearer to the picture: an aligner that knows photographs may see better."""
        generator = bundle.generator
        size = min(_TRIED, generator.raw_resolution)
        scene, target = generator.scene(code, guide_cells=_TRIED_CELLS), resized(image, size)
        sides = torch.cat([read, given])
        cameras = bundle.info.camera(*sides.unbind(-1))
        renders = (generator.render(scene, cameras[i], size, superresolution=False, sparse=True).image for i in range(2))
        errors = [float((render - target).abs().mean()) for render in renders]
        return sides[[int(errors[1] < errors[0])]]


@dataclass(frozen=True)
class WtriInverter:
    """The encoder into W_tri, which compares every view with renders from the view's own camera."""

    encoder: Wtri

    @torch.no_grad()
    def __call__(self, views: Views, bundle: Bundle) -> Start:
        device = bundle.generator.device
        return Start(self.encoder.encoded(bundle.generator, views.images.to(device), views.cameras.to(device)))


@torch.no_grad()
def read_detail(branch: LocalBranch, bundle: Bundle, views: Views, code: Tensor, shaped: Shaped = as_it_is) -> Detail:
    """The local detail that a `branch` reads off the most frontal of the `views` of a head of this `code`, whose scenes are `shaped`."""
    one = views[[int(views.cameras.yaw.abs().argmin())]]
    scene = shaped(bundle.generator.scene(code))
    return branch.detail(bundle.generator, scene, one.images, one.cameras, sides_of(bundle, one.cameras))


def sides_of(bundle: Bundle, camera: Camera) -> list[Camera]:
    """The sides that the residual of a picture is aligned to: its own, and one to the left and to the right."""
    known = math.radians(bundle.info.known_yaw)
    around = [(camera.yaw + turn).clamp(-known, known) for turn in (-ASIDE, ASIDE)]
    return [camera, *(bundle.info.camera(yaw, torch.zeros_like(yaw)) for yaw in around)]


def load_inverter(bundle: Bundle, name: str) -> Inverter | None:
    """The encoder `name` of a model, or None for `NO_ENCODER`. Raises ModelError if the model has none that fits it."""
    if name == NO_ENCODER:
        return None
    device = bundle.generator.device
    if name == E3DGE:
        parts = load_e3dge(bundle.name, device)
        check_encoder(parts.config.codes, bundle)
        check_decoded(parts.config.local, bundle)
        return E3dgeInverter(parts)
    if name == WTRI:
        passes = load_wtri(bundle.name, device)
        check_encoder(passes.config, bundle)
        return WtriInverter(passes)
    encoder = load_encoder(bundle.name, name, device)
    check_encoder(encoder.config, bundle)
    return EncoderInverter(encoder)


def common_start(views: Views, bundle: Bundle) -> Start:
    """One code for all `views` of a head: the mean of those that the model's encoder reads off each. Raises ModelError if it
    is missing, or does not fit the model."""
    inverter = load_inverter(bundle, PREIM3D)
    assert inverter is not None
    return Start(inverter(views, bundle).codes.mean(0, keepdim=True))
