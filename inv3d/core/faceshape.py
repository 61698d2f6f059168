"""A face bent so that eyes, nose and mouth are where photos show them.

An encoder reads looks better than places. From the photo's own side nobody sees that, since its pixels lie on the head as they
are; from another side they lie beside the nose, and do not meet their mirror image. MediaPipe's mesh finds the same points of a
face in the photo and in renders of the head, whatever it gets wrong in both. And heads are symmetric, so that a photo's mirror
image shows the person from a second side: each point of the face lies where both see it, unless that is far from where the head
has it. The camera errs, too, and moves a little where that explains what the points have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.facepoints import around, mesh_in, seen_in
from inv3d.core.generator import Bend
from inv3d.core.head import Head
from inv3d.core.inversion.invert import Footage
from inv3d.core.inversion.poses import correct
from inv3d.core.resampling import sample
from inv3d.core.views import Views

_CLEAR = 5.0  # logit from which a mesh has found a face
_YAWS, _PITCHES = (-30, 0, 30), (-8, 8)  # degrees, from where the head's own face is looked at
_SEEN = 0.003  # world units by which the mesh errs in a picture
_HELD = 0.005  # world units by which the face of a head errs
_LIKE = 8  # so many points that err independently know as much as all do
_HIDDEN = (0.01, 0.03)  # world units behind the surface within which a point is seen, and beyond which the mesh guesses it
_GUESSED = 0.02  # what a guess counts
_CAMERA = (0.01, 0.02, 0.03, 0.005, 0.005, 0.005)
"""By how much a camera errs, in the columns of `correct`: up and to the side less than faces differ in what they look like
from there, since a mesh that knows all faces has read that."""
_SMOOTH = 0.035  # world units, over which the points around a place tell where it is moved
_REACH = 0.06  # world units beyond the points, over which nothing is moved any more
_STEP = 0.03  # of these, for derivatives


def faced(head: Head, footage: Footage) -> tuple[Head, Footage]:
    """The head with its face where the targets of its `footage` show it, and the footage with the cameras of these; both as they are
    where no face is clear, or where the model has none."""
    where = None if head.bundle.face is None else _found(head, footage.targets, head.bundle.face)
    if where is None:
        return head, footage
    face, seen = where
    start = np.ones(len(footage.targets) * len(_CAMERA))
    camera = _moved(seen.camera, least_squares(lambda errors: face.misfit(seen, errors), start, diff_step=_STEP).x)
    points, _ = face.placed(replace(seen, camera=camera))
    bend = _between(points.float(), (points - face.points).float(), head)
    return replace(head, bend=bend), footage.seen_from(Camera(*(each.float() for each in vars(camera).values())))


def _between(points: Tensor, moved: Tensor, head: Head) -> Bend:
    """The space of a head bent smoothly, so that it has at `points` [P,3] what it had further back by `moved` [P,3]."""
    device = head.generator.device
    points, moved = points.to(device), moved.to(device)

    def move(places: Tensor) -> Tensor:
        away = torch.cdist(places, points).square()
        fading = torch.exp(away.amin(1) / (-2.0 * _REACH**2))
        return fading[:, None] * (torch.softmax(away / (-2.0 * _SMOOTH**2), 1) @ moved)

    return Bend.of(move, head.generator.box, device)


@dataclass(frozen=True)
class _Seen:
    """What N pictures show of a face: its `points` [N,P,2] from 0 to 1, how surely each is seen, `weights` [N,P], and their cameras
    [N]."""

    points: Tensor
    weights: Tensor
    camera: Camera

    def mirrored(self, counterpart: Tensor) -> _Seen:
        """What their mirror images show, of a face with each point's `counterpart` [P] on the other side."""
        points = torch.stack([1.0 - self.points[..., 0], self.points[..., 1]], -1)
        return _Seen(points[:, counterpart], self.weights[:, counterpart], self.camera.mirrored())

    def across(self) -> Tensor:
        """Matrices [N,P,3,3] that leave of a vector what is across the ray on which a point is seen."""
        along = self.camera.rays_through(self.points).directions
        return torch.eye(3).to(along) - along[..., :, None] * along[..., None, :]


