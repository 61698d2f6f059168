"""dlib's face detector and landmarks (King 2009), if its packages `dlib-bin` and `face_recognition_models` are installed."""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inv3d.core.views import to_array


@dataclass(frozen=True)
class Face:
    """A face in a picture: its `pixels` [R,R,3], and dlib's five `landmarks`: the corners of both eyes, and the nose."""

    pixels: NDArray[np.uint8]
    landmarks: Any

    @property
    def pupils(self) -> NDArray[np.float64]:
        """Where the pupils of eyes that look ahead are: image points [2,2] in [0,1], midway between the eyes' corners."""
        corners = np.array([(point.x + 0.5, point.y + 0.5) for point in self.landmarks.parts()][:4])
        centers: NDArray[np.float64] = corners.reshape(2, 2, 2).mean(1) / len(self.pixels)
        return centers


class FaceFinder:
    """Finds the clearest face of a picture."""

    def __init__(self) -> None:
        import dlib

        self._detect = dlib.get_frontal_face_detector()
        self._place = dlib.shape_predictor(str(dlib_file("shape_predictor_5_face_landmarks.dat")))

    def find(self, image: Tensor) -> Face | None:
        """The face in an image [1,3,R,R] in [-1,1], if there is one."""
        pixels = to_array(image[0])
        found = self._detect(pixels, 1)
        return Face(pixels, self._place(pixels, found[0])) if len(found) else None


def dlib_file(name: str) -> Path:
    """One of the files of `face_recognition_models`."""
    folder = _folder()
    assert folder is not None
    return folder / name


@functools.cache
def _folder() -> Path | None:
    """The folder of dlib's networks; the package that holds them is not imported, because it needs an old setuptools."""
    spec = importlib.util.find_spec("face_recognition_models")
    return Path(spec.submodule_search_locations[0]) / "models" if spec and spec.submodule_search_locations else None


def has_dlib() -> bool:
    """Whether both packages, of the extra `photos`, are installed."""
    return importlib.util.find_spec("dlib") is not None and _folder() is not None
