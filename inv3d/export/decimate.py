"""Fewer triangles, and always a manifold: every edge between two faces, every vertex inside one fan of faces.

A collapsing edge can bring two sheets of a surface together along an edge, which four faces then share; marching cubes
does so too, rarely. Such places are separated again here. All meshes are closed and wound consistently.
"""

from __future__ import annotations

import itertools

import fast_simplification
import numpy as np
import trimesh
from numpy.typing import NDArray

Points = NDArray[np.float64]
Triangles = NDArray[np.int64]
Indices = NDArray[np.int64]

_COARSEST = 40  # faces; below, collapsing edges flattens a head
_SLIVER = 1e-5  # of the largest part's volume
_APART = 0.05  # of the way to its neighbours that a vertex moves where two would lie in the same place


def decimate(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """A closed manifold of at most `faces` triangles (4 or more) that approximates a closed `mesh`, by quadric error.

    Where the surface has too many holes and parts for so few triangles, or these are fewer than 40, the result is the
    convex hull of some of its points. Source: Garland and Heckbert, Surface Simplification Using Quadric Error Metrics.
    """
    points, triangles = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    target = faces
    while target >= min(_COARSEST, len(triangles)):
        fewer = points, triangles
        if len(triangles) > target:
            found = fast_simplification.simplify(points.astype(np.float32), triangles, target_count=target)
            fewer = found[0].astype(np.float64), found[1].astype(np.int64)
        made = without_small_parts(trimesh.Trimesh(*as_manifold(*fewer), process=False))
        if 4 <= len(made.faces) <= faces:
            return made
        target -= max(len(made.faces) - faces, 2)
    return _hull(points, faces)


def without_small_parts(mesh: trimesh.Trimesh, smallest: float = 0.0) -> trimesh.Trimesh:
    """Leave out parts with less than `smallest` of the largest part's faces, slivers, and hollows, which are wound inwards
    and never visible."""
    if not len(mesh.faces):
        return mesh
    labels = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    volumes = np.bincount(labels, np.linalg.det(mesh.triangles))
    counts = np.where(volumes > _SLIVER * volumes.max(), np.bincount(labels), 0)
    kept = trimesh.Trimesh(mesh.vertices, mesh.faces[(counts > smallest * counts.max())[labels]], process=False)
    kept.remove_unreferenced_vertices()
    return kept


def _hull(points: Points, faces: int) -> trimesh.Trimesh:
    """The convex hull of some points far from each other: V points on a hull make 2 V - 4 faces."""
    outer = np.asarray(trimesh.Trimesh(points, process=False).convex_hull.vertices)
    chosen = [int(outer[:, 1].argmax())]
    distance = np.full(len(outer), np.inf)
    while len(chosen) < faces // 2 + 2:
        distance = np.minimum(distance, np.linalg.norm(outer - outer[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return trimesh.Trimesh(outer[chosen], process=False).convex_hull


def as_manifold(points: Points, triangles: Triangles) -> tuple[Points, Triangles]:
    """Points [V,3] and triangles [F,3] of a closed surface as those of a manifold, without unused points.

    A vertex with several fans of faces becomes several vertices, and of several edges between the same two vertices all
    but one get a vertex in the middle.
    """
    triangles = _without_opposites(triangles)
    if not len(triangles):
        return points[:0], triangles
    forward, backward = _halves(points, triangles)
    fans = trimesh.graph.connected_component_labels(_joined(forward, backward), node_count=triangles.size)
    origin = np.empty(fans.max() + 1, np.int64)
    origin[fans] = triangles.reshape(-1)
    triangles = fans.reshape(-1, 3).astype(np.int64)
    points = _pulled_apart(points[origin], triangles)
    return _without_double_edges(points, triangles, forward, backward)


def _next(corners: Indices) -> Indices:
    """The next corner of the same face; corner c is place c % 3 of face c // 3."""
    return corners // 3 * 3 + (corners + 1) % 3


def _joined(forward: Indices, backward: Indices) -> Indices:
    """The pairs [2E,2] of corners that two neighbouring faces have in the same place."""
    return np.concatenate([np.stack([forward, _next(backward)], 1), np.stack([_next(forward), backward], 1)])


def _without_opposites(triangles: Triangles) -> Triangles:
    """Leave out pairs of faces that lie back to back on the same three vertices: nothing is between them."""
    _, inverse, counts = np.unique(np.sort(triangles, 1), axis=0, return_inverse=True, return_counts=True)
    gone: list[int] = []
    for group in np.flatnonzero(counts > 1):
        rows = np.flatnonzero(inverse == group)
        turned = np.array([np.roll(triangles[row], -int(triangles[row].argmin())) for row in rows])
        even, odd = rows[turned[:, 1] < turned[:, 2]], rows[turned[:, 1] > turned[:, 2]]
        pairs = min(len(even), len(odd))
        gone += [*even[:pairs], *odd[:pairs]]
    return np.delete(triangles, gone, axis=0)


def _halves(points: Points, triangles: Triangles) -> tuple[Indices, Indices]:
    """The two halves [E] of every edge, by the corners that they start from: up the numbers of vertices, and down.

    Where several edges join the same two vertices, a face is the neighbour of the next one on its outer side, so that
    what is solid stays in one piece.
    """
    start, end = triangles.reshape(-1), np.roll(triangles, -1, 1).reshape(-1)
    order = np.lexsort((np.maximum(start, end), np.minimum(start, end)))
    up = (start < end)[order]
    forward, backward = order[up], order[~up]
    edges = np.stack([start[forward], end[forward]], 1)
    _, begins, counts = np.unique(edges, axis=0, return_index=True, return_counts=True)
    for begin, count in zip(begins[counts > 1], counts[counts > 1], strict=True):
        rows = slice(begin, begin + count)
        backward[rows] = _outer_neighbours(points, triangles, forward[rows], backward[rows])
    return forward, backward


def _outer_neighbours(points: Points, triangles: Triangles, forward: Indices, backward: Indices) -> Indices:
    """The halves `backward` of several edges between the same two vertices, in the order of their other halves."""
    start, end = points[triangles.reshape(-1)[[forward[0], _next(forward)[0]]]]
    axis = (end - start) / max(float(np.linalg.norm(end - start)), 1e-12)
    across = points[triangles.reshape(-1)[_next(_next(np.concatenate([forward, backward])))]] - start
    across -= np.outer(across @ axis, axis)
    angles = np.arctan2(across @ np.cross(axis, across[0]), across @ across[0])
    ahead = (angles[len(forward) :] - angles[: len(forward), None]) % (2 * np.pi)
    chosen: list[int] = []
    for row in ahead:
        row[chosen] = np.inf
        chosen.append(int(row.argmin()))
    return backward[chosen]


def _pulled_apart(points: Points, triangles: Triangles) -> Points:
    """Move vertices that share their place with another, fans of one vertex or not, a little towards their own neighbours:
    in a plane, edges that collapse leave vertices anywhere, also where others are."""
    _, place, counts = np.unique(points.astype(np.float32), axis=0, return_inverse=True, return_counts=True)
    moved = points.copy()
    for vertex in np.flatnonzero(counts[place] > 1):
        around = triangles[(triangles == vertex).any(1)]
        moved[vertex] += _APART * (points[around[around != vertex]].mean(0) - points[vertex])
    return moved


def _without_double_edges(
    points: Points, triangles: Triangles, forward: Indices, backward: Indices
) -> tuple[Points, Triangles]:
    """Where several edges join the same two vertices, give all but one of them a vertex between its ends."""
    corners = triangles.reshape(-1)
    edges = np.sort(np.stack([corners[forward], corners[_next(forward)]], 1), 1)
    _, inverse, counts = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    middles: dict[int, int] = {}  # by the corner from which the half-edge starts
    added = list(points)
    for group in np.flatnonzero(counts > 1):
        rows = np.flatnonzero(inverse == group)
        for place, row in enumerate(rows[1:], 1):
            halves = np.array([forward[row], backward[row]])
            start, end = points[corners[halves[0]]], points[corners[halves[1]]]
            middle = start + (end - start) * place / len(rows)
            tips = points[corners[_next(_next(halves))]].mean(0)
            middles |= dict.fromkeys(halves.tolist(), len(added))
            added.append(middle + _APART * (tips - middle))
    kept = np.delete(triangles, [half // 3 for half in middles], axis=0).tolist()
    for face in sorted({half // 3 for half in middles}):
        outline = [
            vertex
            for half in range(3 * face, 3 * face + 3)
            for vertex in ([int(corners[half])] + ([middles[half]] if half in middles else []))
        ]
        first = next(place for place, vertex in enumerate(outline) if vertex >= len(points))
        outline = outline[first:] + outline[:first]
        kept += [[outline[0], *pair] for pair in itertools.pairwise(outline[1:])]
    return np.array(added), np.array(kept, np.int64).reshape(-1, 3)
