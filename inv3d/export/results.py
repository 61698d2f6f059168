"""The records of an output folder: `metrics.json`, `run.json` and `views/cameras.json`."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from inv3d.core.camera import CONVENTION
from inv3d.core.errors import InputError
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.metrics.evaluate import FrameMetrics, Means
from inv3d.core.records import Count, Degrees, Digest, Number, Record, Text, reason
from inv3d.video.decode import FailedFrame

Row3 = tuple[Number, Number, Number]
Row4 = tuple[Number, Number, Number, Number]


def rows_of(matrix: Tensor) -> Any:
    """A matrix as the rows of a record."""
    return tuple(tuple(row) for row in matrix.tolist())


@dataclass(frozen=True)
class BothMeans:
    """Means over the frames that the fit never used, if any; over the fitted views, each predicted without its own frame;
    and over the former as the generator alone renders them, for heads that take their colours from frames."""

    held_out: Means | None
    fit: Means
    model: Means | None = None


TITLES = {"held_out": "unseen frames", "model": "the same, by the generator alone", "fit": "fitted views"}
"""What these means are called, in the order in which they are shown."""


@dataclass(frozen=True)
class BothFrames:
    """The same frame by frame."""

    held_out: tuple[FrameMetrics, ...]
    fit: tuple[FrameMetrics, ...]


@dataclass(frozen=True)
class MeasuredBy:
    """Descriptions of the networks behind some of the figures; None where no network can tell."""

    perceptual: Text
    identity: Text | None = None
    face_distance: Text | None = None


class Metrics(Record):
    """The content of `metrics.json`: the means of `BothMeans`; `depth_consistency` in world units, `latent_distance` as of `LatentTrack`.

    `strangeness` says how far the pictures lie outside of what the model's own networks have seen (see `World`);
    beyond a limit they count as `outside`, and those networks can tell no likeness.
    """

    largest = 1 << 24  # a long clip has many frames

    format: int = Field(default=2, ge=1)
    held_out: Means | None
    fit: Means
    model: Means | None = None
    strangeness: Number = 0.0
    outside: bool = False
    depth_consistency: float
    latent_distance: float
    networks: MeasuredBy
    frames: BothFrames

    @property
    def means(self) -> BothMeans:
        return BothMeans(self.held_out, self.fit, self.model)


class Run(Record):
    """The content of `run.json` for any run; fields that are known only at its end have defaults."""

    largest = 1 << 24  # a long clip has many frames

    sha256: Digest
    """Of the input."""
    model: Text
    fingerprint: Text
    perceptual: Text
    identity: Text
    head: Text = ""
    """The value of `--head`."""
    seed: Annotated[int, Field(ge=-(1 << 63), lt=1 << 64)]
    settings: FitSettings
    device: Text
    version: Text
    means: BothMeans | None = None
    outside: bool = False
    torch: Text = str(torch.__version__)
    python: Text = platform.python_version()
    seconds: Annotated[dict[Text, Number], Field(max_length=64)] = Field(default_factory=dict)
    total_seconds: Number = 0.0
    peak_memory_mb: Number = 0.0
    peak_device_memory_mb: Number = 0.0
    """Of a GPU; 0 where there was none."""
    files: tuple[Text, ...] = ()
    """All files of the folder, by which inv3d recognises its own output."""


@dataclass(frozen=True)
class ClipFacts:
    """The properties that the clip's container declares; see `ClipInfo`."""

    path: Text
    codec: Text
    width: Count
    height: Count
    frames: Count
    duration: Number
    rate: Number


@dataclass(frozen=True)
class FrameFacts:
    """How many frames are usable, and why the others are not."""

    usable: Count
    failed: tuple[FailedFrame, ...]


class TurnRun(Run):
    """What the records of clips and of photographs of one person have in common."""

    views: Count
    latents: bool
    turn: Degrees | None = None
    matte: Text = "own"
    frames: FrameFacts


class ClipRun(TurnRun):
    """The content of `run.json` for a clip."""

    clip: Text
    clip_info: ClipFacts


class PhotographsRun(TurnRun):
    """The content of `run.json` for several photographs of one person; the index of a frame is that in `photos`."""

    photos: tuple[Text, ...]


class PhotoRun(Run):
    """The content of `run.json` for a photo; `warnings` say what may be wrong with it, `camera` is what the `method` did with
    it, if there was one, `confidence` the aligner's, `rolled_degrees` how far the head is rotated clockwise in the photo."""

    photo: Text
    warnings: tuple[Text, ...] = ()
    method: Text | None = None
    camera: Text | None = None
    encoder: Text
    refine_pose: Count = 0
    refine: Count
    tune: Count
    confidence: Number
    rolled_degrees: Degrees = 0.0
    yaw_degrees: Degrees
    pitch_degrees: Degrees


@dataclass(frozen=True)
class ViewCamera:
    """The camera of the picture `file`; `time` in seconds."""

    file: Text
    frame: Count
    time: Number
    yaw_degrees: Degrees
    pitch_degrees: Degrees
    cam2world: tuple[Row4, Row4, Row4, Row4]
    intrinsics: tuple[Row3, Row3, Row3]


class Cameras(Record):
    """The content of `views/cameras.json`, in the EG3D convention."""

    largest = 1 << 24  # a long clip has many frames

    convention: Text = CONVENTION
    views: tuple[ViewCamera, ...]


@contextmanager
def finite_figures(fault: str) -> Iterator[None]:
    """Turns a figure that no record takes, such as NaN, into an InputError that begins with the `fault`: it never reaches
    a file or the report."""
    try:
        yield
    except ValidationError as error:
        raise InputError(f"{fault}: {reason(error)}", "use another input, fewer steps, or another --seed") from error
