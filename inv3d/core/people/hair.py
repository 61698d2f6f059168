"""Hair of the head: where it grows, how it is combed, and its strands."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.kernels import HAIR
from inv3d.core.people.mesh import Piece
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.strands import Roots, Skin, grow_strands, ribbons

_CENTRE = (0.0, 0.035, -0.070)
_WHORL = (0.006, 0.108, -0.100)
# the hairline's height over the azimuth from the front (degrees), metres on the template
_AZIMUTHS = (0.0, 18.0, 36.0, 48.0, 58.0, 66.0, 74.0, 80.0, 86.0, 100.0, 108.0, 118.0, 135.0, 180.0)
_HEIGHTS = (0.073, 0.075, 0.068, 0.050, 0.032, 0.004, -0.022, -0.012, 0.014, 0.014, -0.006, -0.042, -0.070, -0.082)


def smooth(x: Tensor, low: float, high: float) -> Tensor:
    t = ((x - low) / (high - low)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _interpolated(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    i = torch.searchsorted(knots, x.contiguous()).clamp(1, len(knots) - 1)
    share = (x - knots[i - 1]) / (knots[i] - knots[i - 1])
    return values[i - 1] + share * (values[i] - values[i - 1])


def inside_hairline(place: Tensor, recede: float) -> Tensor:
    """How far inside the hairline places [N,3] of the template lie, metres; negative outside."""
    x, y, z = place.unbind(1)
    azimuth = torch.rad2deg(torch.atan2(x.abs(), z - _CENTRE[2]))
    line = _interpolated(azimuth, place.new_tensor(_AZIMUTHS), place.new_tensor(_HEIGHTS))
    temples = torch.exp(-(((azimuth - 30.0) / 14.0) ** 2))
    front = torch.exp(-((azimuth / 30.0) ** 4))
    line = line + recede * (0.024 * temples + 0.014 * front) + 0.0025 * torch.sin(x * 190.0 + 3.0 * torch.sin(z * 90.0))
    below = 0.030 * recede**2 * front
    return y - line - below


def coverage(place: Tensor, ears: Tensor, p: Parameters) -> Tensor:
    """Density of hair [N] in [0,1] at places of the template; `ears` is the mask of the ears there."""
    inside = smooth(inside_hairline(place, float(p.recede)), -0.002, 0.012)
    crown = (place - place.new_tensor([0.0, 0.115, -0.085])).norm(dim=1)
    bald = float(p.crown) * (1.0 - smooth(crown, 0.045 + 0.035 * float(p.crown), 0.075 + 0.035 * float(p.crown)))
    return inside * (1.0 - bald) * (ears < 0.25) * float(p.hair_density)


def _covered(place: Tensor, p: Parameters) -> Tensor:
    """Whether a hat or headscarf lies over `place`, [N]."""
    _x, y, z = place.unbind(1)
    under = y > 0.028 - 0.25 * z.clamp(max=0.0) * 0.6 + 0.1 * z
    return (under & (float(p.hat) > 0.5)) | torch.full_like(under, float(p.scarf) > 0.5)


def _lengths(place: Tensor, p: Parameters) -> Tensor:
    """Length of the hair [N] in metres that grows at `place`."""
    _, y, z = place.unbind(1)
    top = smooth(y, 0.045, 0.085)
    back = smooth(-z, 0.085, 0.125)
    side = float(p.hair_side) + back * (float(p.hair_back) - float(p.hair_side))
    length = side + top * (float(p.hair_top) - side)
    front = smooth(z, -0.035, -0.005) * smooth(y, 0.045, 0.065)
    return length + front * (float(p.fringe) - length)


def _combed(place: Tensor, p: Parameters) -> Tensor:
    """The direction [N,3] hair is combed to, before it is laid onto the skin."""
    x, y, z = place.unbind(1)
    down = place.new_tensor([0.0, -1.0, 0.0])
    whorl = F.normalize(place - place.new_tensor(_WHORL), dim=1)
    top = smooth(y, 0.04, 0.08)[:, None]
    flow = whorl * top + (whorl * 0.5 + down) * (1.0 - top)
    long = smooth(torch.tensor(float(p.hair_top)), 0.035, 0.07)
    part = 0.034 * float(p.part)
    sideways = torch.tanh((x - part) / 0.006)
    parting = torch.stack([sideways, -0.25 + 0 * x, -0.45 - 0.75 * smooth(z, -0.03, 0.01)], 1)
    on_top = smooth(y, 0.03, 0.075)[:, None] * smooth(z, -0.13, -0.10)[:, None]
    amount = long * on_top * (1.0 - abs(float(p.comb)))
    flow = flow * (1.0 - amount) + parting * amount
    comb = float(p.comb)
    if comb > 0:
        back = torch.stack([0.4 * x / 0.07, 0.15 - 0.6 * smooth(-y, -0.06, 0.0), -1.0 + 0 * x], 1)
        flow = flow * (1.0 - comb) + back * comb
    else:
        fore = torch.stack([0.35 * x / 0.07 + 0.15 * float(p.part), -0.3 + 0 * x, 1.0 + 0 * x], 1)
        ahead = -comb * smooth(z, -0.09, -0.05)[:, None] * smooth(y, 0.02, 0.06)[:, None]
        flow = flow * (1.0 - ahead) + fore * ahead
    return flow


def _unruly(place: Tensor, amount: float) -> Tensor:
    """A smooth random field [N,3]: neighbours lean alike."""
    a = torch.sin(place @ place.new_tensor([[170.0, 90.0, -60.0], [-80.0, 150.0, 110.0], [60.0, -130.0, 160.0]]))
    b = torch.sin(place @ place.new_tensor([[-310.0, 220.0, 150.0], [240.0, 330.0, -120.0], [140.0, 110.0, 350.0]]))
    return amount * (a + 0.7 * b.roll(1, 1))


def _tied(skin: Skin, roots: Roots, scale: float, p: Parameters) -> list[Piece]:
    """A knot at the back of the head, and what hangs from it."""
    middle = roots.points.new_tensor([0.0, 0.118 + 0.05 * float(p.part), -0.245])
    count = 420
    own = roots.select(torch.arange(min(count, len(roots)), device=roots.points.device))
    turn, high = own.random[:, 0] * 6.2831853, own.random[:, 1] * 2.0 - 1.0
    flat = (1.0 - high**2).clamp(min=0.0).sqrt()
    ball = torch.stack([flat * turn.cos(), high, flat * turn.sin()], 1)
    points = middle + ball * 0.032 * scale / 2.02
    starts = F.normalize(ball + ball.new_tensor([0.0, 0.6, -1.0]), dim=1)
    tail = Roots(points, ball, own.place, own.random)
    length = (0.20 + 0.14 * own.random[:, 2]) * scale * (0.35 + 0.65 * float(p.hair_back) / 0.12)
    layers = 0.008 + 0.05 * own.random[:, 4]
    path, outward = grow_strands(skin, tail, starts, length, layers, 10, 1.0, 0.0, 0.004)
    half = (0.0026 * scale) * (0.7 + 0.6 * own.random[:, 2])
    return [ribbons(HAIR, path, outward, half, 0.6 + 0.4 * own.random[:, 4], tail)]


def scalp_hair(skin: Skin, roots: Roots, density: Tensor, scale: float, p: Parameters) -> list[Piece]:
    """Ribbons of the hair that grows at `roots` with `density` [N]; `scale` is world units per metre."""
    chosen = torch.nonzero((roots.random[:, 0] < density) & ~_covered(roots.place, p))[:, 0]
    length = _lengths(roots.place[chosen], p)
    longest = float(length.max()) if len(chosen) else 0.0
    if longest < 0.0045:
        return []
    long = longest > 0.10
    steps = 3 if longest < 0.03 else 6 if longest < 0.06 else 9 if not long else 13
    if float(p.curl) > 0.3:
        steps = max(steps, 11) if not long else 18
    chosen = chosen[: 34_000 // steps]
    own, length = roots.select(chosen), length[: len(chosen)]
    r = own.random
    shag, lift = float(p.shag), float(p.hair_lift)
    length = length * (1.0 - (0.25 + 0.45 * shag) * r[:, 1] ** 2) * scale
    flow = _combed(own.place, p) + _unruly(own.place, 0.08 + 0.36 * shag * (1.0 - 0.5 * long))
    flow = flow - own.normals * (flow * own.normals).sum(1, keepdim=True)
    flow = F.normalize(flow, dim=1, eps=1e-6)
    starts = own.normals * lift + flow * (1.0 - lift) + (r[:, 2:5] - 0.5) * (0.08 + 0.26 * shag)
    tied, knot = float(p.tied), own.points.new_zeros(3)
    if tied > 0.5:
        knot = own.points.new_tensor([0.0, 0.118 + 0.05 * float(p.part), -0.235])
        to_knot = knot - own.points
        length = to_knot.norm(dim=1) * 1.12
        flat = to_knot - own.normals * (to_knot * own.normals).sum(1, keepdim=True)
        starts = F.normalize(flat, dim=1) + 0.06 * own.normals
    body = 0.25 * float(p.hair_puff) + 0.0045 + 0.004 * long
    layers = (0.0012 + body * r[:, 4] ** 0.8) * scale
    fringe = -float(p.comb) if float(p.fringe) < 0.12 else 0.0
    curl = float(p.curl)
    # at least four steps in a turn
    turns = min((18.0 + 22.0 * curl) / (1.0 + 0.8 * long), 0.25 * steps / longest)
    path, outward = grow_strands(
        skin, own, starts, length, layers, steps, float(p.hair_weight),
        (0.0035 + 0.0035 * curl) * scale * curl if curl > 0.05 else 0.0,
        0.0030 * float(p.wave) * scale * min(1.0, longest / 0.12), turns,
        (1.0 if longest > 0.05 else 0.3) * (1.0 - max(0.0, fringe)) * (tied < 0.5),
        0.0 if long else 0.7 * (1.0 - lift) ** 2, knot if tied > 0.5 else None,
    )  # fmt: skip
    thin = 1.0 - 0.35 * curl
    half = (0.00062 if longest < 0.03 else 0.0012 if not long else 0.0021) * thin * scale * (0.6 + 0.8 * r[:, 2])
    pieces = [ribbons(HAIR, path, outward, half, 0.35 + 0.65 * r[:, 4], own)]
    if tied > 0.5:
        pieces += _tied(skin, own, scale, p)
    return pieces
