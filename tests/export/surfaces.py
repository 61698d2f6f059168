"""What is wrong with a surface of triangles, found without the code under test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def faults(points: NDArray[np.floating], triangles: NDArray[np.integer]) -> list[str]:
    """Why points [V,3] and triangles [F,3] are no closed, consistently wound manifold of sound triangles."""
    points, triangles = np.asarray(points), np.asarray(triangles)
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    _, faces_per_edge = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    corners = points[triangles]
    height = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    height /= np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)
    found = {
        "edges without two faces": (faces_per_edge != 2).any(),
        "faces that are wound unlike their neighbours": len(np.unique(edges, axis=0)) != len(edges),
        "vertices with several fans of faces": _vertices_with_several_fans(triangles),
        "the same face twice": len(np.unique(np.sort(triangles, 1), axis=0)) != len(triangles),
        "unused vertices": not np.array_equal(np.unique(triangles), np.arange(len(points))),
        "vertices in the same place": len(np.unique(points.astype(np.float32), axis=0)) != len(points),
        "faces without area": (height < 1e-8).any(),
    }
    return [fault for fault, there in found.items() if there]


def _vertices_with_several_fans(triangles: NDArray[np.integer]) -> int:
    following: dict[int, dict[int, int]] = {}
    for face in triangles.tolist():
        for i in range(3):
            following.setdefault(face[i], {})[face[(i + 1) % 3]] = face[(i + 2) % 3]
    several = 0
    for around in following.values():
        first = next(iter(around))
        vertex, steps = around[first], 1
        while vertex != first and vertex in around and steps < len(around):
            vertex, steps = around[vertex], steps + 1
        several += vertex == first and steps < len(around)
    return several
