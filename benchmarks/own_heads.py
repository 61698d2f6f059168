"""Depths of the generator's own heads, which are exactly known, as encoders of codes read them off pictures."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.encoders.inverter import Inverter
from inv3d.core.generator import Render
from inv3d.core.views import Views

HEADS = 120
SEED = 5_000_001
"""Of heads that no training has seen."""
YAW, PITCH = 40.0, 17.0
"""How far they are turned at most, in degrees."""
SIZE = 64
"""Depths a side that are compared."""
PER_UNIT = 1000.0
"""Errors are told in thousandths of the world's unit."""


class OwnHead(NamedTuple):
    """A `view` [1] of a head of a `code` [1,num_ws,w_dim], and its depths and coverage from there, `exact`."""

    view: Views
    code: Tensor
    exact: Render


def seen(code: Tensor, camera: Camera, bundle: Bundle) -> Render:
    """A render [1] of SIZE rays a side."""
    return bundle.generator.render(bundle.generator.scene(code), camera, SIZE, superresolution=False)


@functools.cache
@torch.no_grad()
def own_heads(bundle: Bundle, count: int = HEADS) -> list[OwnHead]:
    """So many heads from random sides."""
    generator, random = bundle.generator, torch.Generator().manual_seed(SEED)
    codes = generator.mapping(torch.randn(count, generator.z_dim, generator=random), bundle.info.front.vector())
    turned = 2.0 * torch.rand(2, count, generator=random) - 1.0
    cameras = bundle.info.camera(math.radians(YAW) * turned[0], math.radians(PITCH) * turned[1])
    heads = []
    for i in range(count):
        code, side = codes[[i]], cameras[[i]]
        picture = generator.render(generator.scene(code), side).image
        heads.append(OwnHead(Views(picture, side, (0,), (0.0,)), code, seen(code, side, bundle)))
    return heads


@torch.no_grad()
def depth_errors(inverter: Inverter, bundle: Bundle, count: int = HEADS) -> list[float]:
    """The mean depth error of each of the `own_heads`, from the side of its picture, in thousandths of the world's unit."""
    errors = []
    for view, _, exact in own_heads(bundle, count):
        found = seen(inverter(view, bundle).codes, view.cameras, bundle)
        errors.append(PER_UNIT * float((found.depth - exact.depth).abs()[exact.alpha > 0.5].mean()))
    return errors


def beside(reference: str, errors: Mapping[str, list[float]]) -> dict[str, dict[str, Any]]:
    """The mean error of each row, and how much larger the errors of the same heads are than in the `reference`, with the
    standard error of that difference."""
    found: dict[str, dict[str, Any]] = {}
    for name, own in errors.items():
        more = torch.tensor(own) - torch.tensor(errors[reference])
        known = name != reference
        found[name] = {
            "depth error": sum(own) / len(own),
            "more": float(more.mean()) if known else None,
            "standard error of that": float(more.std()) / math.sqrt(len(own)) if known else None,
        }
    return found
