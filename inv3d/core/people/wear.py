"""Glasses, caps, headscarves and earrings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.people.cover import draped, polar_grid, reach
from inv3d.core.people.hair import smooth
from inv3d.core.people.kernels import FRAME, HAT, LENS, METAL
from inv3d.core.people.mesh import Piece, grid_triangles
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.shape import Surface
from inv3d.core.people.strands import Skin


class Landmarks:
    """Finds the points of a person that lie where given places of the template lie."""

    def __init__(self, template: Tensor, allowed: Tensor) -> None:
        self._template, self._allowed = template, allowed

    def index(self, x: float, y: float, z: float) -> int:
        away = (self._template - self._template.new_tensor([x, y, z])).norm(dim=1)
        return int(torch.where(self._allowed, away, torch.inf).argmin())


def tube(path: Tensor, radius: Tensor | float, closed: bool, sides: int = 7, flat: float = 1.0) -> tuple[Tensor, Tensor]:
    """Vertices and triangles of a tube around `path` [P,3]; `flat` squeezes it front to back."""
    after = path.roll(-1, 0) if closed else torch.cat([path[1:], path[-1:]])
    before = path.roll(1, 0) if closed else torch.cat([path[:1], path[:-1]])
    tangent = F.normalize(after - before, dim=1, eps=1e-9)
    helper = path.new_tensor([0.0, 0.13, 0.99]).expand_as(path)
    a = F.normalize(torch.linalg.cross(tangent, helper), dim=1, eps=1e-9)
    b = torch.linalg.cross(tangent, a)
    angle = 2.0 * torch.pi * torch.arange(sides, device=path.device) / sides
    ring = a[:, None] * angle.cos()[None, :, None] + flat * b[:, None] * angle.sin()[None, :, None]
    vertices = path[:, None] + ring * radius
    rows = len(path)
    triangles = grid_triangles(rows, sides, True, path.device)
    if closed:
        vertices = torch.cat([vertices, vertices[:1]])
        triangles = grid_triangles(rows + 1, sides, True, path.device)
    return vertices.reshape(-1, 3), triangles


def _piece(kind: int, vertices: Tensor, triangles: Tensor) -> Piece:
    return Piece(kind, vertices, triangles, vertices)


def glasses(surface: Surface, marks: Landmarks, scale: float, p: Parameters) -> list[Piece]:
    """Frames from round to rectangular, lenses, temples to the ears."""
    vertices = surface.vertices
    size, boxy = float(p.glasses_size), float(p.glasses_shape)
    bridge = vertices[marks.index(0.0, 0.004, 0.028)]
    depth = max(float(bridge[2]) + 0.006 * scale, float(surface.eyes[0, 2]) + 0.021 * scale)
    turn = 2.0 * torch.pi * torch.arange(48, device=vertices.device) / 48
    power = 2.0 + 2.5 * boxy
    c, s = turn.cos(), turn.sin()
    wide, high = (0.0235 + 0.0035 * boxy) * size * scale, (0.0215 - 0.0030 * boxy) * size * scale
    thick = (0.0008 + 0.0010 * boxy) * scale
    spacing = float(surface.eyes[0, 0] - surface.eyes[1, 0]) / 2.0
    middle = max(spacing * 1.02, wide + 0.007 * scale)
    level = float(surface.eyes[:, 1].mean()) - 0.002 * scale
    pieces: list[Piece] = []
    corners = []
    for sign in (1.0, -1.0):
        x = sign * middle + wide * c.sign() * c.abs() ** (2.0 / power)
        y = level + high * s.sign() * s.abs() ** (2.0 / power) - 0.04 * sign * (x - sign * middle)
        z = depth - 0.9 * x.abs() ** 2 / scale * 2.0
        rim = torch.stack([x, y, z], 1)
        pieces.append(_piece(FRAME, *tube(rim, thick, True)))
        centre = rim.mean(0, keepdim=True)
        fan = torch.stack([torch.full_like(turn, 48.0).long(), torch.arange(48), (torch.arange(48) + 1) % 48], 1)
        pieces.append(_piece(LENS, torch.cat([rim, centre]), fan.to(vertices.device)))
        corners.append(rim[(c * sign).argmax()] + rim.new_tensor([0.0, 0.35 * float(high), 0.0]))
        inner = rim[(c * sign).argmin()]
        if sign > 0:
            left_inner = inner
        else:
            t = torch.linspace(0.0, 1.0, 9, device=vertices.device)[:, None]
            arch = left_inner * (1.0 - t) + inner * t
            arch = arch + arch.new_tensor([0.0, 0.006 * scale, 0.003 * scale]) * (4.0 * t * (1.0 - t))
            pieces.append(_piece(FRAME, *tube(arch, thick, False)))
    for sign, corner in zip((1.0, -1.0), corners, strict=True):
        over = vertices[marks.index(sign * 0.0755, 0.006, -0.055)] + vertices.new_tensor([sign * 0.004, 0.002, 0.0]) * scale
        behind = vertices[marks.index(sign * 0.076, -0.004, -0.088)] + vertices.new_tensor([sign * 0.003, 0.0, 0.0]) * scale
        hinge = corner + corner.new_tensor([sign * 0.002, 0.0, -0.004]) * scale
        path = torch.stack([corner, hinge, 0.5 * (hinge + over) + corner.new_tensor([sign * 0.002 * scale, 0.0, 0.0]), over, behind])
        t = torch.linspace(0.0, 4.0 - 1e-4, 21, device=vertices.device)
        k = t.long()
        fine = path[k] + (path[k + 1] - path[k]) * (t - k)[:, None]
        pieces.append(_piece(FRAME, *tube(fine, 0.9 * thick, False, flat=1.6)))
    return pieces


def cap(skin: Skin, surface: Surface, scale: float, p: Parameters) -> list[Piece]:
    """A cap with a brim, or a knitted one with a fold."""
    device = skin.vertices.device
    brim = float(p.brim) > 0.5
    centre = surface.eyes.mean(0) + surface.eyes.new_tensor([0.0, 0.045, -0.068]) * scale
    turns, rows = 72, 26
    front = torch.cos(2.0 * torch.pi * torch.arange(turns, device=device) / turns)
    last = 1.42 + 0.10 * front if brim else 1.62 - 0.10 * front
    share = torch.linspace(0.02, 1.0, rows, device=device)[:, None]
    directions = polar_grid(share * last, turns, "y")
    bare = reach(skin, centre, directions, 0.6)
    thick = 0.010 - 0.003 * (not brim)
    away = draped(bare + thick * scale, 30 if brim else 12, 1.0)
    if not brim:
        away = away + 0.0035 * scale * smooth(share, 0.70, 0.72)
    points = centre + directions * away[..., None]
    inner = centre + directions[-1:] * (bare[-1:] - 0.002 * scale)[..., None]
    points = torch.cat([points, inner])
    flat = points.reshape(-1, 3)
    pieces = [Piece(HAT, flat, grid_triangles(rows + 1, turns, True, device), (flat - centre) / scale)]
    if brim:
        angle = torch.linspace(-1.05, 1.05, 25, device=device)
        pick = torch.stack([angle.sin(), 0.07 + 0.0 * angle, angle.cos()], 1)
        base = centre + pick * (reach(skin, centre, pick, 0.6) + 0.008 * scale)[:, None]
        layers = []
        for out in torch.linspace(-0.006, 0.075, 9, device=device):
            far = float(out) * angle.cos().clamp(min=0.0) ** 0.6
            drop = -0.30 * far - 9.0 * (base[:, 0] / scale) ** 2 * max(0.0, float(out)) - 0.002
            layers.append(base + torch.stack([0.25 * angle.sin() * far, drop, far], 1) * scale)
        top = torch.stack(layers)
        below = (top - top.new_tensor([0.0, 0.003 * scale, 0.0])).flip(0)
        sheet = torch.cat([top, below])
        flat = sheet.reshape(-1, 3)
        pieces.append(Piece(HAT, flat, grid_triangles(18, 25, False, device), (flat - centre) / scale))
    return pieces


def headscarf(skin: Skin, surface: Surface, scale: float, p: Parameters) -> list[Piece]:
    """Cloth around the face, over head, neck and shoulders."""
    device = skin.vertices.device
    centre = surface.eyes.mean(0) + surface.eyes.new_tensor([0.0, -0.005, -0.070]) * scale
    turns, rows = 96, 48
    below = torch.cos(2.0 * torch.pi * torch.arange(turns, device=device) / turns)
    side = 1.0 - below**2
    first = 0.98 + 0.16 * below - 0.12 * side
    share = torch.linspace(0.0, 1.0, rows, device=device)[:, None]
    directions = polar_grid(first + (torch.pi - first) * share, turns, "z")
    bare = reach(skin, centre, directions, 0.62)
    bare = torch.where(bare > 0.0, bare, bare.amax(0, keepdim=True)).clamp(max=0.50)
    away = draped(bare + 0.010 * scale, 24, 1.0)
    points = centre + directions * away[..., None]
    metres = points / scale
    fold = torch.sin(90.0 * metres[..., 1] + 55.0 * metres[..., 2] + 2.0 * torch.sin(40.0 * metres[..., 0]))
    fold = fold * smooth(-metres[..., 1], 0.01, 0.10) + 0.35 * torch.sin(60.0 * metres[..., 2] + 25.0 * metres[..., 1])
    away = away + 0.0030 * fold * scale * smooth(share, 0.0, 0.15)
    points = centre + directions * away[..., None]
    inner = centre + directions[:1] * (bare[:1] - 0.003 * scale)[..., None]
    flat = torch.cat([inner, points]).reshape(-1, 3)
    return [Piece(HAT, flat, grid_triangles(rows + 1, turns, True, device), (flat - centre) / scale)]


def earrings(surface: Surface, marks: Landmarks, scale: float, p: Parameters) -> list[Piece]:
    """A stud or a hoop at either lobe."""
    pieces = []
    for sign in (1.0, -1.0):
        lobe = surface.vertices[marks.index(sign * 0.0765, -0.041, -0.066)]
        lobe = lobe + lobe.new_tensor([sign * 0.001, 0.003, 0.003]) * scale
        turn = 2.0 * torch.pi * torch.arange(28, device=lobe.device) / 28
        hoop = float(p.hoop)
        radius = (0.0012 + 0.012 * hoop) * scale
        ring = torch.stack([0.15 * turn.sin(), turn.cos() - hoop, turn.sin()], 1) * radius + lobe
        pieces.append(_piece(METAL, *tube(ring, (0.0022 - 0.0009 * hoop) * scale, True)))
    return pieces
