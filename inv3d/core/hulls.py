"""What photos show to be empty: where their mattes see the room, nothing of a head is, however long its generator thinks that hair is."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from inv3d.core.filters import resized
from inv3d.core.generator import Hull
from inv3d.core.views import Views

_SIZE = 256  # pixels per side of a hull's pictures
_AROUND = 2  # of these, that mattes and cameras err


def hull_of(views: Views) -> Hull | None:
    """The hull of a head in which `views` [N] show it; None if it is not known what they show."""
    if views.mattes is None:
        return None
    covered = F.max_pool2d(F.interpolate(views.mattes, (_SIZE, _SIZE), mode="area"), 2 * _AROUND + 1, 1, _AROUND)
    covered = F.avg_pool2d(covered, 3, 1, 1, count_include_pad=False)
    if views.outside is not None:
        covered = torch.where(resized(views.outside.to(covered), _SIZE) > 0.0, 1.0, covered)
    return Hull(covered, views.cameras).rounded()
