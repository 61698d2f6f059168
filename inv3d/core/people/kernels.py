# ruff: noqa: UP018, SIM109, RUF046, RUF100  (Warp: float(0.0) declares a variable; there is no `in`)
"""Warp kernels of the renderer: rays against the meshes of a person, and what every hit looks like. CPU and CUDA.

Conventions: `place` is where a point lies on its part (skin: metres of the basis' template; eye: the unit ball with z
along the gaze; ribbons: along, across, number); `extra` holds lips, inside of the mouth, ear, lid on skin, and on ribbons
the normal of the hair's body and how deep they lie in it; `paint` is a colour and its amount over any of them. Colours
are linear until `developed`.
"""

from __future__ import annotations

import warp as wp

from inv3d.core.people.skin import Look, relief_gradient, skin_colour

SKIN, TEETH, TONGUE, EYE, CLOTH, FRAME, HAT, METAL, LENS, HAIR, BROW = range(11)
"""Kinds of triangles."""

wp.set_module_options({"enable_backward": False})

K_SKIN = wp.constant(0)
K_TEETH = wp.constant(1)
K_TONGUE = wp.constant(2)
K_EYE = wp.constant(3)
K_CLOTH = wp.constant(4)
K_FRAME = wp.constant(5)
K_HAT = wp.constant(6)
K_METAL = wp.constant(7)
K_LENS = wp.constant(8)
K_HAIR = wp.constant(9)
K_BROW = wp.constant(10)
FAR = wp.constant(9.0)  # behind whatever the furthest camera of wide pictures sees, 6.75 from the middle


@wp.struct
class Body:
    """The meshes of one person."""

    mesh: wp.uint64
    corners: wp.array(dtype=wp.int32)
    kind: wp.array(dtype=wp.int32)
    points: wp.array(dtype=wp.vec3)
    normal: wp.array(dtype=wp.vec3)
    place: wp.array(dtype=wp.vec3)
    extra: wp.array(dtype=wp.vec4)
    shade: wp.array(dtype=wp.float32)
    scalp: wp.array(dtype=wp.float32)
    paint: wp.array(dtype=wp.vec4)


@wp.struct
class Light:
    """A key lamp and an environment (see `people.light`)."""

    key: wp.vec3
    colour: wp.vec3
    size: float
    exposure: float
    balance: float
    sh: wp.array(dtype=wp.vec3)


@wp.func
def environment(sh: wp.array(dtype=wp.vec3), n: wp.vec3, first: float, second: float) -> wp.vec3:
    """Environment light around n; the factors of degree 1 and 2 say how much it is blurred."""
    x = n[0]
    y = n[1]
    z = n[2]
    value = sh[0] * 0.282095
    value += (sh[1] * (0.488603 * y) + sh[2] * (0.488603 * z) + sh[3] * (0.488603 * x)) * first
    value += (
        sh[4] * (1.092548 * x * y)
        + sh[5] * (1.092548 * y * z)
        + sh[6] * (0.315392 * (3.0 * z * z - 1.0))
        + sh[7] * (1.092548 * x * z)
        + sh[8] * (0.546274 * (x * x - y * y))
    ) * second
    return wp.max(value, wp.vec3(0.0, 0.0, 0.0))


@wp.func
def covers(along: float, across: float, number: float, fine: float) -> bool:
    """Whether a ribbon is opaque there: it stands for several strands, with gaps that open towards the tip."""
    state = wp.rand_init(917)
    strands = wp.noise(state, wp.vec2(across * fine + number * 7.31, along * 1.7 + number * 3.1))
    edge = wp.abs(across)
    return strands > -0.62 + 0.75 * along * along * along + 0.55 * edge * edge * edge * edge


@wp.func
def ribbon_place(body: Body, face: int, u: float, v: float) -> wp.vec3:
    a = body.place[body.corners[3 * face]]
    b = body.place[body.corners[3 * face + 1]]
    c = body.place[body.corners[3 * face + 2]]
    return a * u + b * v + c * (1.0 - u - v)