@dataclass(frozen=True)
class _Face:
    """The `points` [P,3] of a head's face in the world, and the number of each point's `counterpart` [P] on the other side."""

    points: Tensor
    counterpart: Tensor

    def placed(self, seen: _Seen) -> tuple[Tensor, Tensor]:
        """Where the points [P,3] are that pictures and their mirror images show, and how far off the rays [N,P,3] of the pictures these
        are."""
        trust, across = (_SEEN / _HELD) ** 2, seen.across()
        matrix, right = trust * torch.eye(3).to(across), trust * self.points
        for each, cross in ((seen, across), ((other := seen.mirrored(self.counterpart)), other.across())):
            weighted = each.weights[..., None, None] * cross
            matrix = matrix + weighted.sum(0)
            right = right + torch.einsum("npij,nj->pi", weighted, each.camera.position)
        found = torch.linalg.solve(matrix, right)
        return found, torch.einsum("npij,npj->npi", across, found - seen.camera.position[:, None])

    def misfit(self, seen: _Seen, errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is improbable about cameras with these `errors` (see `_moved`): of their rays, of the face, and of themselves, to be
        squared."""
        found, off = self.placed(replace(seen, camera=_moved(seen.camera, errors)))
        share = math.sqrt(_LIKE / len(found))
        parts = (off * seen.weights.sqrt()[..., None] / _SEEN, (found - self.points) / _HELD)
        return np.concatenate([*(share * part.flatten().numpy() for part in parts), errors - 1.0])


def _moved(camera: Camera, errors: NDArray[np.float64]) -> Camera:
    """Cameras [N] without their errors, in those they may have; 1 is none, for the steps of derivatives."""
    offsets = torch.from_numpy(errors - 1.0).reshape(len(camera), -1)
    return correct(camera, torch.tensor(_CAMERA).to(offsets) * offsets)


@torch.no_grad()
def _found(head: Head, views: Views, mean: Tensor) -> tuple[_Face, _Seen] | None:
    """The face of a head, about where the `mean` one [P,3] is, and what `views` of it show of that; None if one is not clear."""
    mean = mean.to(head.generator.device)
    read = [_read(image.to(mean.device), views.cameras[i].to(mean.device), mean) for i, image in enumerate(views.images)]
    face = None if all(points is None for points in read) else _own(head, mean)
    if face is None:
        return None
    seen = torch.stack([torch.zeros(len(mean), 2) if points is None else points.cpu() for points in read]).double()
    unknown = torch.tensor([points is None for points in read])
    weights = torch.where(unknown[:, None], 0.0, _visible(head, views, face.points))
    return face, _Seen(seen, weights, Camera(*(each.cpu().double() for each in vars(views.cameras).values())))


def _own(head: Head, mean: Tensor) -> _Face | None:
    """The face of a head, which is about where the `mean` one [P,3] is; None if it is not clear."""
    yaw, pitch = torch.cartesian_prod(torch.tensor(_YAWS), torch.tensor(_PITCHES)).float().deg2rad().unbind(1)
    cameras = head.camera(yaw, pitch).to(mean.device)
    images = head.render_each(cameras, lambda render: render.image[0].clamp(-1.0, 1.0), frames=False, sparse=True)

    def read(picture: Tensor, camera: Camera) -> Tensor | None:
        found = _read(picture, camera, mean)
        return None if found is None else found - 0.5

    points = seen_in(((image, cameras[i]) for i, image in enumerate(images)), read, len(images))
    if points is None:
        return None
    points = points.double()
    flip = torch.tensor([-1.0, 1.0, 1.0])
    counterpart = torch.cdist(mean.cpu() * flip, mean.cpu()).argmin(1)
    return _Face((points + flip * points[counterpart]) / 2.0, counterpart)


def _visible(head: Head, views: Views, points: Tensor) -> Tensor:
    """How surely `views` [N] of a head show points [P,3] of it, [N,P]."""
    cameras = views.cameras.to("cpu")
    where, far = cameras.project(points.float().expand(len(cameras), -1, -1))
    depth = torch.cat(head.render_each(views.cameras, lambda render: render.depth.cpu(), frames=False, sparse=True))
    behind = far - sample(depth, 2.0 * where[:, None] - 1.0)[:, 0, 0]
    seen, hidden = _HIDDEN
    return ((hidden - behind) / (hidden - seen)).clamp(_GUESSED, 1.0).double()


def _read(picture: Tensor, camera: Camera, mean: Tensor) -> Tensor | None:
    """The points [P,2] from 0 to 1 of the face in a picture [3,R,R] in [-1,1] that a camera [1] took; None if it is not clear. It is
    looked for where the `mean` face [P,3] would be."""
    where, _ = camera.project(mean[None])
    size = picture.shape[-1]
    found, logits = mesh_in(picture, around(size * where))
    return None if float(logits) < _CLEAR else found[0, :, :2] / size
