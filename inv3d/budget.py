"""Memory estimates of jobs, from the sizes of the model and of the request; jobs that do not fit are refused at once.

Measured on CPUs, on top of the memory that loading inv3d takes. Views and codes add nothing, as
`python benchmarks/scale.py` shows.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from inv3d.core.bundle import ModelInfo
from inv3d.core.device import free_on
from inv3d.core.generator import GeneratorConfig
from inv3d.memory import most, require

_RENDER = 0.25e9
"""A render of the embedded model at any resolution: planes, a chunk of rays, libraries that are loaded late."""
_PICTURE = 30.0
"""A pixel of a finished picture: floats, the same within a row of pictures, bytes, bytes of the file."""
_OUTPUT = 0.9e9
"""Encoder, pictures, orbit, mesh and report of a head of the embedded model."""
_FIT = 1.6e9
"""The same, including the fit."""
_UPSCALED = 20e3
"""A pixel of a fit through super-resolution: 5 GB at 512 pixels."""
_TRACED = 400.0
"""A pixel of a procedural head while its surface is searched."""
_LATE = 0.1e9
"""Libraries that are loaded when they are first used."""
_CUDA = 0.5e9
"""What CUDA takes for itself."""
_MESH = 0.5e9
_CELL = 60.0
"""A cell of the density grid from which a mesh is extracted."""
_SPLATS = 2e9
"""100,000 splats in ten pictures of 256 pixels."""
_TEXEL = 120.0
"""A pixel of a texture while it is baked."""


def _ray(config: GeneratorConfig) -> float:
    """Bytes per ray: origin and direction, features in three layouts, depth and coverage."""
    return 4.0 * (12 + 3 * config.color_channels)


def _side(config: GeneratorConfig, resolution: int) -> int:
    """Pixels per side of an image whose rays are `resolution` per side."""
    return resolution if config.superresolution is None else config.resolution


def _layers(config: GeneratorConfig) -> float:
    """The widest layers of a render: planes, and super-resolution."""
    size = 8 * 4.0 * 3 * config.plane_channels * config.plane_resolution**2
    if config.superresolution is not None:
        size += 6 * 4.0 * config.superresolution.channels[1] * config.resolution**2
    return size


def _pictures(config: GeneratorConfig, resolution: int, count: int, together: int) -> float:
    pixels = _side(config, resolution) ** 2
    return _RENDER + _layers(config) + together * resolution**2 * _ray(config) + count * pixels * _PICTURE


def require_pictures(info: ModelInfo, resolution: int | None, count: int, together: int = 1) -> None:
    """Check that `count` pictures of `resolution` rays per side, `together` of them rendered at once, fit into memory.

    Raises OutOfMemoryError.
    """
    config = info.generator
    size = resolution or config.raw_resolution

    def needed(side: int) -> float:
        return _pictures(config, side, count, together)

    fits = most(needed, size)
    hint = f"--resolution {fits} fits" if fits >= 16 else "close other programs, or request fewer pictures"
    require(
        needed(size),
        f"{count} pictures of {size} x {size} pixels" if count > 1 else f"a picture of {size} x {size} pixels",
        hint,
    )


def require_mesh(resolution: int, texture: int = 0) -> None:
    """Check that a mesh from a grid of `resolution` cells per side, with a `texture` of so many pixels per side, fits into
    memory. Raises OutOfMemoryError."""

    def needed(side: int) -> float:
        return _MESH + max(_CELL * side**3, _TEXEL * texture**2)

    fits, less = most(needed, resolution), ", or use a smaller --texture" if texture else ""
    hint = f"--resolution {fits} fits" if fits >= 16 else f"close other programs{less}"
    require(needed(resolution), f"a mesh of {resolution} cells per side", hint)


def require_splats(resolution: int) -> None:
    """Like `require_mesh` for splats. Raises OutOfMemoryError."""
    require_mesh(resolution)
    require(_SPLATS, "splats", "close other programs")


def head_bytes(info: ModelInfo, fit: bool) -> float:
    """Bytes of memory that making a head takes, with a `fit` or by an encoder alone."""
    config = info.generator
    if not fit:
        return _OUTPUT + _layers(config)
    return _FIT + (0.0 if config.superresolution is None else _UPSCALED * config.resolution**2)


def require_head(info: ModelInfo, fit: bool) -> None:
    """Check that making a head fits into memory. Raises OutOfMemoryError."""
    needed = head_bytes(info, fit)
    require(needed, f"a head of the model '{info.name}'", "close other programs, or use a machine with more memory")


def require_training(steps: Iterable[tuple[float, int]], model: str, device: torch.device) -> float:
    """Check that the steps of an encoder's training fit into memory, each given by the bytes that it takes (see
    `core.training.needs`) and by those of its pictures, which are the host's; returns the bytes that the largest takes on the
    device. Raises OutOfMemoryError."""
    most, what = 0.0, f"training an encoder for the model '{model}'"
    for needed, held in steps:
        if device.type == "cpu":
            needed += held + _LATE
            require(needed, what, "use a machine with more memory, or --device cuda where there is one")
        else:
            needed += _CUDA
            require(needed, f"{what}, on {device},", "use a GPU with more memory, or --device cpu", free_on(device))
            require(held + _LATE, f"the pictures of {what}", "use a machine with more memory, or a smaller --scale")
        most = max(most, needed)
    return most


def require_source(resolution: int, count: int, together: int) -> None:
    """Like `require_pictures` for pictures of procedural heads."""

    def needed(side: int) -> float:
        return _RENDER + side**2 * (together * _TRACED + count * _PICTURE)

    fits = most(needed, resolution)
    hint = f"--resolution {fits} fits" if fits >= 16 else "close other programs, or request fewer pictures"
    require(needed(resolution), f"{count} pictures of {resolution} x {resolution} pixels", hint)