@wp.func
def lit(body: Body, origin: wp.vec3, direction: wp.vec3) -> float:
    """How much of a lamp arrives: 0 behind a solid part; hair lets some through."""
    passed = float(1.0)
    start = float(0.0)
    for _ in range(3):
        q = wp.mesh_query_ray(body.mesh, origin + direction * start, direction, 2.0)
        if not q.result:
            return passed
        kind = body.kind[q.face]
        if kind == K_HAIR:
            w = ribbon_place(body, q.face, q.u, q.v)
            if covers(w[0], w[1], w[2], 2.6):
                passed *= 0.35
        elif kind == K_LENS:
            passed *= 0.9
        elif kind != K_BROW:
            return 0.0
        start += q.t + 0.004
        if passed < 0.1:
            return passed
    return passed


@wp.func
def developed(colour: wp.vec3, light: Light) -> wp.vec3:
    """Linear light to a picture's colour: exposure, white balance, a soft shoulder, display gamma."""
    c = colour * light.exposure
    c = wp.vec3(c[0] * (1.0 + 0.5 * light.balance), c[1], c[2] * (1.0 - 0.5 * light.balance))
    out = wp.vec3(0.0, 0.0, 0.0)
    for k in range(3):
        x = wp.max(c[k], 0.0)
        y = wp.pow(x * (1.0 + x / 6.0) / (1.0 + 0.55 * x), 1.0 / 2.2)
        y = wp.clamp(y, 0.0, 1.0)
        # contrast of a camera's picture
        out[k] = y + 0.38 * (y * y * (3.0 - 2.0 * y) - y)
    return out


@wp.func
def specular(n: wp.vec3, view: wp.vec3, towards: wp.vec3, power: float) -> float:
    """A normalised Blinn-Phong lobe times Schlick's Fresnel factor for skin and water."""
    half = wp.normalize(view + towards)
    nh = wp.max(wp.dot(n, half), 0.0)
    fresnel = 0.028 + 0.972 * wp.pow(1.0 - wp.clamp(wp.dot(view, half), 0.0, 1.0), 5.0)
    return fresnel * (power + 8.0) / 25.1 * wp.pow(nh, power) * wp.max(wp.dot(n, towards), 0.0)


@wp.func
def times(a: wp.vec3, b: wp.vec3) -> wp.vec3:
    return wp.vec3(a[0] * b[0], a[1] * b[1], a[2] * b[2])


@wp.func
def smooth(x: float, low: float, high: float) -> float:
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def eye_colour(q: wp.vec3, view: wp.vec3, look: Look) -> wp.vec4:
    """Colour of an eyeball where `q` lies on the unit ball (z along the gaze), and how much cornea covers it."""
    state = wp.rand_init(5)
    # the iris lies behind the cornea, so it shifts with the view
    depth = 0.10
    x = q[0] - view[0] * depth
    y = q[1] - view[1] * depth
    r = wp.sqrt(x * x + y * y)
    cornea = 1.0 - smooth(wp.sqrt(q[0] * q[0] + q[1] * q[1]), 0.36, 0.44)
    if q[2] < 0.2:
        r = 1.0
        cornea = 0.0
    vein = wp.noise(state, wp.vec3(q[0] * 9.0, q[1] * 26.0, q[2] * 9.0))
    white = wp.vec3(0.60, 0.55, 0.52) * (1.0 - 0.10 * smooth(vein, 0.1, 0.5))
    corner = smooth(wp.abs(q[0]), 0.45, 0.95)
    white = wp.vec3(white[0], white[1] * (1.0 - 0.22 * corner), white[2] * (1.0 - 0.26 * corner))
    angle = wp.atan2(y, x)
    fibres = wp.noise(state, wp.vec2(angle * 9.0, r * 7.0)) + 0.6 * wp.noise(state, wp.vec2(angle * 19.0 + 5.0, r * 9.0))
    rings = 1.0 + 0.55 * fibres
    collar = 1.0 + 0.5 * (1.0 - smooth(wp.abs(r - 0.20), 0.0, 0.07))
    iris = look.iris * (0.75 * rings * collar + 0.35 * smooth(r, 0.15, 0.33))
    iris = iris * (1.0 - 0.80 * smooth(r, 0.315, 0.40))
    amount = 1.0 - smooth(r, 0.375, 0.425)
    colour = white * (1.0 - amount) + iris * amount
    colour = colour * smooth(r, 0.120, 0.150) + wp.vec3(0.004, 0.004, 0.004) * (1.0 - smooth(r, 0.120, 0.150))
    return wp.vec4(colour[0], colour[1], colour[2], cornea)


