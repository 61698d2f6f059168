"""A head as wide and as high as photos show it.

An encoder reads off a photo that there is hair, but hardly how much of it, or how high a head is. From the photo's own side its
matte tells that, from others the head would wear a cap. So its outlines are scaled to those of the mattes, along the rim that a
photo sees, and behind it, where nobody knows better; mirror images tell the same of the other side. The face stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.filters import resized
from inv3d.core.generator import Bend
from inv3d.core.head import Head
from inv3d.core.views import Views

_SIZE = 128  # pixels per side of the pictures that outlines are read off
_DIRECTIONS, _STEPS = 72, 180  # around the middle of a head, and along each of them
_REACH = 0.7  # of a picture's width, as far as outlines are looked for
_COVERED = 0.5
_BEYOND = 2  # steps outside of an outline at which it must be seen that it is one
_NARROW, _WIDE = 0.85, 1.35  # times: beyond, it is something else than hair
_SIDE, _BELOW = math.radians(-25), math.radians(-45)  # elevations between which outlines become those of neck and body
_SMOOTH = 0.4  # radians around the head, over which scales are averaged
_AS_IT_IS = 0.5  # directions that say that the head is as wide as it should be: what counts where few tell anything
_FRONT, _RIM = math.radians(50), math.radians(80)  # from the direction of a camera, between which scales come in
_CHIN, _NECK = -0.08, -0.16  # world units up, between which they end
_NEAR = 0.04  # world units around the face, within which it stays
_SHARP = 8  # the power of the sine to a camera's direction by which it tells of a place
_LEAST = 1e-3


def girded(head: Head, views: Views) -> Bend | None:
    """What makes the outlines of a head, from the sides of `views` [N] of it, those of their mattes; None if it is not known where the
    head has a face, or what the views show."""
    face, mattes = head.bundle.face, views.mattes
    if face is None or mattes is None:
        return None
    device = head.generator.device
    shown = torch.cat(head.render_each(views.cameras, lambda render: render.alpha, _SIZE, frames=False, sparse=True))
    matte = F.interpolate(mattes.to(shown), (_SIZE, _SIZE), mode="area")
    outside = torch.zeros_like(matte) if views.outside is None else resized(views.outside.to(shown), _SIZE)
    camera = views.cameras.to(device)
    rims = _Rims(camera, _scales(shown, matte, outside, camera))
    both, face = (rims, rims.mirrored()), face.to(device)

    def move(points: Tensor) -> Tensor:
        moved, weights = zip(*(each.moved(points) for each in both), strict=True)
        share, near = torch.cat(weights), torch.cdist(points, face).amin(1)
        mean = (share[..., None] * torch.cat(moved)).sum(0) / share.sum(0)[:, None]
        return (1.0 - torch.exp(-0.5 * (near / _NEAR) ** 2))[:, None] * mean

    return Bend.of(move, head.generator.box, device)


@dataclass(frozen=True)
class _Rims:
    """The outlines of a head from N cameras: how many times `wider` [N,A] it should be in directions around the middle of it."""

    camera: Camera
    wider: Tensor

    def mirrored(self) -> _Rims:
        """Those of the mirror image."""
        return _Rims(self.camera.mirrored(), self.wider.roll(_DIRECTIONS // 2, 1).flip(1))

    def moved(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """By how much `points` [P,3] come from elsewhere [N,P,3], and how much each camera tells of them [N,P]."""
        right, down, _ = self.camera.cam2world[:, :3, :3].unbind(-1)
        axes = torch.stack([right, -down, F.normalize(self.camera.position, dim=-1)], 1)
        x, y, towards = (points @ axes.transpose(1, 2)).unbind(-1)
        across = (x.square() + y.square()).sqrt()
        where = torch.atan2(y, x) / math.tau * _DIRECTIONS - 0.5
        first, share = where.floor().long(), where - where.floor()
        one, next_one = (self.wider.gather(1, (first + i) % _DIRECTIONS) for i in (0, 1))
        scale = torch.lerp(one, next_one, share)
        aside = _eased((torch.atan2(across, towards) - _FRONT) / (_RIM - _FRONT))
        above = ((points[:, 1] - _NECK) / (_CHIN - _NECK)).clamp(0.0, 1.0)
        back = 1.0 - 1.0 / (1.0 + (scale - 1.0) * aside * above)
        flat = x[..., None] * axes[:, None, 0] + y[..., None] * axes[:, None, 1]
        return back[..., None] * flat, (across / points.norm(dim=1).clamp(min=_LEAST)) ** _SHARP + _LEAST


def _scales(shown: Tensor, matte: Tensor, outside: Tensor, camera: Camera) -> Tensor:
    """How many times wider [N,A] heads are that pictures [N,1,S,S] cover than those `shown`, in directions around their middles, as
    far as pixels do not lie `outside` of what was filmed."""
    angles = (torch.arange(_DIRECTIONS, device=shown.device) + 0.5) / _DIRECTIONS * math.tau
    lengths = torch.arange(1, _STEPS + 1, device=shown.device) / _STEPS * _REACH
    middle = camera.project(shown.new_zeros(len(camera), 1, 3))[0]
    offsets = torch.stack([angles.cos(), -angles.sin()], -1)[:, None] * lengths[:, None]
    places = 2.0 * (middle[:, :, None] + offsets) - 1.0
    own, seen, beyond = (F.grid_sample(each, places, align_corners=False)[:, 0] for each in (shown, matte, outside))
    numbers = torch.arange(_STEPS, device=shown.device)
    outer, inner = (((each > _COVERED) * numbers).amax(-1) for each in (seen, own))
    after = (outer + _BEYOND).clamp(max=_STEPS - 1)
    inside = (places.abs().amax(-1) < 1.0) & (beyond <= 0.0)
    known = inside.gather(2, after[..., None])[..., 0]
    elevation = torch.asin(angles.sin())
    head = ((elevation - _BELOW) / (_SIDE - _BELOW)).clamp(0.0, 1.0)
    trust = known * head
    wider = (lengths[outer] / lengths[inner]).clamp(_NARROW, _WIDE) - 1.0
    apart = (angles[:, None] - angles + math.pi) % math.tau - math.pi
    near = torch.exp(-0.5 * (apart / _SMOOTH) ** 2)
    return 1.0 + (trust * wider) @ near / ((trust + 1.0 - head) @ near + _AS_IT_IS)


def _eased(share: Tensor) -> Tensor:
    """From 0 to 1 without a kink."""
    share = share.clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
