"""Networks for comparing photographs, by name: LPIPS and ArcFace, instead of those of the embedded model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.error import URLError

import torch
from torch import nn

from inv3d.core.bundle import Bundle, Identity
from inv3d.core.checkpoints.read import read_weights
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.library import home
from inv3d.core.networks.arcface import ArcFace, FaceBackbone, ir_101, ir_se50

if TYPE_CHECKING:
    from inv3d.core.networks.lpips import Lpips

Network = TypeVar("Network", bound=nn.Module)

OWN, AUTO, LPIPS = "own", "auto", "lpips-alex"
_BACKBONES = {
    LPIPS: ("alex", "alexnet-owt-7be5be79.pth"),
    "lpips-vgg": ("vgg", "vgg16-397923af.pth"),
}
_FACES: dict[str, tuple[Callable[[], FaceBackbone], str]] = {
    "arcface": (ir_se50, "model_ir_se50.pth"),
    "curricularface": (ir_101, "CurricularFace_Backbone.pth"),
}
PERCEPTUAL = (AUTO, OWN, *_BACKBONES)
IDENTITY = (OWN, *_FACES)


def with_helpers(bundle: Bundle, perceptual: str, identity: str, device: torch.device) -> Bundle:
    """The bundle with other networks for its losses; `AUTO` leaves the model's own until the pictures are known. ID is then measured by the other of the two face networks, if its
    weights exist. Raises UsageError for unknown names, ModelError for missing or damaged weights."""
    check_helpers(perceptual, identity)
    names = bundle.names
    if perceptual not in (OWN, AUTO):
        network = load_perceptual(perceptual, device)
        bundle = replace(bundle, perceptual=network, helper_typical=network.typical)
        names = replace(names, perceptual=perceptual)
    if identity != OWN:
        bundle = replace(bundle, identity=load_identity(identity, device))
        names = replace(names, identity=identity)
        other = next(name for name in _FACES if name != identity)
        if face_weights(other).is_file():
            bundle = replace(bundle, judge=load_identity(other, device))
            names = replace(names, judge=other)
    return replace(bundle, names=names)


def best_perceptual() -> str:
    """The network that `AUTO` means: LPIPS, which knows photographs, if the weights of one of its backbones are on this
    machine, else `OWN`."""
    return next((name for name in _BACKBONES if has_perceptual(name)), OWN)


def has_perceptual(name: str) -> bool:
    """Whether the weights of a network other than `OWN` are on this machine."""
    return _backbone_path(_BACKBONES[name][1]).is_file()


def check_helpers(perceptual: str, identity: str) -> None:
    """Raises UsageError for unknown names."""
    if perceptual not in PERCEPTUAL:
        raise UsageError(
            f"there is no perceptual network '{perceptual}'", f"choose one of: {', '.join(PERCEPTUAL)}"
        )
    if identity not in IDENTITY:
        raise UsageError(f"there is no identity network '{identity}'", f"choose one of: {', '.join(IDENTITY)}")


def load_perceptual(name: str, device: torch.device) -> Lpips:
    """Load one of `PERCEPTUAL` other than `OWN` and `AUTO`. Raises UsageError, ModelError."""
    check_helpers(name, OWN)
    from inv3d.core.networks.lpips import Lpips

    net, file = _BACKBONES[name]
    path = _backbone(file)
    with _damage(path, "remove it; it will be downloaded again"):
        return _ready(Lpips(net, read_weights(path)), device)


def load_identity(name: str, device: torch.device) -> Identity:
    """Load one of `IDENTITY` other than `OWN`. Raises UsageError, ModelError."""
    check_helpers(OWN, name)
    path = face_weights(name)
    if not path.is_file():
        raise ModelError(f"the weights of '{name}' are not on this machine", f"put {path.name} at {path}")
    backbone = _FACES[name][0]()
    with _damage(path, f"replace it with the public {path.name}"):
        backbone.load_state_dict(read_weights(path))
    return _ready(ArcFace(backbone), device)


@contextmanager
def _damage(path: Path, hint: str) -> Iterator[None]:
    """Turn the errors of loading a damaged or foreign state dict into ModelError."""
    try:
        yield
    except (RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged or contains another network", hint) from error


def face_weights(name: str) -> Path:
    """Path of the weights of a face network."""
    return home() / "helpers" / _FACES[name][1]


def _backbone_path(file: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / file


def _backbone(file: str) -> Path:
    """Path of the weights in torchvision's own cache; downloaded if missing, unless downloads are disabled."""
    path = _backbone_path(file)
    if not path.is_file():
        missing = ModelError(f"{file}, which LPIPS needs, is missing and cannot be downloaded", f"put it at {path}")
        if os.environ.get("INV3D_OFFLINE"):
            raise missing
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            digits = file.removesuffix(".pth").rpartition("-")[2]
            torch.hub.download_url_to_file(f"https://download.pytorch.org/models/{file}", str(path), digits, False)
        except (URLError, OSError, RuntimeError) as error:
            raise missing from error
    return path


def _ready(network: Network, device: torch.device) -> Network:
    return network.eval().requires_grad_(False).to(device)