@wp.func
def painted_over(colour: wp.vec3, paint: wp.vec4) -> wp.vec3:
    return colour * (1.0 - paint[3]) + wp.vec3(paint[0], paint[1], paint[2]) * paint[3]


@wp.func
def shaded_hair(
    body: Body, light: Light, look: Look, p: wp.vec3, tangent: wp.vec3, place: wp.vec3, extra: wp.vec4, paint: wp.vec4,
    view: wp.vec3, towards: wp.vec3, brow: bool,
) -> wp.vec3:  # fmt: skip
    """Strands after Kajiya & Kay with the two highlights of Marschner et al., on the body of the hair."""
    state = wp.rand_init(11)
    n = wp.normalize(wp.vec3(extra[0], extra[1], extra[2]))
    if wp.dot(n, view) < 0.0:
        n = wp.normalize(n - 1.6 * view * wp.dot(n, view))
    tone = wp.noise(state, wp.vec2(place[1] * 3.1 + place[2] * 5.7, place[0] * 1.3))
    own = wp.noise(state, wp.vec2(place[2] * 0.731, 3.7))
    colour = look.hair
    if brow:
        colour = look.brow
    if extra[3] < 0.0:  # lashes
        colour = look.brow * 0.3 + wp.vec3(0.010, 0.008, 0.007)
    colour = painted_over(colour, paint)
    grey = smooth(own + 0.5, 0.0, 1.0)
    colour = colour * (1.0 + 0.45 * tone + 0.35 * (grey - 0.5)) * (0.72 + 0.45 * place[0])
    sin_l = wp.sqrt(wp.max(1.0 - wp.dot(tangent, towards) * wp.dot(tangent, towards), 0.0))
    facing = wp.clamp((wp.dot(n, towards) + 0.35) / 1.35, 0.0, 1.0)
    shadow = float(1.0)
    if facing > 0.02 and not brow:
        shadow = lit(body, p + n * 0.004 + towards * 0.006, towards)
    key = light.colour * (shadow * facing)
    half = wp.normalize(view + towards)
    shifted = wp.normalize(tangent + n * (0.09 + 0.06 * tone))
    other = wp.normalize(tangent - n * (0.14 + 0.05 * tone))
    s1 = wp.sqrt(wp.max(1.0 - wp.dot(shifted, half) * wp.dot(shifted, half), 0.0))
    s2 = wp.sqrt(wp.max(1.0 - wp.dot(other, half) * wp.dot(other, half), 0.0))
    gloss = wp.pow(s1, 90.0) * 0.10
    glow = wp.pow(s2, 22.0) * 0.55
    if brow:
        gloss = 0.02 * gloss
        glow = 0.3 * glow
    deep = wp.abs(extra[3])
    sky = environment(light.sh, n, 0.667, 0.25) * deep
    out = times(colour, key * (0.75 * sin_l + glow) + sky * 0.95)
    return out + key * (gloss * (0.4 + 0.6 * deep)) + sky * (0.02 * deep)


