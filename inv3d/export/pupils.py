"""The distance between the pupils of a head, from which its true size follows.

The pupils are found in the head's frontal render, and its depth tells how far away they are.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from inv3d.core.errors import InputError, UsageError
from inv3d.core.faces import FaceFinder, has_dlib
from inv3d.core.head import Head

_COVERED = 0.5


def require_pupils() -> None:
    """Raises UsageError if the packages that find pupils are not installed."""
    if not has_dlib():
        raise UsageError(
            "finding the pupils needs dlib-bin and face_recognition_models, which are not installed",
            "install them with: pip install 'inv3d[photos]', or use --head-width",
        )


@torch.no_grad()
def pupil_distance(head: Head) -> float:
    """How far apart the pupils are, in the generator's world units. Raises UsageError without the packages, InputError if
    the head's front shows no face."""
    require_pupils()
    zero = torch.zeros(1, device=head.generator.device)
    camera = head.camera(zero, zero)
    render = head.frontal().render(camera, head.finest)
    face = FaceFinder().find(render.image)
    lost = InputError("no eyes were found on the front of the head, so its size cannot be measured", "use --head-width")
    if face is None:
        raise lost
    places = torch.from_numpy(face.pupils).float()[None]
    grid = (places * 2 - 1)[:, None]
    depth, alpha = (
        F.grid_sample(each.cpu().float(), grid, align_corners=False)[0, 0, 0] for each in (render.depth, render.alpha)
    )
    if float(alpha.min()) < _COVERED:
        raise lost
    rays = camera.to("cpu").rays_through(places)
    left, right = rays.origins[0] + rays.directions[0] * depth[:, None]
    return float((left - right).norm())
