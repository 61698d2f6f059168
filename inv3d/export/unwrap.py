"""UV coordinates: a closed surface is cut open behind and laid flat, with the whole face in the middle.

Every part of the mesh becomes one chart, a disc, whatever its topology:

1. Cut along shortest paths from the back of the crown to the underside and around every handle; paths in front are dear
   (Erickson and Whittlesey, *Greedy optimal homotopy and homology generators*).
2. Flatten: the cut becomes a circle, every other vertex a weighted mean of its neighbours (Floater, *Mean value
   coordinates*). The weights are positive, so that no two triangles overlap (Tutte).
3. Even out: the weights are divided by the local stretch a few times, so that equal areas get about equal shares of the
   texture (Yoshizawa, Belyaev and Seidel, *A fast and simple stretch-minimizing mesh parameterization*).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import spsolve

Points = NDArray[np.float64]
Indices = NDArray[np.int64]

_ROUNDS = 10  # of evening out, at the most
_IN_FRONT = 30.0  # how much dearer the cut is at the very front than at the very back
_MARGIN = 0.01  # of the texture's side, around every chart
_TINY = 1e-12


@dataclass(frozen=True)
class Unwrapped:
    """A mesh that is cut open: each of its W vertices stands for the vertex `origin` [W] of the closed mesh;
    `triangles` [F,3], in the order of the closed mesh, and `uv` [W,2] in [0,1] with v upwards."""

    origin: Indices
    triangles: Indices
    uv: Points


def unwrap(mesh: trimesh.Trimesh) -> Unwrapped:
    """UV coordinates of a closed manifold that has y up and faces +z. No two triangles overlap."""
    points, triangles = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    labels = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(triangles))
    opened = np.empty_like(triangles)
    origin, charts, areas = [np.empty(0, np.int64)], [], []
    for label in range(labels.max() + 1):
        faces = np.flatnonzero(labels == label)
        vertices, own = np.unique(triangles[faces], return_inverse=True)
        own = own.reshape(-1, 3).astype(np.int64)
        copied, flat, rim = _opened(own, _cut(points[vertices], own))
        places = points[vertices][copied]
        charts.append(_upright(_flatten(places, flat, rim), places))
        areas.append(float(trimesh.triangles.area(points[vertices][own]).sum()))
        opened[faces] = flat + sum(map(len, origin))
        origin.append(vertices[copied])
    uv = [center + radius * chart for chart, (center, radius) in zip(charts, _packed(areas), strict=True)]
    return Unwrapped(np.concatenate(origin), opened, np.concatenate(uv))


def _next(corners: Indices) -> Indices:
    """The next corner of the same face; corner c is place c % 3 of face c // 3, and half-edge c starts there."""
    return corners // 3 * 3 + (corners + 1) % 3


def _edges(triangles: Indices) -> tuple[Indices, Indices]:
    """Edges [E,2] as lower and higher vertex, and their two half-edges [E,2], the first of which runs upwards."""
    starts, ends = triangles.reshape(-1), triangles.reshape(-1)[_next(np.arange(triangles.size))]
    edges = np.sort(np.stack([starts, ends], 1), 1)
    halves = np.lexsort((starts, edges[:, 1], edges[:, 0])).reshape(-1, 2)
    return edges[halves[:, 0]], halves


