"""Catmull-Clark subdivision as a linear map, so that a whole basis of shapes is refined by one sparse product.

Catmull & Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes" (1978); borders follow their
own cubic B-spline.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix


def catmull_clark(quads: NDArray[np.int64], count: int) -> tuple[csr_matrix, NDArray[np.int64]]:
    """The map [W,V] from `count` vertices to those of the refined mesh, and its quads [4F,4].

    Refined vertices are the old ones (moved), then one for each edge, then one for each face. Vertices of no face stay.
    """
    faces = len(quads)
    sides = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    edges, edge_of = np.unique(sides, axis=0, return_inverse=True)
    edge_of = edge_of.reshape(faces, 4)
    uses = np.bincount(edge_of.ravel(), minlength=len(edges))
    border = uses == 1

    def sparse(rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float64], height: int) -> csr_matrix:
        return coo_matrix((values, (rows, columns)), shape=(height, count)).tocsr()

    corners = np.repeat(np.arange(faces), 4)
    face_points = sparse(corners, quads.ravel(), np.full(4 * faces, 0.25), faces)
    ends = np.repeat(np.arange(len(edges)), 2)
    middles = sparse(ends, edges.ravel(), np.full(2 * len(edges), 0.5), len(edges))
    beside = coo_matrix(
        (1.0 / uses[edge_of.ravel()], (edge_of.ravel(), corners)), shape=(len(edges), faces)
    ).tocsr() @ face_points
    inner = csr_matrix((~border).astype(float)[:, None])
    edge_points = middles - inner.multiply(middles) * 0.5 + inner.multiply(beside) * 0.5

    valence = np.bincount(edges.ravel(), minlength=count)
    on_border = np.zeros(count, dtype=bool)
    on_border[edges[border].ravel()] = True
    around = np.bincount(quads.ravel(), minlength=count)
    mean_face = coo_matrix(
        (1.0 / np.maximum(around[quads.ravel()], 1), (quads.ravel(), corners)), shape=(count, faces)
    ).tocsr() @ face_points
    mean_edge = coo_matrix(
        (1.0 / valence[edges.ravel()], (edges.ravel(), ends)), shape=(count, len(edges))
    ).tocsr() @ middles
    crease = edges[border]
    border_mean = coo_matrix(
        (np.full(2 * len(crease), 0.5), (crease.ravel(), np.repeat(np.flatnonzero(border), 2))),
        shape=(count, len(edges)),
    ).tocsr() @ middles
    n = np.maximum(valence, 1)
    free, bound = (around > 0) & ~on_border, on_border

    def scaled(matrix: csr_matrix, factors: NDArray[np.float64]) -> csr_matrix:
        return csr_matrix(matrix.multiply(factors[:, None]))

    identity = csr_matrix((np.ones(count), (np.arange(count), np.arange(count))), shape=(count, count))
    moved = (
        scaled(mean_face, free / n) + scaled(mean_edge, 2.0 * free / n)
        + scaled(identity, np.where(free, (n - 3.0) / n, np.where(bound, 0.5, 1.0)))
        + scaled(border_mean, 0.5 * bound)
    )  # fmt: skip

    from scipy.sparse import vstack

    first_edge, first_face = count, count + len(edges)
    centre = first_face + np.arange(faces)
    refined = [
        np.stack([quads[:, k], first_edge + edge_of[:, k], centre, first_edge + edge_of[:, k - 1]], 1) for k in range(4)
    ]
    return csr_matrix(vstack([moved, edge_points, face_points])), np.concatenate(refined)
