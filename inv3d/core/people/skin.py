"""How skin looks: melanin and blood, zones of the face, spots, stubble, and its relief, as functions inside kernels.

`q` is a place on the basis' template in metres (see `people.basis`): the eyes' centres lie at (±0.031, 0, 0).
"""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.struct
class Look:
    """The appearance of a person's skin; all numbers are those of `people.parameters`."""

    melanin: float
    blood: float
    blush: float
    freckles: float
    moles: wp.vec3
    gloss: float
    lipstick: float
    makeup: float
    wrinkles: float
    stubble: float
    brow_density: float
    brow_thickness: float
    brow_arch: float
    tint: float
    cover: float
    pattern: float
    smile: float
    brows_up: float
    iris: wp.vec3
    hair: wp.vec3
    brow: wp.vec3
    beard: wp.vec3
    cloth: wp.vec3
    second: wp.vec3
    frame: wp.vec3
    hat: wp.vec3
    gaze: wp.mat33


@wp.func
def step_(x: float, low: float, high: float) -> float:
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def bell(x: float, width: float) -> float:
    return wp.exp(-x * x / (width * width))


@wp.func
def pigment(melanin: float, blood: float) -> wp.vec3:
    """Diffuse albedo of skin: what melanin and haemoglobin leave of a white base (after Beer and Lambert)."""
    return wp.vec3(
        0.84 * wp.exp(-1.95 * melanin - 0.22 * blood),
        0.74 * wp.exp(-2.50 * melanin - 0.92 * blood),
        0.62 * wp.exp(-2.85 * melanin - 0.92 * blood),
    )


@wp.func
def brow_amount(q: wp.vec3, look: Look) -> float:
    """Coverage of the skin under the brows."""
    ax = wp.abs(q[0])
    along = (ax - 0.0125) / 0.043
    middle = (
        0.0175 + 0.0075 * wp.sin(wp.clamp(along, 0.0, 1.1) * 2.2) * (1.0 + 0.5 * look.brow_arch) - 0.006 * along * along
    )
    half = 0.0041 * look.brow_thickness * (1.0 - 0.55 * step_(along, 0.35, 1.05))
    inside = 1.0 - step_(wp.abs(q[1] - middle), 0.35 * half, 1.25 * half)
    return inside * step_(along, -0.06, 0.12) * (1.0 - step_(along, 0.9, 1.1)) * step_(q[2], -0.02, 0.0)


@wp.func
def beard_zone(q: wp.vec3) -> float:
    """Where a man's beard grows: upper lip, chin, jaw, throat, up to the sideburns."""
    ax = wp.abs(q[0])
    # from the corner of the mouth to the ear
    upper = -0.052 - 0.012 * step_(ax, 0.012, 0.03) + 0.035 * step_(ax, 0.042, 0.068)
    zone = 1.0 - step_(q[1], upper - 0.016, upper + 0.006)
    throat = step_(q[1], -0.145 + 0.2 * wp.max(-q[2] - 0.02, 0.0), -0.105 + 0.2 * wp.max(-q[2] - 0.02, 0.0))
    back = step_(q[2], -0.078, -0.060)
    side = 1.0 - step_(q[1], -0.03, 0.012)
    return zone * throat * back * side


