"""A head bent so that eyes, nose and mouth are where a photo shows them.

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
from inv3d.core.crops import Crops
from inv3d.core.facepoints import around, in_image, mesh_in, triangulated
from inv3d.core.generator import Bend
from inv3d.core.head import Head
from inv3d.core.inversion.poses import correct
from inv3d.core.resampling import sample
from inv3d.core.views import Views

_CLEAR = 5.0  # logit from which a mesh has found a face
_YAWS, _PITCHES = (-30, 0, 30), (-8, 8)  # degrees, from where the head's own face is looked at
_SEEN = 0.003  # world units by which the mesh errs in a picture
_HELD = 0.007  # world units by which the face of a head errs
_LIKE = 8  # so many points that err independently know as much as all do
_HIDDEN = (0.01, 0.03)  # world units behind the surface within which a point is seen, and beyond which the mesh guesses it
_GUESSED = 0.02  # what a guess counts
_CAMERA = (0.01, 0.02, 0.03, 0.01, 0.01, 0.01)
"""By how much a camera errs, in the columns of `correct`: up and to the side less than faces differ in what they look like
from there, since a mesh that knows all faces has read that."""
_STEP = 0.03  # of these, for derivatives


def bent(head: Head, view: Views) -> tuple[Head, Camera]:
    """The head with its face where a `view` [1] of it shows it, and the camera of the view; both as they are where no face is found,
    or where the head has detail, which lies on it as the picture does."""
    where = None if head.detail is not None else _found(head, view)
    if where is None:
        return head, view.cameras
    face, seen = where
    errors = least_squares(lambda errors: face.misfit(seen, errors), np.ones(len(_CAMERA)), diff_step=_STEP).x
    camera = _moved(seen.camera, errors)
    points, _ = face.placed(seen.points, seen.weights, camera)
    bend = Bend(points.float(), (points - face.points).float()).to(head.generator.device)
    return replace(head, bend=bend), Camera(*(each.float().to(view.cameras.cam2world) for each in vars(camera).values()))


@dataclass(frozen=True)
class _Seen:
    """What a picture shows of a face: its `points` [P,2] from 0 to 1, how far each is seen, `weights` [P], and its `camera` [1]."""

    points: Tensor
    weights: Tensor
    camera: Camera


@dataclass(frozen=True)
class _Face:
    """The `points` [P,3] of a head's face in the world, and the number of each point's `counterpart` [P] on the other side."""

    points: Tensor
    counterpart: Tensor

    def placed(self, seen: Tensor, weights: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
        """Where the points [P,3] are that a camera [1] sees at `seen` [P,2] as surely as `weights` [P] say, and its mirror image at the
        places of their counterparts; and how far off its rays [P,3] they are."""
        other = camera.mirrored()
        mirrored = torch.stack([1.0 - seen[:, 0], seen[:, 1]], 1)[self.counterpart]
        across = _across(camera, seen)
        trust = (_SEEN / _HELD) ** 2
        matrix = trust * torch.eye(3).to(seen) + weights[:, None, None] * across
        right = trust * self.points + weights[:, None] * (across @ camera.position[0])
        also, certain = _across(other, mirrored), weights[self.counterpart]
        matrix = matrix + certain[:, None, None] * also
        right = right + certain[:, None] * (also @ other.position[0])
        found = torch.linalg.solve(matrix, right)
        return found, torch.einsum("pij,pj->pi", across, found - camera.position[0])

    def misfit(self, seen: _Seen, errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is improbable about a camera with these `errors` (see `_moved`): of its rays, of the face, and of itself, to be
        squared."""
        found, off = self.placed(seen.points, seen.weights, _moved(seen.camera, errors))
        share = math.sqrt(_LIKE / len(found))
        parts = (off * seen.weights.sqrt()[:, None] / _SEEN, (found - self.points) / _HELD)
        return np.concatenate([*(share * part.flatten().numpy() for part in parts), errors - 1.0])


def _moved(camera: Camera, errors: NDArray[np.float64]) -> Camera:
    """A camera [1] without its errors, in those it may have; 1 is none, for the steps of derivatives."""
    return correct(camera, torch.tensor(_CAMERA).to(camera.cam2world) * torch.from_numpy(errors - 1.0)[None])


def _across(camera: Camera, seen: Tensor) -> Tensor:
    """Matrices [P,3,3] that leave of a vector what is across the ray of a camera [1] through image points `seen` [P,2]."""
    along = camera.rays_through(seen[None]).directions[0]
    return torch.eye(3).to(along) - along[:, :, None] * along[:, None]


@torch.no_grad()
def _found(head: Head, view: Views) -> tuple[_Face, _Seen] | None:
    """The face of a head and that which a view [1] of it shows; None if one is not clear."""
    mean = head.bundle.face
    if mean is None:
        return None
    mean = mean.to(head.generator.device)
    seen = _read(view.images[0].to(mean.device), view.cameras.to(mean.device), mean)
    if seen is None:
        return None
    yaw, pitch = torch.cartesian_prod(torch.tensor(_YAWS), torch.tensor(_PITCHES)).float().deg2rad().unbind(1)
    cameras = head.camera(yaw, pitch).to(mean.device)
    images = head.render_each(cameras, lambda render: render.image[0].clamp(-1.0, 1.0), frames=False, sparse=True)
    shown: list[tuple[Camera, Tensor]] = []
    for i, image in enumerate(images):
        for picture, camera in ((image, cameras[i]), (image.flip(2), cameras[i].mirrored())):
            if (own := _read(picture, camera, mean)) is not None:
                shown.append((camera, own - 0.5))
    if len(shown) < len(images):
        return None
    joined = Camera(*(torch.cat([getattr(camera, name) for camera, _ in shown]) for name in ("cam2world", "intrinsics")))
    points = triangulated(joined.to("cpu"), torch.stack([own for _, own in shown]).cpu()).double()
    flip = torch.tensor([-1.0, 1.0, 1.0])
    counterpart = torch.cdist(mean.cpu() * flip, mean.cpu()).argmin(1)
    points = (points + flip * points[counterpart]) / 2.0
    camera = Camera(*(each.cpu().double() for each in vars(view.cameras).values()))
    return _Face(points, counterpart), _Seen(seen.cpu().double(), _visible(head, view, points), camera)


def _visible(head: Head, view: Views, points: Tensor) -> Tensor:
    """How surely a view [1] of a head sees points [P,3] of it."""
    where, far = view.cameras.project(points[None].float().to(view.cameras.cam2world))
    depth = head.render(view.cameras, frames=False, sparse=True).depth.to(where)
    behind = far[0] - sample(depth, 2.0 * where[:, None] - 1.0)[0, 0, 0]
    seen, hidden = _HIDDEN
    return ((hidden - behind) / (hidden - seen)).clamp(_GUESSED, 1.0).cpu().double()


def _read(picture: Tensor, camera: Camera, mean: Tensor) -> Tensor | None:
    """The points [P,2] from 0 to 1 of the face in a picture [3,R,R] in [-1,1] that a camera [1] took; None if it is not clear. It is
    looked for where the `mean` face [P,3] would be."""
    where, far = camera.project(mean[None])
    size = picture.shape[-1]
    whole = Crops(torch.full((1, 2), size / 2.0).to(where), torch.full((1,), float(size)).to(where), torch.zeros(1).to(where))
    found, logits = mesh_in(picture, around(in_image(whole, torch.cat([where, far[..., None]], -1))))
    return None if float(logits) < _CLEAR else found[0, :, :2] / size
