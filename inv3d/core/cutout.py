"""What finds the mattes of heads: a network that knows photographs of people, the model's own aligner, or rembg (U2-Net for
people), where it is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inv3d.core.belonging import probable
from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.crops import Crops
from inv3d.core.encoders.inverter import common_start
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.store import has_encoder
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.matting import mattes_of_people, own_mattes
from inv3d.core.views import Views, to_array

REMBG = "rembg"
MATTES = (AUTO, OWN, REMBG)
_NETWORK = "u2net_human_seg"

_SHAPE = 32  # pixels per side of the drawn heads that tell where a head may be

CutOut = Callable[[Views, Crops | None], Tensor]
"""Finds the mattes [N,1,R,R] of aligned views [N] of one head, and where they were cut [N] if it was from the frames of one clip."""


def cut_out_named(name: str, bundle: Bundle) -> CutOut | None:
    """What finds mattes for a model: `auto` is the network for people, or the aligner of a model of things. None where there are
    none: its generator does not tell heads from what lies behind them, or its aligner has learned none.

    Raises UsageError for an unknown name, for rembg where it is not installed, and where mattes do nothing; ModelError if
    the weights of rembg cannot be had.
    """
    if name not in MATTES:
        raise UsageError(f"there is no matte '{name}'", f"choose one of: {', '.join(MATTES)}")
    if name in (AUTO, OWN):
        by_name = _own if name == OWN or bundle.shows_things else _by_network
        return functools.partial(by_name, bundle) if bundle.has_mattes else None
    if not bundle.generator.has_backdrop:
        raise UsageError(
            f"--matte {name} does nothing: the model '{bundle.name}' does not tell heads from what lies behind them",
            "leave --matte out",
        )
    remove, session = _session()

    def by_rembg(views: Views, places: Crops | None) -> Tensor:
        return torch.stack([_by_rembg(image, remove, session) for image in views.images]).to(views.images.device)

    return by_rembg


def _by_network(bundle: Bundle, views: Views, places: Crops | None) -> Tensor:
    """The mattes of people."""
    return mattes_of_people(views.images, functools.partial(_own, bundle, views, places))


def _own(bundle: Bundle, views: Views, places: Crops | None) -> Tensor:
    """The mattes of a model's aligner, and of the shape that the model expects."""
    shape = _shape(bundle, views).to(views.images) if len(views) > 1 else None
    return own_mattes(bundle.aligner, views.images, not bundle.shows_things, places, shape)


@torch.no_grad()
def _shape(bundle: Bundle, views: Views) -> Tensor:
    """How probable it is that a head seen in `views` covers a pixel [N,1,r,r], by one that the model draws: that which its encoder
    reads off all of them, or the mean."""
    generator = bundle.generator
    if has_encoder(bundle.name, PREIM3D):
        code = common_start(views, bundle).codes
    else:
        code = generator.code_space.repeat(bundle.mean_code[None])
    scene, cameras = generator.scene(code), views.cameras.to(generator.device)

    def covered(camera: Camera) -> Tensor:
        return generator.render(scene, camera, _SHAPE, superresolution=False, sparse=True).alpha

    heads = torch.cat([covered(cameras[i]) for i in range(len(views))])
    return probable(heads, covered(bundle.info.front.to(generator.device)))


def _session() -> tuple[Callable[..., Any], Any]:
    """rembg's function, and its network."""
    try:
        from rembg import new_session, remove
    except (ImportError, SystemExit) as error:  # it ends the process where onnxruntime is missing
        raise UsageError("rembg is not installed", 'pip install "rembg[cpu]", or leave --matte out') from error
    try:
        return remove, new_session(_NETWORK)
    except Exception as error:  # of the network, the disk, or onnxruntime
        hint = "go online once, or leave --matte out"
        raise ModelError(f"the weights of rembg's {_NETWORK} cannot be had ({type(error).__name__})", hint) from error


def _by_rembg(image: Tensor, remove: Callable[..., Any], session: object) -> Tensor:
    """The matte [1,R,R] of a picture [3,R,R] in [-1,1]."""
    picture = Image.fromarray(to_array(image))
    found = np.asarray(remove(picture, session=session, only_mask=True).convert("L"), np.float32)
    return torch.from_numpy(found / np.float32(255.0))[None]
