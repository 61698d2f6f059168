# ruff: noqa: UP018, SIM109, RUF046, RUF100  (Warp: float(0.0) declares a variable; there is no `in`)
"""Warp kernels that ask the meshes of a person for what no picture shows: openness to the sky, signed distances."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def occlusion(
    mesh: wp.uint64, vertices: wp.array(dtype=wp.int32), points: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3), reach: float, rays: int,
    shade: wp.array(dtype=wp.float32),
):  # fmt: skip
    """The share of the hemisphere, weighted by its cosine, that is open within `reach`."""
    i = vertices[wp.tid()]
    n = normal[i]
    helper = wp.vec3(0.0, 0.0, 1.0)
    if wp.abs(n[2]) > 0.9:
        helper = wp.vec3(1.0, 0.0, 0.0)
    a = wp.normalize(wp.cross(n, helper))
    b = wp.cross(n, a)
    total = float(0.0)
    for k in range(rays):
        share = (float(k) + 0.5) / float(rays)
        turn = 2.399963 * float(k)
        far = wp.sqrt(share)
        d = a * (far * wp.cos(turn)) + b * (far * wp.sin(turn)) + n * wp.sqrt(1.0 - share)
        q = wp.mesh_query_ray(mesh, points[i] + n * 0.0025, d, reach)
        if q.result:
            total += q.t / reach * 0.6
        else:
            total += 1.0
    shade[i] = total / float(rays)


@wp.kernel
def distances(
    solid: wp.uint64, ribbons: wp.uint64, half: float, points: wp.array(dtype=wp.vec3),
    out: wp.array(dtype=wp.float32),
):  # fmt: skip
    """Signed distance to the solid parts, joined with ribbons that are 2 `half` thick (if there are any)."""
    i = wp.tid()
    p = points[i]
    q = wp.mesh_query_point_sign_winding_number(solid, p, 4.0)
    away = wp.length(p - wp.mesh_eval_position(solid, q.face, q.u, q.v)) * q.sign
    if ribbons != wp.uint64(0):
        s = wp.mesh_query_point_no_sign(ribbons, p, wp.abs(away) + 2.0 * half)
        if s.result:
            away = wp.min(away, wp.length(p - wp.mesh_eval_position(ribbons, s.face, s.u, s.v)) - half)
    out[i] = away

