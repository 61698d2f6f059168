# ruff: noqa: UP018, SIM109, RUF046, RUF100  (Warp: float(0.0) declares a variable; there is no `in`)
"""Kernels for strands that grow over a surface, and for cloth that is laid on it."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def grow(
    skin: wp.uint64, corners: wp.array(dtype=wp.int32), normals: wp.array(dtype=wp.vec3), steps: int, weight: float,
    curl: float, wave: float, turns: float, keep_off: float, cling: float, target: wp.vec3, pull: float, roots: wp.array(dtype=wp.vec3),
    starts: wp.array(dtype=wp.vec3), lengths: wp.array(dtype=wp.float32), layers: wp.array(dtype=wp.float32),
    phases: wp.array(dtype=wp.float32), points: wp.array2d(dtype=wp.vec3), outward: wp.array2d(dtype=wp.vec3),
):  # fmt: skip
    """One strand each: `steps` steps from `roots` along `starts`, bent down by `weight`, never nearer to the skin than
    its layer. World units. `keep_off` drives hair out of the face, `cling` back to its layer, `pull` draws it to `target`."""
    i = wp.tid()
    p = roots[i]
    d = starts[i]
    h = lengths[i] / float(steps)
    o = wp.normalize(d)
    for k in range(steps + 1):
        q = wp.mesh_query_point_no_sign(skin, p, 1.0)
        if q.result:
            surface = wp.mesh_eval_position(skin, q.face, q.u, q.v)
            n = wp.normalize(
                normals[corners[3 * q.face]] * q.u
                + normals[corners[3 * q.face + 1]] * q.v
                + normals[corners[3 * q.face + 2]] * (1.0 - q.u - q.v)
            )
            away = wp.dot(p - surface, n)
            rise = layers[i] * wp.min(1.0, (float(k) + 0.4) * h / 0.03)
            if away < rise and wp.length(p - surface) < 0.12:
                moved = surface + n * rise
                p = moved
                into = wp.dot(d, n)
                if k > 0 and into < 0.0:
                    d = wp.normalize(d - n * into)
            elif cling > 0.0 and k > 0 and wp.length(p - surface) < 0.12:
                d = wp.normalize(d - n * (cling * wp.clamp((away - rise) / 0.02, 0.0, 1.0)))
            if wp.length(p - surface) < 0.10:
                o = n
            else:
                o = wp.normalize(o + 0.3 * n)
        points[i, k] = p
        outward[i, k] = o
        bend = wp.min(1.2, weight * h * 16.0)
        d = wp.normalize(d + wp.vec3(0.0, -bend, 0.0))
        if keep_off > 0.0 and p[2] > 0.03 and p[1] < 0.15:
            out = wp.vec3(wp.sign(p[0]), 0.0, -1.3)
            inside = wp.max(0.0, 1.0 - wp.abs(p[0]) / 0.17)
            d = wp.normalize(d + out * (keep_off * wp.min(1.0, h * 30.0) * (0.15 + inside)))
        if pull > 0.0:
            share = float(k + 1) / float(steps)
            d = wp.normalize(d + wp.normalize(target - p) * (pull * 2.0 * share))
        p = p + d * h
    # curls and waves around the finished path
    for k in range(steps + 1):
        s = float(k) * h
        before = wp.max(k - 1, 0)
        after = wp.min(k + 1, steps)
        tangent = wp.normalize(points[i, after] - points[i, before] + wp.vec3(1.0e-6, 0.0, 0.0))
        a = outward[i, k]
        b = wp.normalize(wp.cross(tangent, a) + wp.vec3(1.0e-6, 0.0, 0.0))
        ramp = wp.min(1.0, s / 0.05)
        angle = 6.2831853 * turns * s + phases[i]
        offset = b * (curl * wp.cos(angle)) + a * (curl * (1.0 + wp.sin(angle)))
        slow = 6.2831853 * 7.0 * s + 0.6 * phases[i]
        offset += (b * wp.cos(slow) + a * (0.6 + 0.6 * wp.sin(slow))) * wave
        # the path itself is kept in `outward` until all offsets are known
        outward[i, k] = a
        points[i, k] = points[i, k] + offset * ramp


@wp.kernel
def cast(
    mesh: wp.uint64, origins: wp.array(dtype=wp.vec3), directions: wp.array(dtype=wp.vec3), reach: float, layers: int,
    out: wp.array(dtype=wp.float32),
):  # fmt: skip
    """Distance to the last of at most `layers` surfaces along each ray within `reach`; 0 where there is none."""
    i = wp.tid()
    start = float(0.0)
    last = float(0.0)
    for _ in range(layers):
        q = wp.mesh_query_ray(mesh, origins[i] + directions[i] * start, directions[i], reach - start)
        if not q.result:
            break
        start += q.t + 0.0005
        last = start
    out[i] = last