def _cut(points: Points, triangles: Indices) -> NDArray[np.bool_]:
    """Which of the edges (see `_edges`) to cut, so that a disc remains of a closed surface."""
    edges, halves = _edges(triangles)
    low, high = points.min(0), points.max(0)
    place = (2 * points - low - high) / np.maximum(high - low, _TINY)
    toll = 1 + (_IN_FRONT - 1) * ((place[edges, 2].mean(1) + 1) / 2) ** 2
    lengths = (np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1) + _TINY) * toll
    root = int((place[:, 1] - 0.6 * place[:, 2] - np.abs(place[:, 0])).argmax())
    under = -place[:, 1] - 0.5 * np.hypot(place[:, 0], place[:, 2])
    under[root] = -np.inf
    graph = sparse.coo_array((lengths, edges.T), (len(points), len(points))).tocsr()
    distance, before = csgraph.dijkstra(graph, directed=False, indices=root, return_predecessors=True)
    in_tree = (before[edges[:, 0]] == edges[:, 1]) | (before[edges[:, 1]] == edges[:, 0])
    # a tree of faces crosses all other edges but two for every handle; it leaves those on the shortest loops
    loops = distance[edges].sum(1) + lengths
    order = np.flatnonzero(~in_tree)[np.argsort(-loops[~in_tree])]
    faces = halves[order] // 3
    crossed = _spanning(faces, len(triangles))
    cut = np.zeros(len(edges), bool)
    cut[order[~crossed]] = True
    wanted = np.zeros(len(points), bool)
    for vertex in (int(under.argmax()), *edges[cut].reshape(-1).tolist()):
        while vertex != root and not wanted[vertex]:
            wanted[vertex] = True
            vertex = int(before[vertex])
    child = np.where(before[edges[:, 0]] == edges[:, 1], edges[:, 0], edges[:, 1])
    return cut | (in_tree & wanted[child])


def _spanning(pairs: Indices, count: int) -> NDArray[np.bool_]:
    """Which of the pairs [P,2] of `count` nodes make a spanning tree, the first ones preferred."""
    _, first = np.unique(np.sort(pairs, 1), axis=0, return_index=True)  # nodes may be joined twice
    graph = sparse.coo_array((first + 1.0, pairs[first].T), (count, count)).tocsr()
    chosen = csgraph.minimum_spanning_tree(graph).data.astype(np.int64) - 1
    return np.isin(np.arange(len(pairs)), chosen)


def _opened(triangles: Indices, cut: NDArray[np.bool_]) -> tuple[Indices, Indices, Indices]:
    """A surface with some edges cut: the vertex of the closed one that each vertex stands for, the triangles, and the
    vertices along the rim, with the surface on their left."""
    _, halves = _edges(triangles)
    up, down = halves[~cut].T
    pairs = np.concatenate([np.stack([up, _next(down)], 1), np.stack([_next(up), down], 1)])
    fans = trimesh.graph.connected_component_labels(pairs, node_count=triangles.size).astype(np.int64)
    origin = np.empty(fans.max() + 1, np.int64)
    origin[fans] = triangles.reshape(-1)
    rims = halves[cut].reshape(-1)
    following = dict(zip(fans[rims].tolist(), fans[_next(rims)].tolist(), strict=True))
    rim = [int(fans[rims[0]])]
    while (vertex := following[rim[-1]]) != rim[0]:
        rim.append(vertex)
    assert len(rim) == len(rims), "a cut surface should be one disc"
    return origin, fans.reshape(-1, 3), np.array(rim)


def _flatten(points: Points, triangles: Indices, rim: Indices) -> Points:
    """Places [W,2] of the vertices of a disc in the unit circle."""
    steps = np.linalg.norm(points[rim] - np.roll(points[rim], 1, 0), axis=1) + _TINY
    angles = 2 * np.pi * np.cumsum(steps) / steps.sum()
    flat = np.zeros((len(points), 2))
    flat[rim] = np.stack([np.cos(angles), np.sin(angles)], 1)
    starts, ends, weights = _mean_value_weights(points, triangles)
    best, least = flat, np.inf
    for _ in range(_ROUNDS):
        flat = _balanced(flat, rim, starts, ends, weights)
        stretch, total = _stretch(points, triangles, flat)
        if not total < least:
            break
        best, least = flat, total
        weights = weights / stretch[ends]
    return best