@wp.kernel
def render(
    body: Body, light: Light, look: Look, origins: wp.array(dtype=wp.vec3), directions: wp.array(dtype=wp.vec3),
    lamps: int, colours: wp.array(dtype=wp.vec3), depths: wp.array(dtype=wp.float32),
    normals: wp.array(dtype=wp.vec3), kinds: wp.array(dtype=wp.int32),
):  # fmt: skip
    """One ray each: the developed colour of what it meets, the distance along the ray (FAR where nothing), the normal
    and the kind (-1 where nothing). `lamps` shadow rays are drawn on the key lamp for each."""
    i = wp.tid()
    o = origins[i]
    d = directions[i]
    start = float(0.0)
    face = int(-1)
    u = float(0.0)
    v = float(0.0)
    passed = wp.vec3(1.0, 1.0, 1.0)
    glare = wp.vec3(0.0, 0.0, 0.0)
    for layer in range(10):
        q = wp.mesh_query_ray(body.mesh, o + d * start, d, FAR - start)
        if not q.result:
            break
        kind = body.kind[q.face]
        if kind == K_HAIR or kind == K_BROW:
            strip = ribbon_place(body, q.face, q.u, q.v)
            fine = float(2.6)
            if kind == K_BROW:
                fine = 0.3
            # deep in the hair no light comes from behind
            if layer < 5 and not covers(strip[0], strip[1], strip[2], fine):
                start += q.t + 0.0004
                continue
        if kind == K_LENS:
            n = wp.normalize(q.normal)
            if wp.dot(n, d) > 0.0:
                n = -n
            r = d - n * (2.0 * wp.dot(n, d))
            fresnel = 0.04 + 0.96 * wp.pow(1.0 + wp.dot(n, d), 5.0)
            glare += times(passed, environment(light.sh, r, 1.0, 1.0)) * (fresnel * 0.7)
            glare += times(passed, light.colour) * (fresnel * 6.0 * smooth(wp.dot(r, light.key), 0.985 - 0.1 * light.size, 0.995))
            passed = passed * (1.0 - look.tint) * 0.96
            start += q.t + 0.0008
            continue
        face = q.face
        u = q.u
        v = q.v
        start += q.t
        break
    depths[i] = FAR
    kinds[i] = -1
    if face < 0:
        colours[i] = wp.vec3(0.0, 0.0, 0.0)
        normals[i] = wp.vec3(0.0, 0.0, 0.0)
        return
    depths[i] = start
    kind = body.kind[face]
    kinds[i] = kind
    ia = body.corners[3 * face]
    ib = body.corners[3 * face + 1]
    ic = body.corners[3 * face + 2]
    w = 1.0 - u - v
    p = o + d * start
    n = wp.normalize(body.normal[ia] * u + body.normal[ib] * v + body.normal[ic] * w)
    place = body.place[ia] * u + body.place[ib] * v + body.place[ic] * w
    extra = body.extra[ia] * u + body.extra[ib] * v + body.extra[ic] * w
    shade = body.shade[ia] * u + body.shade[ib] * v + body.shade[ic] * w
    scalp = body.scalp[ia] * u + body.scalp[ib] * v + body.scalp[ic] * w
    paint = body.paint[ia] * u + body.paint[ib] * v + body.paint[ic] * w
    view = -d
    # a stratified point of the lamp
    state = wp.rand_init(77, i / 4)
    spin = wp.randf(state) * 6.2831853
    turn = spin + 2.399963 * float(i % 4)
    far = wp.sqrt((float(i % 4) + 0.5) / 4.0) * light.size
    side = wp.normalize(wp.cross(light.key, wp.vec3(0.31, 0.87, -0.38)))
    over = wp.cross(light.key, side)
    towards = wp.normalize(light.key + side * (far * wp.cos(turn)) + over * (far * wp.sin(turn)))
    if kind == K_HAIR or kind == K_BROW:
        c = shaded_hair(body, light, look, p, n, place, extra, paint, view, towards, kind == K_BROW)
        normals[i] = wp.normalize(wp.vec3(extra[0], extra[1], extra[2]))
        colours[i] = developed(times(c, passed) + glare, light)
        return
    flat = n
    if wp.dot(n, view) < 0.0 and kind != K_SKIN:
        n = -n
    normals[i] = n
    albedo = wp.vec3(0.5, 0.5, 0.5)
    gloss = float(0.0)
    soft = float(0.0)
    wet = float(0.0)
    if kind == K_SKIN:
        painted = skin_colour(place, extra, scalp, look)
        albedo = wp.vec3(painted[0], painted[1], painted[2])
        gloss = painted[3]
        soft = 1.0 - scalp
        g = relief_gradient(place, extra, look)
        n = wp.normalize(n - (g - n * wp.dot(g, n)) * (1.0 - 0.8 * scalp))
        wet = 0.8 * extra[1] * shade * shade + 0.35 * extra[0] * (1.0 - extra[1])
        albedo = albedo * (1.0 - extra[1] * (1.0 - shade * shade))
    elif kind == K_EYE:
        local = place
        seen = look.gaze * view
        painted = eye_colour(wp.normalize(local), seen, look)
        albedo = wp.vec3(painted[0], painted[1], painted[2])
        wet = 1.0
        bump = wp.noise(wp.rand_init(3), place * 7.0) * 0.02
        n = wp.normalize(n + wp.vec3(bump, bump, 0.0))
        albedo = albedo * (0.15 + 0.85 * shade)
    elif kind == K_TEETH:
        albedo = wp.vec3(0.56, 0.50, 0.40) * (0.25 + 0.70 * smooth(place[2], -0.010, 0.018))
        gloss = 0.4
        wet = 0.25 * shade
    elif kind == K_TONGUE:
        albedo = wp.vec3(0.42, 0.13, 0.12)
        gloss = 0.5
        wet = 0.3
    elif kind == K_CLOTH:
        thread = wp.noise(wp.rand_init(4), place * 900.0)
        band = smooth(wp.sin(place[1] * 420.0), -0.2, 0.2) * look.pattern
        albedo = (look.cloth * (1.0 - band) + look.second * band) * (1.0 + 0.16 * thread)
    elif kind == K_FRAME:
        albedo = look.frame
        gloss = 1.0
    elif kind == K_HAT:
        thread = wp.noise(wp.rand_init(4), place * 700.0)
        albedo = look.hat * (1.0 + 0.2 * thread)
    elif kind == K_METAL:
        albedo = wp.vec3(0.55, 0.43, 0.20)
        gloss = 3.0
    albedo = painted_over(albedo, paint)
    nl = wp.dot(n, towards)
    arrives = float(0.0)
    if nl > -0.35:
        for k in range(lamps):
            aim = towards
            if k > 0:
                turn = spin + 2.399963 * float(i % 4 + 4 * k)
                far = wp.sqrt((float((i + k) % 4) + 0.5) / 4.0) * light.size
                aim = wp.normalize(light.key + side * (far * wp.cos(turn)) + over * (far * wp.sin(turn)))
            lift = flat
            if wp.dot(flat, view) < 0.0:
                lift = -flat
            arrives += lit(body, p + lift * 0.003 + aim * 0.002, aim) / float(lamps)
    # light that enters skin leaves it redder and further on: the terminator is wrapped most in red
    wrap = wp.vec3(0.26, 0.12, 0.09) * soft + wp.vec3(0.02, 0.02, 0.02)
    smooth_nl = wp.dot(flat, towards) * soft * 0.65 + nl * (1.0 - 0.65 * soft)
    diffuse = wp.vec3(0.0, 0.0, 0.0)
    for k in range(3):
        mix = smooth_nl
        if k > 0:
            mix = 0.5 * (smooth_nl + nl)
        diffuse[k] = wp.clamp((mix + wrap[k]) / (1.0 + wrap[k]), 0.0, 1.0) * wp.pow(arrives, 1.0 - 0.25 * soft * (1.0 - 0.5 * float(k)))
    ambient = wp.vec3(wp.pow(shade, 1.0 - 0.18 * soft), shade, shade)
    sky = times(environment(light.sh, n, 0.667, 0.25), ambient)
    c = times(albedo, times(light.colour, diffuse) + sky)
    r = d - n * (2.0 * wp.dot(n, d))
    mirror = environment(light.sh, r, 0.9, 0.7) * shade
    rim = 0.028 + 0.5 * wp.pow(1.0 - wp.clamp(wp.dot(n, view), 0.0, 1.0), 5.0)
    if gloss > 0.0:
        lobe = 1.0 * specular(n, view, towards, 11.0) + 0.85 * specular(n, view, towards, 48.0)
        c += light.colour * (arrives * gloss * lobe) + mirror * (gloss * rim * 0.75)
    if wet > 0.0:
        nw = n
        c += light.colour * (arrives * wet * specular(nw, view, towards, 420.0) * 0.5)
        c += mirror * (wet * rim * 0.9)
        if kind == K_EYE:
            glint = wp.min(0.012 / (light.size * light.size + 0.004), 3.0)
            c += light.colour * (wet * glint * smooth(wp.dot(r, light.key), 0.992 - 0.12 * light.size, 0.997 - 0.05 * light.size) * (0.3 + 0.7 * arrives))
    colours[i] = developed(times(c, passed) + glare, light)