@wp.func
def skin_colour(q: wp.vec3, extra: wp.vec4, scalp: float, look: Look) -> wp.vec4:
    """Albedo and gloss of skin at `q`; `extra` are lips, inside of the mouth, ear, lid; `scalp` is hair's coverage."""
    state = wp.rand_init(21)
    ax = wp.abs(q[0])
    lips = extra[0] * (1.0 - extra[1])
    patches = wp.noise(state, q * 45.0) + 0.6 * wp.noise(state, q * 130.0)
    grain = wp.noise(state, q * 520.0)
    front = step_(q[2], -0.03, 0.005)
    nose = bell(ax, 0.014) * bell(q[1] + 0.038, 0.014) * step_(q[2], 0.020, 0.034)
    cheek = bell(ax - 0.040, 0.020) * bell(q[1] + 0.036, 0.020) * front
    ear = extra[2]
    lid = extra[3]
    under = bell(ax - 0.030, 0.016) * bell(q[1] + 0.014, 0.006) * front
    brow_line = bell(q[1] - 0.045, 0.03) * front

    blood = look.blood * (1.0 + 0.16 * patches)
    blood += look.blush * (0.26 * nose + 0.17 * cheek + 0.22 * ear) + 0.12 * lid + 0.14 * under - 0.06 * brow_line
    melanin = look.melanin * (1.0 + 0.09 * patches + 0.07 * grain + 0.10 * under + 0.10 * lid)
    # freckles lie where the sun comes
    spot = wp.noise(state, q * 560.0) + 0.6 * wp.noise(state, q * 900.0)
    sunny = cheek + nose + 0.5 * bell(q[1] + 0.02, 0.03) * front
    melanin += look.freckles * 0.50 * step_(spot, 0.22, 0.70) * wp.clamp(sunny, 0.0, 1.0)
    colour = pigment(melanin, blood)

    for k in range(3):
        x = 0.043 - 0.021 * float(k)
        y = -0.048 + 0.037 * float(k) - 0.012 * float(k * k)
        if k == 1:
            x = -0.052
        away = wp.sqrt((q[0] - x) * (q[0] - x) + (q[1] - y) * (q[1] - y))
        mole = look.moles[k] * (1.0 - step_(away, 0.0011, 0.0020)) * front
        colour = colour * (1.0 - 0.8 * mole)

    gloss = look.gloss * (0.95 + 0.75 * nose + 0.5 * brow_line + 0.35 * cheek + 0.5 * grain)
    red = pigment(0.75 * look.melanin + 0.05, look.blood + 0.95)
    painted = red * (1.0 - look.lipstick) + wp.vec3(0.36, 0.03, 0.045) * look.lipstick
    line = 0.85 + 0.25 * wp.noise(state, wp.vec3(q[0] * 700.0, q[1] * 120.0, q[2] * 120.0))
    colour = colour * (1.0 - 0.85 * lips) + painted * (0.85 * lips * line)
    gloss = gloss * (1.0 - lips) + lips * (0.9 + 0.6 * look.lipstick)
    mouth = extra[1]
    colour = colour * (1.0 - mouth) + wp.vec3(0.20, 0.045, 0.04) * mouth
    # shadow and line of made-up lids
    made = look.makeup * lid * step_(q[1], -0.004, 0.004)
    colour = colour * (1.0 - 0.55 * made)

    # the edges of the lids: lashes' roots above, moist red below; the fold of the upper lid
    ex = ax - 0.0308
    from_eye = wp.sqrt(ex * ex + q[1] * q[1] + q[2] * q[2])
    open_side = step_(q[2], 0.0, 0.006) * step_(0.03 - wp.abs(ex), 0.010, 0.016)
    edge = bell(from_eye - 0.0161, 0.0007) * open_side
    upper = step_(q[1], -0.0015, 0.0015)
    colour = colour * (1.0 - edge * upper * (0.45 + 0.40 * look.makeup))
    rim_red = pigment(0.5 * look.melanin, look.blood + 0.7)
    colour = colour * (1.0 - 0.5 * edge * (1.0 - upper)) + rim_red * (0.5 * edge * (1.0 - upper))
    colour = colour * (1.0 - 0.30 * bell(from_eye - 0.0183, 0.0007) * open_side * step_(q[1], 0.002, 0.006))

    brow = brow_amount(q, look) * look.brow_density
    stroke = wp.noise(state, wp.vec3(q[0] * 900.0 + q[1] * 1500.0, q[1] * 420.0, 0.5))
    brow = brow * wp.clamp(0.68 + 0.45 * stroke, 0.0, 1.0)
    colour = colour * (1.0 - brow) + look.brow * brow * 0.8
    gloss = gloss * (1.0 - 0.8 * brow)

    zone = beard_zone(q) * (1.0 - lips)
    dots = wp.noise(state, q * 1300.0)
    shadow = look.stubble * zone * wp.clamp(0.42 + 0.75 * dots, 0.0, 0.9)
    colour = colour * (1.0 - shadow) + (look.beard * 0.9 + wp.vec3(0.01, 0.012, 0.014)) * shadow
    gloss = gloss * (1.0 - 0.5 * shadow)

    roots = wp.clamp(scalp * (look.cover + 0.5 * (1.0 - 0.5 * look.cover) * wp.noise(state, q * 900.0)), 0.0, 1.0)
    colour = colour * (1.0 - roots) + look.hair * roots * 0.5
    gloss = gloss * (1.0 - 0.9 * scalp) * (1.0 - 0.5 * ear)
    return wp.vec4(colour[0], colour[1], colour[2], wp.max(gloss, 0.0))


