"""Paths of the camera around a head: yaw and pitch over a video, in radians."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_TILT = math.radians(14.0)  # how far the paths look up and down
_NARROW = math.radians(18.0)
_TURNS = 3  # of the spiral

Angles = tuple[Tensor, Tensor]


def _swing(phase: Tensor, middle: float, reach: float) -> Angles:
    return middle - reach * phase.cos(), torch.zeros_like(phase)


def _circle(phase: Tensor, middle: float, reach: float) -> Angles:
    radius = min(_NARROW, reach)
    return middle + radius * phase.sin(), radius * phase.cos()


def _ellipse(phase: Tensor, middle: float, reach: float) -> Angles:
    return middle + reach * phase.sin(), _TILT * phase.cos()


def _up_and_down(phase: Tensor, middle: float, reach: float) -> Angles:
    return torch.full_like(phase, middle), _TILT * 2 * phase.sin()


def _spiral(phase: Tensor, middle: float, reach: float) -> Angles:
    grown = (1 - phase.cos()) / 2
    return middle + reach * grown * (_TURNS * phase).sin(), _TILT * grown * (_TURNS * phase).cos()


def _around(phase: Tensor, middle: float, reach: float) -> Angles:
    return middle + phase, torch.zeros_like(phase)


PATHS: dict[str, Callable[[Tensor, float, float], Angles]] = {
    "swing": _swing,
    "circle": _circle,
    "ellipse": _ellipse,
    "up-down": _up_and_down,
    "spiral": _spiral,
    "around": _around,
}
"""Paths by name. All but `around` stay within the given yaws, and all end where they begin."""


def path(name: str, yaw_range: tuple[float, float], frames: int) -> Angles:
    """Yaws and pitches [frames] of a closed path within `yaw_range` (radians), for a video that repeats smoothly."""
    low, high = yaw_range
    phase = torch.arange(frames) * (2 * math.pi / frames)
    return PATHS[name](phase, (low + high) / 2, (high - low) / 2)
