"""Coarse face detectors for photographs: MediaPipe's landmarks if available, otherwise scikit-image's cascade."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data
from skimage.feature import Cascade
from torch import Tensor

from inv3d.core.bundle import ModelInfo
from inv3d.core.crops import Crops, joined
from inv3d.core.library import home
from inv3d.core.views import to_array
from inv3d.video.locate import Detector

_SMALLEST = 32  # pixels; the aligner could not read less
_SIZES = (1.8, 2.2, 2.7)  # sides of FFHQ crops in sides of the cascade's boxes
_LOWER = 0.05  # by which share of the box an FFHQ crop's centre lies below that of the box


@functools.cache
def _cascade() -> Cascade:
    return Cascade(data.lbp_frontal_face_cascade_filename())


def faces(image: Tensor) -> Crops:
    """Crops around every face in `image` [3,H,W] in [-1,1], possibly several per face; none if there is no face.

    Landmarks are used if `mediapipe` is installed and its model lies where `landmarks_model` says.
    """
    pixels = to_array(image)
    found = _boxed(pixels)
    return joined(_landmarked(pixels), found) if landmarks_model().is_file() and _has_mediapipe() else found


def detector(info: ModelInfo) -> Detector | None:
    """The detector for a model: `faces` if the model shows human faces, otherwise none."""
    return faces if info.subject == "faces" else None


def landmarks_model() -> Path:
    """Path of the model file of MediaPipe's face landmarker."""
    return home() / "helpers" / "face_landmarker.task"


def _has_mediapipe() -> bool:
    return importlib.util.find_spec("mediapipe") is not None


def _boxed(pixels: NDArray[np.uint8]) -> Crops:
    """Three crops around every frontal face that the cascade finds."""
    largest = min(pixels.shape[:2])
    boxes = []
    if largest > _SMALLEST:
        boxes = _cascade().detect_multi_scale(
            pixels, scale_factor=1.2, step_ratio=1.5, min_size=(_SMALLEST,) * 2, max_size=(largest,) * 2
        )
    places = [(box["c"] + box["width"] / 2, box["r"] + (0.5 + _LOWER) * box["height"], box["width"]) for box in boxes]
    return _crops([(x, y, factor * side, 0.0) for x, y, side in places for factor in _SIZES])


def _landmarked(pixels: NDArray[np.uint8]) -> Crops:
    """One crop for every face that MediaPipe finds."""
    landmarker, image = _landmarker(str(landmarks_model())), _as_mediapipe(pixels)
    size = np.array([pixels.shape[1], pixels.shape[0]])
    found = [
        np.array([(point.x, point.y) for point in face]) * size for face in landmarker.detect(image).face_landmarks
    ]
    return _crops([ffhq_crop(*(points[rows].mean(0) for rows in _PLACES)) for points in found])


_PLACES = ([33, 133], [263, 362], [61], [291])
"""Of MediaPipe's landmarks: corners of the eye on the left and on the right of the picture, corners of the mouth."""


def ffhq_crop(
    left_eye: NDArray[np.float64],
    right_eye: NDArray[np.float64],
    mouth_left: NDArray[np.float64],
    mouth_right: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """Centre (x, y), side and roll of EG3D's crop: the middle 700 of 1024 pixels of an FFHQ alignment (Karras et al.
    2019, appendix C), for points (x, y) in pixels."""
    eyes, across = (left_eye + right_eye) / 2, right_eye - left_eye
    down = (mouth_left + mouth_right) / 2 - eyes
    axis = across + np.array([down[1], -down[0]])
    side = 2.0 * max(2.0 * float(np.hypot(*across)), 1.8 * float(np.hypot(*down))) * 700 / 1024
    x, y = eyes + 0.1 * down
    return float(x), float(y), side, float(np.arctan2(axis[1], axis[0]))


@functools.cache
def _landmarker(model: str) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=model), num_faces=8)
    return vision.FaceLandmarker.create_from_options(options)


def _as_mediapipe(pixels: NDArray[np.uint8]) -> Any:
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)


def _crops(rows: list[tuple[float, float, float, float]]) -> Crops:
    """From rows of x, y, side and roll."""
    x, y, size, roll = torch.tensor(rows).reshape(-1, 4).unbind(1)
    return Crops(torch.stack([x, y], 1), size, roll)