def _mean_value_weights(points: Points, triangles: Indices) -> tuple[Indices, Indices, Points]:
    """Vertices [6F], their neighbours, and the neighbours' weights."""
    starts, ends, weights = [], [], []
    for i in range(3):
        corner, others = triangles[:, i], triangles[:, [(i + 1) % 3, (i + 2) % 3]]
        sides = points[others] - points[corner][:, None]
        lengths = np.linalg.norm(sides, axis=2) + _TINY
        area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
        half = np.tan(np.arctan2(area, (sides[:, 0] * sides[:, 1]).sum(1)) / 2)
        for k in range(2):
            starts.append(corner)
            ends.append(others[:, k])
            weights.append(half.clip(1e-4, 1e4) / lengths[:, k])
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(weights)


def _balanced(flat: Points, rim: Indices, starts: Indices, ends: Indices, weights: Points) -> Points:
    """Every vertex but those of the rim at the weighted mean of its neighbours."""
    count = len(flat)
    inner = np.setdiff1d(np.arange(count), rim)
    if not len(inner):
        return flat
    matrix = sparse.coo_array((weights, (starts, ends)), (count, count)).tocsr()[inner]
    matrix = sparse.diags_array(1.0 / matrix.sum(1)) @ matrix
    system = (sparse.eye_array(len(inner)) - matrix[:, inner]).tocsc()
    balanced = flat.copy()
    balanced[inner] = spsolve(system, matrix[:, rim] @ flat[rim]).reshape(-1, 2)
    return balanced


def _stretch(points: Points, triangles: Indices, flat: Points) -> tuple[Points, float]:
    """How much longer lengths are on the surface than in the plane: at every vertex and altogether, in units of the
    mean."""
    q, (s, t) = points[triangles], np.moveaxis(flat[triangles], 2, 0)
    turned = np.roll(s, -1, 1) * np.roll(t, -2, 1) - np.roll(s, -2, 1) * np.roll(t, -1, 1)
    double = np.maximum(turned.sum(1), _TINY)
    along_s = ((np.roll(t, -1, 1) - np.roll(t, -2, 1))[..., None] * q).sum(1) / double[:, None]
    along_t = ((np.roll(s, -2, 1) - np.roll(s, -1, 1))[..., None] * q).sum(1) / double[:, None]
    squared = ((along_s**2).sum(1) + (along_t**2).sum(1)) / 2
    areas = trimesh.triangles.area(q) + _TINY
    of_vertex = [np.bincount(triangles.reshape(-1), np.repeat(values, 3)) for values in (areas * squared, areas)]
    scale = areas.sum() / (double.sum() / 2)
    return np.sqrt(of_vertex[0] / of_vertex[1] / scale), float((areas * squared).sum() / areas.sum() / scale)


def _upright(flat: Points, points: Points) -> Points:
    """A chart turned so that its front stands upright."""
    front = points[:, 2] >= np.quantile(points[:, 2], 0.7)
    plane, seen = (values[front] - values[front].mean(0) for values in (flat, points[:, :2]))
    turn = np.conj(plane @ [1, 1j]) @ (seen @ [1, 1j])
    turned = flat @ [1, 1j] * (turn / max(abs(turn), _TINY) if abs(turn) else 1.0)
    return np.stack([turned.real, turned.imag], 1)


def _packed(areas: list[float]) -> list[tuple[Points, float]]:
    """Centres [2] and radii of discs in the unit square, in proportion to the `areas` of parts, in rows."""
    sides = np.sqrt(np.maximum(areas, _TINY))
    order = np.argsort(-sides)
    scale = 1.0 / float(sides.max())
    while True:
        places: dict[int, tuple[Points, float]] = {}
        x = y = height = 0.0
        for part in order.tolist():
            side = float(sides[part]) * scale
            if x + side > 1.0 + 1e-9:
                x, y, height = 0.0, y + height, 0.0
            places[part] = np.array([x + side / 2, y + side / 2]), side / 2 * (1 - 2 * _MARGIN)
            x, height = x + side, max(height, side)
        if y + height <= 1.0 + 1e-9:
            return [places[part] for part in range(len(areas))]
        scale *= 0.97
