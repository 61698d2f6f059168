"""Distances to the parts of a chair, in world units. `ax` is |x|."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.chairs.parameters import FLOOR, Parameters
from inv3d.core.procedural.layered import Layered
from inv3d.core.procedural.primitives import capsule, length, rounded_rectangle, slab, smooth_min

REAR, FRONT = -0.80, 0.84
"""Where legs are, in half depths of the seat."""
_SIDE = 0.84  # and in half widths
_SPOKES = 5
_REACH = 0.165  # of the foot of a pedestal
_SAGITTA = 0.030  # how high the ends of rockers rise


@dataclass(frozen=True)
class Parts(Layered):
    """Distances [N,P] to what has a colour of its own, and the places on the back."""

    frame: Tensor
    """Legs, posts, rails, bars and arms."""
    seat: Tensor
    """The board, and the panel of the back."""
    base: Tensor
    """A pedestal and its foot."""
    fabric: Tensor
    """Cushion and padding."""

    def layers(self) -> tuple[Tensor, ...]:
        return self.frame, self.seat, self.base, self.fabric


def leg_top(p: Parameters, end: float) -> tuple[Tensor, Tensor]:
    """Where a leg meets the seat: |x| and z [N,1], for the legs at `REAR` or `FRONT`; nearer to the middle of round seats."""
    inwards = 1.0 - 0.30 * (p.seat_round - 0.4).clamp(min=0.0)
    return _SIDE * inwards * p.half_width, end * inwards * p.half_depth


def leg_foot(p: Parameters, end: float) -> tuple[Tensor, Tensor]:
    """Where it meets the floor."""
    x, z = leg_top(p, end)
    return x + p.leg_splay, z + math.copysign(1.0, end) * p.leg_splay


def _legs(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """Legs, the runners or rockers under them, and the stretchers between them."""
    thin = 1.4 - 0.4 * p.leg_taper
    d = torch.full_like(ax, 1.0)
    for end, radius in ((FRONT, p.front_leg), (REAR, p.rear_leg)):
        (x0, z0), (x1, z1) = leg_top(p, end), leg_foot(p, end)
        top, foot = (x0, p.seat_height, z0), (x1, FLOOR + 0.010, z1)
        d = torch.minimum(d, capsule(ax, y, z, top, foot, radius * thin, radius * p.leg_taper))
    (x1, front), (_, rear) = leg_foot(p, FRONT), leg_foot(p, REAR)
    # runners along the floor; rockers reach further and rise towards their ends
    half = 0.5 * (front - rear) + 0.035 * p.rocking
    along = (z - 0.5 * (front + rear)) / half
    low = FLOOR + 0.010 + _SAGITTA * p.rocking * (along * along - 0.35).clamp(max=1.0)
    d = torch.minimum(d, 0.9 * (length(ax - x1, y - low, half * (along.abs() - 1.0).clamp(min=0.0)) - p.runner))
    rail, ((x0, front), (_, rear)) = FLOOR + 0.075, (leg_top(p, FRONT), leg_top(p, REAR))
    x0 = x0 + 0.65 * p.leg_splay
    sides = capsule(ax, y, z, (x0, rail, front), (x0, rail, rear), p.stretcher, p.stretcher)
    across = capsule(ax, y, z, (-x0, rail, 0.0 * x0), (x0, rail, 0.0 * x0), p.stretcher, p.stretcher)
    return torch.minimum(d, torch.minimum(sides, across))


def _pedestal(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Tensor:
    """A column on a disc or on a star of spokes."""
    column = capsule(x, y, z, (0.0, FLOOR + 0.02, 0.0), (0.0, p.seat_height, 0.0), p.pedestal, p.pedestal)
    out = length(x, z)
    disc = 0.8 * (length((out - _REACH + 0.03).clamp(min=0.0), y - FLOOR - 0.012 + 0.05 * (out - 0.05)) - p.disc)
    step = 2.0 * math.pi / _SPOKES
    angle = torch.atan2(x, z)
    angle = angle - step * (angle / step).round()
    along, aside, high = out * angle.cos(), out * angle.sin(), y - FLOOR
    spokes = capsule(along, aside, high, (0.0, 0.0, 0.045), (_REACH, 0.0, 0.024), p.star, 0.8 * p.star)
    caster = length(along - _REACH, aside, high - 0.014) - 1.1 * p.star
    return smooth_min(smooth_min(column, disc, 0.025), torch.minimum(spokes, caster), 0.015)


def to_back(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor]:
    """Height over the seat, and depth from the middle of the back, which leans and wraps around who sits."""
    up = y - p.seat_height
    return up, z - (REAR - 0.06) * p.half_depth + p.back_lean * up - p.back_curve * ax * ax


def _arms(ax: Tensor, y: Tensor, z: Tensor, p: Parameters) -> tuple[Tensor, Tensor]:
    """Arms with their posts, and the padded sides of armchairs."""
    high = p.seat_height + p.arm_height
    x0, x1 = p.back_width + 0.004, p.half_width + 0.008
    rear, front = (REAR - 0.06) * p.half_depth - p.back_lean * p.arm_height, 0.62 * p.half_depth
    elbow = (x1, high - 0.006, front)
    d = capsule(ax, 1.25 * y, z, (x0, 1.25 * high, rear), (x1, 1.25 * (high - 0.006), front), p.arm, p.arm) / 1.25
    d = torch.minimum(d, capsule(ax, y, z, elbow, (x1 - 0.012, p.seat_height, front - 0.010), 0.8 * p.arm, 0.8 * p.arm))
    middle, half = 0.5 * (front + rear), 0.5 * (front - rear)
    side = rounded_rectangle(z - middle, y - p.seat_height - 0.5 * p.arm_height + 0.012, half, 0.5 * p.arm_height + 0.018, 0.03)
    return d, slab(side, ax - x1 - 0.004, p.side, 0.010)


def parts(x: Tensor, y: Tensor, z: Tensor, p: Parameters) -> Parts:
    """Distances of all parts."""
    ax = torch.sqrt(x * x + 1e-8)
    frame = _legs(ax, y, z, p)

    # the seat is wider in front
    wide = p.half_width * (1.0 + p.seat_flare * z / p.half_depth)
    corner = p.seat_round * torch.minimum(p.half_width, p.half_depth)
    outline = rounded_rectangle(ax * (p.half_width / wide), z, p.half_width, p.half_depth, corner)
    seat = 0.92 * slab(outline, y - p.seat_height, p.seat_thickness, 0.008)
    above = y - p.seat_height - p.seat_thickness
    cushion = 0.92 * slab(outline + 0.012, above - 0.6 * p.cushion, p.cushion, 0.014)

    up, deep = to_back(ax, y, z, p)
    half = 0.5 * p.back_height
    outline = rounded_rectangle(x, up - half, p.back_width, half, p.back_round * torch.minimum(p.back_width, half))
    hoop = length(outline, deep) - p.back_frame
    pitch = p.bars
    slat_y = up + 0.4 * pitch - pitch * ((up + 0.4 * pitch) / pitch).round()
    slats = slab(torch.maximum(outline, slat_y.abs() - p.slat), deep, 0.006 + 0.0 * p.slat, 0.003)
    spindle_x = x - pitch * (x / pitch).round()
    spindles = torch.maximum(length(spindle_x, deep) - p.spindle, outline)
    back = torch.minimum(torch.minimum(hoop, slats), spindles)
    panel = slab(outline, deep, p.panel, 0.004)
    # padding ends over the cushion
    pad = slab(torch.maximum(outline + 0.004, 0.012 - up), deep - 0.010, p.pad, 0.012)

    arms, sides = _arms(ax, y, z, p)
    shrink = 0.90  # the back leans and curves
    return Parts(
        torch.minimum(torch.minimum(frame, shrink * back), arms),
        torch.minimum(seat, shrink * panel),
        _pedestal(x, y, z, p),
        torch.minimum(torch.minimum(cushion, shrink * pad), sides),
    )
