"""Silhouettes: coarse mattes of aligned pictures, each on its own.

Those of people come from a network that was trained on photographs. It does not know one person from another: of what it
finds, only what hangs together with the face counts, by the weakest pixel of the best way there (the morphological
reconstruction of Vincent 1993). Others come from the model's aligner, which has seen drawings alone.
"""

from __future__ import annotations

import torch
from skimage.morphology import reconstruction
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.networks.aligner import INPUT_SIZE, Aligner
from inv3d.core.networks.photographic import person_matte
from inv3d.core.networks.selfie import PERSON_INPUT

_FACE_CENTRE, _FACE_RADII = (0.5, 0.47), (0.12, 0.16)
"""Where an aligned head has its face, from whatever side it is seen: across and down, in shares of the picture."""
_FADING = 1.5  # radii at which it no longer counts as the face
_LEAST_SURE = 0.3  # matte of a face below which nothing is known
_SEEN = 0.5  # mean matte of a face from which the network sees a person
_CHIN = 0.7  # of a picture's height: above it, shoulders join nobody to a head
_BRIGHT, _DARKEST = 0.9, 0.05  # what the brightest colours of [0,1] are raised to, and below which there are none
_BRIGHTEST = 0.95  # share of the pixels that are less bright than these
_STEP = 2  # pixels
_ONCE = 8  # pictures


@torch.no_grad()
def of_people(images: Tensor) -> Tensor:
    """Silhouettes [N,1,256,256] in [0,1] of the people whose heads are aligned in pictures [N,3,R,R] in [-1,1]."""
    network = person_matte(images.device)

    def found(image: Tensor) -> Tensor:
        seen = _lit(F.interpolate(image, (PERSON_INPUT, PERSON_INPUT), mode="bilinear", antialias=True))
        return 0.5 * (network(seen) + network(seen.flip(3)).flip(3))

    matte = torch.cat([found(image) for image in images.split(_ONCE)]).sigmoid()
    return torch.stack([_of_one(each) for each in matte])


def shows_face(matte: Tensor) -> Tensor:
    """Whether silhouettes [N,1,S,S] cover the faces of the heads that pictures are aligned to, [N]."""
    return matte.flatten(1)[:, (_from_face(matte) < 1.0).flatten()].mean(1) > _SEEN


@torch.no_grad()
def of_aligner(aligner: Aligner, images: Tensor, of_faces: bool) -> Tensor:
    """The aligner's silhouettes [N,1,S,S] of pictures [N,3,R,R] in [-1,1], by what is known `of_faces`. Raises ValueError if it has
    learned none."""
    device = next(aligner.parameters()).device
    found = []
    for image in images.split(_ONCE):
        # a picture and its mirror image, which errs elsewhere
        small = F.interpolate(image, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True).to(device)
        both = aligner.matte(torch.cat([small, small.flip(3)]))
        found.append(0.5 * (both[: len(image)] + both[len(image) :].flip(3)))
    matte = torch.cat(found).to(images)
    return raised(matte) if of_faces else matte


def raised(matte: Tensor) -> Tensor:
    """Silhouettes [N,1,S,S] of aligned heads, raised until their faces, which have no holes, are covered: where an aligner
    is unsure of a photograph, it is unsure of all of the head."""
    radii = _from_face(matte)
    level = matte.flatten(1)[:, (radii < 1.0).flatten()].median(1).values.clamp(min=_LEAST_SURE)
    face = ((_FADING - radii) / (_FADING - 1.0)).clamp(0.0, 1.0)
    return torch.maximum((matte / level[:, None, None, None]).clamp(max=1.0), face)


def _from_face(matte: Tensor) -> Tensor:
    """How far pixels [S,S] of aligned pictures are from the middle of the face, in its radii."""
    axis = (torch.arange(matte.shape[-1], device=matte.device) + 0.5) / matte.shape[-1]
    across, down = ((axis - centre) / radius for centre, radius in zip(_FACE_CENTRE, _FACE_RADII, strict=True))
    return torch.hypot(down[:, None], across)


def _lit(seen: Tensor) -> Tensor:
    """Pictures [B,3,S,S] in [-1,1], dark ones as bright as others: the network has seen few of them."""
    light = (seen + 1.0) / 2.0
    brightest = light.amax(1).flatten(1).quantile(_BRIGHTEST, 1).clamp(min=_DARKEST)
    return (light * (_BRIGHT / brightest).clamp(min=1.0)[:, None, None, None]).clamp(max=1.0) * 2.0 - 1.0


def _of_one(matte: Tensor) -> Tensor:
    """What of a silhouette [1,S,S] hangs together with the face; above the chin, without the way over the shoulders."""
    coarse = F.max_pool2d(matte, _STEP)[0]  # ways are as good there, and found in a quarter of the time
    face = torch.where(_from_face(coarse) < 1.0, coarse, 0.0).cpu().numpy()
    whole, chin = coarse.cpu().numpy(), round(_CHIN * len(coarse))
    whole[:chin] = face[:chin] = reconstruction(face[:chin], whole[:chin])
    reached = torch.from_numpy(reconstruction(face, whole)).to(matte)
    return torch.minimum(matte, F.interpolate(reached[None, None], matte.shape[-2:])[0])
