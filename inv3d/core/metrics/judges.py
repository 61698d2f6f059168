"""Who judges a fit: the model's own judge within its world, and independent networks wherever they are installed.

The independent judges are dlib's face recogniser (packages `dlib-bin` and `face_recognition_models`, extra `photos`) and
LPIPS (AlexNet), if its weights are on the machine. Both learned from photographs, and neither from this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.bundle import Bundle, Perceptual
from inv3d.core.faces import FaceFinder, dlib_file, has_dlib
from inv3d.core.helpers import LPIPS, has_perceptual, load_perceptual

SAME_PERSON = 0.6
"""The distance of descriptors below which dlib takes two pictures for the same person."""


@dataclass(frozen=True)
class FaceDistance:
    """The `distance` of two faces; None if no face is found in the target, or in the render alone (`lost`)."""

    distance: float | None
    lost: bool = False


class FaceJudge:
    """dlib's face recogniser (King 2009): the Euclidean distance of 128 numbers that describe a face."""

    def __init__(self) -> None:
        import dlib

        self._finder = FaceFinder()
        self._describe = dlib.face_recognition_model_v1(str(dlib_file("dlib_face_recognition_resnet_model_v1.dat")))

    def compare(self, wanted: NDArray[Any] | None, render: Tensor) -> FaceDistance:
        """Compare an image [1,3,R,R] in [-1,1] with a face that was described, if one was found."""
        if wanted is None:
            return FaceDistance(None)
        made = self.describe(render)
        return FaceDistance(None, lost=True) if made is None else FaceDistance(float(np.linalg.norm(wanted - made)))

    def describe(self, image: Tensor) -> NDArray[Any] | None:
        """The numbers [128] of the face in an image [1,3,R,R] in [-1,1]; None if none is found."""
        face = self._finder.find(image)
        return None if face is None else np.array(self._describe.compute_face_descriptor(face.pixels, face.landmarks, 1))


@dataclass(frozen=True)
class Judges:
    """The judges of some pictures: whether the model's `own` judge knows such pictures, and the independent ones."""

    own: bool = True
    faces: FaceJudge | None = None
    lpips: Perceptual | None = None


def judges_for(bundle: Bundle, outside: bool, device: torch.device) -> Judges:
    """The independent judges that are on this machine, and the model's own unless pictures lie `outside` of its world. Of
    things, judges of faces can tell nothing."""
    lpips = None
    if bundle.names.perceptual == LPIPS:
        lpips = bundle.perceptual
    elif has_perceptual(LPIPS):
        lpips = load_perceptual(LPIPS, device)
    if bundle.shows_things:
        return Judges(own=False, lpips=lpips)
    return Judges(not outside or bundle.judge_knows_photographs, FaceJudge() if has_dlib() else None, lpips)
