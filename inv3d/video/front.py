"""Poses that an aligner has read off frames, corrected by what the faces in these tell.

An aligner reads a frame by what it knows of drawn heads: of a photographed head it may miss the front, and read a turn too small,
much as it does in every frame of it. Faces tell more, up to where they turn away. Beyond that the
aligner's readings go on, as far as they are off where both can be seen.

A pose is a row (x, y, size, roll, yaw, pitch): the crop's middle and side in pixels, and angles in radians.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_GONE, _TURNED_BACK, _FADING = math.radians(60), math.radians(45), math.radians(15)
"""Yaws from which a face tells no more than that it is turned at least as far; from which, that it is turned less far than was
read: meshes of faces that are half hidden stay behind; and over how much before these it tells less and less."""
_SPREAD = math.radians(6)  # by which readings have to differ to tell how much too small turns are read
_DIFFER, _USUAL = math.radians(12), 0.84
"""Pitch by which aligners and faces differ without one of them being wrong, where faces have this weight; they may differ less
where aligners are less sure."""
_ERR = np.array([0.02, 0.02, 0.04, math.radians(4), math.radians(4), math.radians(5)])
"""Of single frames: parts of a crop, the logarithm of its size, and angles."""
POSE = ("x", "y", "size", "roll", "yaw", "pitch")
"""The numbers of a pose, in order."""
_SIZE, _YAW, _PITCH = (POSE.index(name) for name in ("size", "yaw", "pitch"))


def faced(read: Array, told: Array, weights: Array) -> Array:
    """Poses [N,6] that were `read`, corrected by those that faces have `told`, with the `weights` [N] of these from 0 to 1."""
    if not weights.any():
        return read
    turned = np.abs(told[:, _YAW])
    gone = np.where(turned < np.abs(read[:, _YAW]), _TURNED_BACK, _GONE)
    seen = ((gone - turned) / _FADING).clip(0.0, 1.0)
    units = np.ones_like(read)
    units[:, :_SIZE] = read[:, _SIZE, None]
    off = (told - read) / units
    off[:, _SIZE] = np.log(told[:, _SIZE] / read[:, _SIZE])
    moved = _steadied(off, weights * seen)
    poses = read + units * moved
    poses[:, _SIZE] = read[:, _SIZE] * np.exp(moved[:, _SIZE])
    poses[:, _YAW] = _yaws(read[:, _YAW], told[:, _YAW], weights, seen)
    poses[:, _PITCH] += _common(off[:, _PITCH], weights)
    return poses


def _steadied(off: Array, weights: Array) -> Array:
    """By how much poses have to move that are `off` [N,6] those of faces, unlike the others of the clip, by more than both err."""
    if not weights.any():
        return np.zeros_like(off)
    left = off - np.average(off, axis=0, weights=weights)
    return weights[:, None] * left * left**2 / (left**2 + _ERR**2)


def _yaws(read: Array, told: Array, weights: Array, seen: Array) -> Array:
    yaws = _continued(read, told, weights * seen, weights)
    further = np.sign(told) * (told - yaws) > 0.0
    return yaws + weights * np.where(further, 1.0, seen) * (told - yaws)


def _continued(read: Array, told: Array, seen: Array, weights: Array) -> Array:
    """All readings, corrected along the straight line that fits where faces are `seen`."""
    if not seen.any():
        return read
    middle, front = np.average(read, weights=seen), np.average(told, weights=seen)
    common = np.average((read - middle) * (told - front), weights=seen) + _SPREAD**2
    slope = common / (np.average((read - middle) ** 2, weights=seen) + _SPREAD**2)
    return read + np.average(weights, weights=seen) * (front + slope * (read - middle) - read)


def _common(off: Array, weights: Array) -> float:
    """By how much all pitches have to change that are `off` [N] those of faces: if it is more than both err."""
    mean, weight = float(np.average(off, weights=weights)), float(np.average(weights, weights=weights))
    differ = _DIFFER**2 * (1.0 - weight) / (1.0 - _USUAL)
    return weight * mean * mean**2 / (mean**2 + differ)
