"""How far a head turns from frame to frame: structure from motion of what is followed on it.

The aligner reads a yaw off every frame alone, by what it knows of heads, and turns of people unlike all that it has seen it
reads too small: those of a photographed man by a quarter, by which his face became too deep. Points that move as one rigid
body tell how far it turns without any knowledge of it (Tomasi and Kanade 1992, "Shape and motion from image streams under
orthography"). They do not tell where its front is: that is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation
from skimage.registration import optical_flow_ilk

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

PICTURE = 160
"""Pixels per side of the pictures in which points are followed."""
_APART = math.radians(2.5)  # as it is read, from a picture to the next: flow finds what moves by a few pixels
_WINDOW, _LEAST = 13, 8  # pictures in which the same points are followed: fewer turn too little to tell depth from turning
_STRIDE = 2
_RADIUS = 0.025  # of a picture's width, of the windows that the flow is fitted to
_WARPS = 2
_GRID = 3  # pixels between points
_MIDDLE, _REACH = (0.5, 0.45), 0.29  # where the head is in its crop, above the shoulders, which do not turn with it
_LOST = 0.5  # pixels by which a point that is followed there and back may be off
_LEAST_POINTS = 60
_ROUNDS = 6  # points that move less like the rest than the median count for little: mouths talk
_FLAT = 0.03  # the least spread of the motions in their third direction: a turn, and not a shift alone
MISREAD = 1.8
"""Times that a turn may have been read too small or too large."""
_NEAR = 0.8  # radians: reads this near to the front tell where it is
_TYPICAL = (0.9, 0.055)  # a turn is read as this part of itself, and how much (radians) reads have to spread to tell otherwise
_DEGREE = 4  # of the polynomial in the yaw that a correction is: aligners err smoothly
_TOLD = 0.3  # of what is measured that faces make superfluous: both err
_ERRS = math.radians(4)  # by which reads and measured turns err of themselves


def measured_yaws(yaws: Array, pictures: Mapping[int, Picture], told: float = 0.0) -> Array:
    """Yaws [N] in radians that were read off frames of a head, corrected by how far it turns between grey `pictures`
    [`PICTURE`,`PICTURE`] of them, by their row, in the generator's crop. They stay where it cannot be followed, and where they
    hardly differ, and the more, the more faces have `told` them, from 0 to 1."""
    seen = np.array(sorted(pictures))
    rows = seen[_evenly(yaws[seen])] if len(seen) else seen
    if len(rows) < _LEAST:
        return yaws
    read = yaws[rows]
    steps = _turned([pictures[row] for row in rows], read)
    correction = _anchored(np.concatenate([[0.0], steps.cumsum()]), read) - read
    # what is within the errors of both is left alone
    correction *= correction**2 / (correction**2 + _ERRS**2)
    smooth = np.polynomial.Polynomial.fit(read, (1.0 - _TOLD * told) * correction, _DEGREE)
    return yaws + smooth(yaws.clip(read[0], read[-1]))


def _evenly(yaws: Array) -> NDArray[np.intp]:
    """Rows of pictures at evenly spaced yaws, in ascending order of these."""
    low, high = float(yaws.min()), float(yaws.max())
    wanted = np.linspace(low, high, round((high - low) / _APART) + 1)
    rows = np.unique(np.abs(yaws - wanted[:, None]).argmin(1))
    return rows[np.unique(yaws[rows], return_index=True)[1]]


def _anchored(turned: Array, read: Array) -> Array:
    """The `turned` angles [K], which begin anywhere, as yaws: 0 is where what was `read` is 0."""
    weights = np.exp(-((read / _NEAR) ** 2))
    middle, front = np.average(turned, weights=weights), np.average(read, weights=weights)
    spread = np.average((turned - middle) ** 2, weights=weights)
    common = np.average((turned - middle) * (read - front), weights=weights)
    typical, least = _TYPICAL
    slope = (common + typical * least**2) / (spread + least**2)
    return turned - middle + front / slope


def _turned(pictures: Sequence[Picture], read: Array) -> Array:
    """By how much the head turns [K-1] from each picture to the next; as it was `read` [K] where it cannot be followed."""
    greys = [_evenly_lit(picture) for picture in pictures]
    radius = round(_RADIUS * PICTURE)
    forth, back = (
        [optical_flow_ilk(a, b, radius=radius, num_warp=_WARPS) for a, b in pairs]
        for pairs in (pairwise(greys), ((b, a) for a, b in pairwise(greys)))
    )
    found: list[list[float]] = [[] for _ in forth]
    length = min(_WINDOW, len(greys)) - 1
    for first in range(0, len(forth) - length + 1, _STRIDE):
        last = first + length
        steps = _rotated(_followed(forth[first:last], back[first:last]))
        if steps is not None and 1 / MISREAD < steps.sum() / (read[last] - read[first]) < MISREAD:
            for row, step in enumerate(steps, first):
                found[row].append(step)
    return np.array([np.median(steps) if steps else step for steps, step in zip(found, np.diff(read), strict=True)])


def _evenly_lit(picture: Picture) -> Array:
    """A picture whose head is as bright and as rich in contrast as that of any other: cameras change their exposure as heads turn."""
    rows = slice(*(round(PICTURE * (_MIDDLE[1] + side * _REACH)) for side in (-1, 1)))
    columns = slice(*(round(PICTURE * (_MIDDLE[0] + side * _REACH)) for side in (-1, 1)))
    head = picture[rows, columns]
    return 0.5 + 0.2 * (picture - head.mean()) / (head.std() + 1.0)


def _followed(forth: Sequence[Array], back: Sequence[Array]) -> Array:
    """Points [P,2] (down, right) of the picture in the middle of a window, in all of its pictures [W,P,2], by the flows
    [2,S,S] from each to the next and back; those that come back to where they were."""
    axis = np.arange(0.0, PICTURE, _GRID)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    right, down = _MIDDLE
    points = points[np.linalg.norm(points / PICTURE - (down, right), axis=1) < _REACH]
    kept = np.ones(len(points), bool)

    def moved(places: Array, there: Array, and_back: Array) -> Array:
        nonlocal kept
        new = places + _sampled(there, places)
        kept &= np.linalg.norm(new + _sampled(and_back, new) - places, axis=1) < _LOST
        return new

    middle = len(forth) // 2
    later, earlier = [points], [points]
    for row in range(middle, len(forth)):
        later.append(moved(later[-1], forth[row], back[row]))
    for row in reversed(range(middle)):
        earlier.append(moved(earlier[-1], back[row], forth[row]))
    return np.stack([*reversed(earlier[1:]), *later])[:, kept]


def _sampled(flow: Array, points: Array) -> Array:
    """A flow [2,S,S] at points [P,2]."""
    return np.stack([map_coordinates(way, points.T, order=1, mode="nearest") for way in flow], 1)


def _rotated(points: Array) -> Array | None:
    """The angles [W-1] about the vertical by which a rigid body turns between pictures, to the side that is positive in the
    mean, from its points [W,P,2]; None if they do not tell."""
    count = points.shape[1]
    if count < _LEAST_POINTS:
        return None
    weights = np.ones(count)
    for _ in range(_ROUNDS):
        centred = points - np.average(points, 1, weights)[:, None]
        tracks = centred.transpose(0, 2, 1).reshape(-1, count)
        basis, sizes, _ = np.linalg.svd(tracks * np.sqrt(weights), full_matrices=False)
        lost = np.linalg.norm(tracks - basis[:, :3] @ (basis[:, :3].T @ tracks), axis=0)
        weights = (1.0 + (lost / (np.median(lost) + 1e-9)) ** 2) ** -2
    axes = (basis[:, :3] * sizes[:3]).reshape(-1, 2, 3)
    # the rows of every picture are orthogonal and equally long: which change of coordinates makes them so?
    down, right = axes[:, 0], axes[:, 1]
    downwards, rightwards = _product(down, down), _product(right, right)
    equations = np.concatenate([downwards - rightwards, _product(down, right), downwards + rightwards])
    wanted = np.repeat([0.0, 0.0, 2.0], len(axes))
    found = np.linalg.lstsq(equations, wanted, rcond=None)[0]
    metric = found[[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3)
    spreads, directions = np.linalg.eigh(metric)
    if spreads[0] < _FLAT * spreads[2]:
        return None
    left, _, other = np.linalg.svd(axes @ (directions * np.sqrt(spreads)), full_matrices=False)
    rows = left @ other
    poses = Rotation.from_matrix(np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1))
    # the picture's first axis is the vertical; which way is in front, points alone do not tell
    steps: Array = (poses[1:] * poses[:-1].inv()).as_rotvec()[:, 0]
    return steps * np.sign(steps.sum())


def _product(a: Array, b: Array) -> Array:
    """The coefficients [W,6] of a symmetric matrix in the products of vectors [W,3] that it makes."""
    (x, y, z), (u, v, w) = a.T, b.T
    return np.stack([x * u, x * v + y * u, x * w + z * u, y * v, y * w + z * v, z * w], 1)
