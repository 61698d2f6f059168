"""Who judges a fit: the model's own judge within its world, and independent networks wherever they are installed.

The independent judges are dlib's face recogniser (packages `dlib-bin` and `face_recognition_models`, extra `photos`) and
LPIPS (AlexNet), if its weights are on the machine. Both learned from photographs, and neither from this project.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.bundle import Bundle, Perceptual
from inv3d.core.helpers import LPIPS, has_perceptual, load_perceptual
from inv3d.core.views import to_bytes

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

        folder = _face_models()
        assert folder is not None
        self._detect = dlib.get_frontal_face_detector()
        self._place = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._describe = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))

    def compare(self, target: Tensor, render: Tensor) -> FaceDistance:
        """Compare images [1,3,R,R] in [-1,1]."""
        wanted = self._descriptor(target)
        if wanted is None:
            return FaceDistance(None)
        made = self._descriptor(render)
        return FaceDistance(None, lost=True) if made is None else FaceDistance(float(np.linalg.norm(wanted - made)))

    def _descriptor(self, image: Tensor) -> NDArray[Any] | None:
        pixels = to_bytes(image[0]).permute(1, 2, 0).contiguous().cpu().numpy()
        found = self._detect(pixels, 1)
        if not len(found):
            return None
        return np.array(self._describe.compute_face_descriptor(pixels, self._place(pixels, found[0]), 1))


@functools.cache
def _face_models() -> Path | None:
    """The folder of dlib's networks; the package that holds them is not imported, because it needs an old setuptools."""
    spec = importlib.util.find_spec("face_recognition_models")
    return Path(spec.submodule_search_locations[0]) / "models" if spec and spec.submodule_search_locations else None


def has_face_judge() -> bool:
    """Whether the packages of the extra `photos` are installed."""
    return importlib.util.find_spec("dlib") is not None and _face_models() is not None


@dataclass(frozen=True)
class Judges:
    """The judges of some pictures: whether the model's `own` judge knows such pictures, and the independent ones."""

    own: bool = True
    faces: FaceJudge | None = None
    lpips: Perceptual | None = None


def judges_for(bundle: Bundle, outside: bool, device: torch.device) -> Judges:
    """The independent judges that are on this machine, and the model's own unless pictures lie `outside` of its world."""
    lpips = None
    if bundle.names.perceptual == LPIPS:
        lpips = bundle.perceptual
    elif has_perceptual(LPIPS):
        lpips = load_perceptual(LPIPS, device)
    return Judges(not outside or bundle.judge_knows_photographs, FaceJudge() if has_face_judge() else None, lpips)
