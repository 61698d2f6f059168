"""The start of an inversion: the output of an encoder, or the mean code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.e3dge import E3dge
from inv3d.core.encoders.kinds import E3DGE, NO_ENCODER
from inv3d.core.encoders.pyramid import Encoder
from inv3d.core.encoders.store import check_encoder, load_e3dge, load_encoder
from inv3d.core.generator import Detail
from inv3d.core.views import Views


@dataclass(frozen=True)
class Start:
    """Codes [N,num_ws,w_dim] of N views, and the local detail that codes cannot represent, if the encoder gives any."""

    codes: Tensor
    detail: Detail | None = None

    def __getitem__(self, row: int) -> Start:
        """The start of one view; the batch dimension is kept."""
        return Start(self.codes[[row]], None if self.detail is None else self.detail[[row]])


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
    """The encoder of E3DGE."""

    encoder: E3dge

    @torch.no_grad()
    def __call__(self, views: Views, bundle: Bundle) -> Start:
        return Start(self.encoder(views.images.to(bundle.generator.device)).codes)


def load_inverter(bundle: Bundle, name: str) -> Inverter | None:
    """The encoder `name` of a model, or None for `NO_ENCODER`. Raises ModelError if the model has none that fits it."""
    if name == NO_ENCODER:
        return None
    device = bundle.generator.device
    if name == E3DGE:
        parts = load_e3dge(bundle.name, device)
        check_encoder(parts.config.codes, bundle)
        return E3dgeInverter(parts)
    encoder = load_encoder(bundle.name, name, device)
    check_encoder(encoder.config, bundle)
    return EncoderInverter(encoder)
