"""Networks that were trained on photographs of people, as inv3d ships them: MediaPipe's, which read a photographed head where
those that have seen drawings alone are unsure (see `models/mediapipe/CARD.md`)."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from inv3d.core.errors import ModelError
from inv3d.core.library import EMBEDDED
from inv3d.core.networks.blazeface import BlazeFace
from inv3d.core.networks.facemesh import FaceMesh
from inv3d.core.networks.selfie import PersonMatte
from inv3d.core.weights import Module, load_module

FOLDER = EMBEDDED / "mediapipe"


@functools.cache
def face_detector(device: torch.device) -> BlazeFace:
    """Raises ModelError if its file is damaged, as the others."""
    return _loaded("face", BlazeFace, device)


@functools.cache
def face_mesh(device: torch.device) -> FaceMesh:
    return _loaded("mesh", FaceMesh, device)


@functools.cache
def person_matte(device: torch.device) -> PersonMatte:
    return _loaded("person", PersonMatte, device)


def _loaded(name: str, make: Callable[[], Module], device: torch.device) -> Module:
    path = FOLDER / f"{name}.safetensors"

    def refuse(why: str) -> ModelError:
        return ModelError(f"{path} cannot be loaded: {why}", "reinstall inv3d")

    return load_module(make, path, refuse, device).to(memory_format=torch.channels_last)

