"""A person without the room: what an aligner sees best, which has seen drawn rooms alone."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.crops import Crops, cut
from inv3d.core.networks.photographic import person_matte
from inv3d.core.networks.selfie import PERSON_INPUT

_AROUND = 1.3  # sides of a head's crop that are looked at
_GREY = 0.5  # before which aligners read dark and light hair alike
_LIT, _MOST = 0.6, 6.0  # brightness, of 2, that a dark person is given, by at most this factor
_LEAST = 0.1  # share of these that a person covers at least


@torch.no_grad()
def alone(image: Tensor, head: Crops) -> tuple[Tensor, Crops] | None:
    """What is around the `head` [1] of a person in a picture [3,H,W] in [-1,1], everything light grey but the person, who is
    brightened if it is dark [3,256,256]; and the crop of the picture that this shows. None if nobody is seen there."""
    near = Crops(head.center, _AROUND * head.size, head.roll)
    seen = cut(image, near, PERSON_INPUT)
    share = person_matte(image.device)(seen).sigmoid()
    if float(share.mean()) < _LEAST:
        return None
    light = seen + 1.0
    bright = float((share * light).sum() / (3.0 * share.sum()))
    lit = (light * min(max(1.0, _LIT / bright), _MOST) - 1.0).clamp(max=1.0)
    return (share * lit + (1.0 - share) * _GREY)[0], near