@wp.func
def relief(q: wp.vec3, extra: wp.vec4, look: Look) -> float:
    """Height of pores and wrinkles in metres."""
    state = wp.rand_init(33)
    ax = wp.abs(q[0])
    front = step_(q[2], -0.03, 0.005)
    pores = 0.00012 * wp.noise(state, q * 640.0) + 0.00016 * wp.noise(state, q * 290.0)
    wave = q[1] + 0.0025 * wp.noise(state, wp.vec3(q[0] * 60.0, q[1] * 20.0, 0.0))
    lines = wp.pow(wp.abs(wp.cos(wave * 430.0)), 6.0) * bell(q[1] - 0.055, 0.017) * bell(ax, 0.034) * front
    cx = ax - 0.049
    crow = wp.pow(wp.abs(wp.cos(9.0 * wp.atan2(q[1] - 0.001, wp.max(cx, 0.001)))), 5.0) * bell(cx - 0.007, 0.006)
    crow = crow * bell(q[1], 0.012) * step_(cx, -0.002, 0.003)
    bags = bell(ax - 0.031, 0.014) * bell(q[1] + 0.017 + 6.0 * (ax - 0.031) * (ax - 0.031) * (-1.0), 0.0022) * front
    along = (-0.036 - q[1]) / 0.036
    fold = bell(ax - 0.019 - 0.014 * along, 0.0022) * step_(along, 0.0, 0.2) * (1.0 - step_(along, 0.8, 1.15)) * front
    age = look.wrinkles
    height = pores * (1.0 + 0.8 * age) * (1.0 - 0.6 * extra[0])
    height -= 0.00030 * lines * (0.75 * age + 0.35 * look.brows_up * (0.3 + age))
    height -= 0.00030 * crow * (age + 0.35 * wp.max(look.smile, 0.0))
    height -= 0.00035 * bags * (0.25 + age)
    height -= 0.00045 * fold * (0.55 * age + 0.55 * wp.max(look.smile, 0.0) * (0.3 + age))
    lip = extra[0]
    height += lip * 0.00010 * wp.noise(state, wp.vec3(q[0] * 800.0, q[1] * 160.0, 0.0))
    return height


@wp.func
def relief_gradient(q: wp.vec3, extra: wp.vec4, look: Look) -> wp.vec3:
    """Slope of the relief."""
    e = 0.0006
    a = relief(q + wp.vec3(e, -e, -e), extra, look)
    b = relief(q + wp.vec3(-e, -e, e), extra, look)
    c = relief(q + wp.vec3(-e, e, -e), extra, look)
    d = relief(q + wp.vec3(e, e, e), extra, look)
    return wp.vec3(a - b - c + d, -a - b + c + d, -a + b - c + d) * (1.0 / (4.0 * e))
