"""The replay job: every frame of a clip encoded on its own, and the head seen from fixed sides beside the clip."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

import inv3d
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera
from inv3d.core.encoders.inverter import Inverter, Start, load_inverter
from inv3d.core.encoders.kinds import E3DGE
from inv3d.core.errors import UsageError
from inv3d.core.files import disk_errors, write_whole_folder
from inv3d.core.generator import Scene
from inv3d.core.inversion.loop import Progress, silent, staged
from inv3d.core.matting import laid_on, mattes, room_colour
from inv3d.core.records import Count, Digest, Number, Record, Text, write_record
from inv3d.core.views import Views, from_bytes, to_array, to_bytes
from inv3d.destination import RUN, check_destination
from inv3d.memory import memory_errors
from inv3d.video.choose import HeadChoice
from inv3d.video.material import Material, Recording
from inv3d.video.select import cut_views
from inv3d.video.track import TrackedFrame
from inv3d.video.write import write_mp4

VIDEO, CODES = "replay.mp4", "codes.safetensors"
SIDES = (-30.0, 0.0, 30.0)
"""Yaws of the video, in degrees."""
_BATCH = 8
_WINDOW = 0.07
"""Standard deviation of the time window over which codes and sides are averaged, in seconds."""
_LEVELS = 127.5


@dataclass(frozen=True, kw_only=True)
class ReplayJob:
    """A clip, the output folder, and the sides (yaws in degrees) that the head is shown from, in pictures of `size` pixels
    (default: the model's own)."""

    material: Material
    out: Path
    model: str = "demo"
    encoder: str = E3DGE
    sides: tuple[float, ...] = SIDES
    size: int | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    force: bool = False
    head: HeadChoice | None = None


class ReplayRun(Record):
    """The content of `run.json` of a replay. Flicker is the mean distance of a frame to the mean of those before and after
    it, in levels of 255: of the front of the head, and of the clip's own aligned frames."""

    sha256: Digest
    """Of the clip."""
    clip: Text
    model: Text
    fingerprint: Text
    encoder: Text
    version: Text
    device: Text
    frames: Count
    left_out: Count
    flicker: Number
    flicker_of_clip: Number
    encoded_per_second: Number
    """Frames from picture to code."""
    shown_per_second: Number
    """Frames from code to picture, with their local detail, from all sides."""
    files: tuple[Text, ...] = (RUN, VIDEO, CODES)


@dataclass(frozen=True)
class _Encoded:
    """The frames of a clip: `pictures` [T,3,R,R] as bytes, codes [T,num_ws,w_dim], yaw and pitch [T,2], `times` [T] in
    seconds; and how to read their detail, if the encoder can."""

    pictures: Tensor
    codes: Tensor
    angles: Tensor
    times: Tensor
    start: Start


class Flicker:
    """Measures how far every frame [3,H,W] is from the mean of those before and after it: a steady motion has none."""

    def __init__(self) -> None:
        self.last: list[Tensor] = []
        self.total, self.count = 0.0, 0

    def see(self, frame: Tensor) -> None:
        """Take the next frame."""
        self.last = [*self.last[-2:], frame]
        if len(self.last) == 3:
            before, here, after = self.last
            self.total += float((here - 0.5 * (before + after)).abs().mean()) * _LEVELS
            self.count += 1

    @property
    def mean(self) -> float:
        """In levels of 255; 0 for less than three frames."""
        return self.total / max(self.count, 1)


def smoothed(values: Tensor, times: Tensor) -> Tensor:
    """Means of `values` [T,...] over time, with weights that fall off with the distance of their `times` [T]."""
    weights = torch.exp(-0.5 * ((times[:, None] - times[None]) / _WINDOW).square()).to(values)
    return torch.tensordot(weights / weights.sum(1, keepdim=True), values, 1)


def replay_clip(job: ReplayJob, progress: Progress = silent) -> ReplayRun:
    """Run a `ReplayJob` and write its output folder; returns what `run.json` says. Raises Inv3dError."""
    if not isinstance(job.material, Recording):
        raise UsageError("only a clip can be replayed", "name a video instead of photos")
    check_destination(job.out, job.material.files, job.force)
    with memory_errors("--device"):
        bundle = load_bundle(job.model, job.device)
        inverter = load_inverter(bundle, job.encoder)
        if inverter is None:
            raise UsageError("a replay needs an encoder", f"use --encoder {E3DGE}")
        found = job.material.track(bundle, job.head, staged(progress, "track"))
        began = time.perf_counter()
        encoded = _encode(job.material, found.frames, bundle, inverter, progress)
        shown = time.perf_counter()
        flickers = Flicker(), Flicker()
        with disk_errors(job.out), write_whole_folder(job.out) as part:
            images = _pictures(job, encoded, bundle, flickers, progress)
            write_mp4(part / VIDEO, images, _rate(encoded.times))
            done = time.perf_counter()
            state = {"codes": encoded.codes, "angles": encoded.angles, "times": encoded.times}
            (part / CODES).write_bytes(save({name: tensor.cpu().contiguous() for name, tensor in state.items()}))
            count = len(found.frames)
            run = ReplayRun(
                sha256=job.material.digest, clip=str(job.material.path.resolve()), model=job.model,
                fingerprint=bundle.fingerprint, encoder=job.encoder, version=inv3d.__version__,
                device=str(job.device), frames=count, left_out=len(found.failed),
                flicker=round(flickers[0].mean, 2), flicker_of_clip=round(flickers[1].mean, 2),
                encoded_per_second=round(count / (shown - began), 2), shown_per_second=round(count / (done - shown), 2),
            )  # fmt: skip
            write_record(part / RUN, run)
    return run


def _encode(
    material: Recording, tracked: tuple[TrackedFrame, ...], bundle: Bundle, inverter: Inverter, progress: Progress
) -> _Encoded:
    """All frames, several at a time; their codes and sides smoothed over time. One colour replaces the room of all."""
    info, places = bundle.info, {frame.index: frame for frame in tracked}
    frames = material.frames(places.__contains__)
    pictures: list[Tensor] = []
    starts: list[Start] = []
    angles: list[Tensor] = []
    colour: Tensor | None = None
    while some := list(itertools.islice(frames, _BATCH)):
        chosen = tuple(places[frame.index] for frame in some)
        views = cut_views(some, chosen, info.generator.resolution, info.camera, finer=False)
        if bundle.has_mattes:
            matte = mattes(bundle.aligner, views.images, not bundle.shows_things)
            colour = room_colour(views.images, matte) if colour is None else colour
            views = laid_on(views, matte, colour)
        starts.append(inverter(views, bundle))
        own = starts[-1].angles
        angles.append(torch.stack([views.cameras.yaw, views.cameras.pitch], 1) if own is None else own.cpu())
        pictures.append(to_bytes(views.images))
        progress("encode", sum(map(len, pictures)), len(tracked), {})
    times = torch.tensor([frame.time for frame in tracked], dtype=torch.float64)
    codes = torch.cat([start.codes for start in starts])
    return _Encoded(
        torch.cat(pictures), smoothed(codes, times.to(codes.device)), smoothed(torch.cat(angles), times), times, starts[-1]
    )


@torch.no_grad()
def _pictures(
    job: ReplayJob, encoded: _Encoded, bundle: Bundle, flickers: tuple[Flicker, Flicker], progress: Progress
) -> Iterator[NDArray[np.uint8]]:
    """The rows of the video: a frame of the clip, and the head from every side."""
    generator, device = bundle.generator, bundle.generator.device
    yaws = torch.tensor(job.sides).deg2rad()
    sides = bundle.info.camera(yaws, torch.zeros(len(yaws))).to(device)
    front = int(yaws.abs().argmin())
    plain = generator.resolution == generator.raw_resolution
    size = job.size or generator.resolution if plain else None
    for i in range(len(encoded.codes)):
        picture = from_bytes(encoded.pictures[[i]]).to(device)
        scene = _scene(encoded, i, picture, bundle.info.camera(*encoded.angles[[i]].unbind(-1)).to(device), bundle)
        image = generator.render(scene, sides, size).image
        beside = F.interpolate(picture, image.shape[-2:], mode="area")[0]
        for flicker, frame in zip(flickers, (image[front].cpu(), beside.cpu()), strict=True):
            flicker.see(frame)
        progress("render", i + 1, len(encoded.codes), {})
        yield to_array(torch.cat([beside, *image], 2))


def _scene(encoded: _Encoded, i: int, picture: Tensor, camera: Camera, bundle: Bundle) -> Scene:
    """The scene of one frame, with its detail if the encoder reads any."""
    code, read = encoded.codes[[i]], encoded.start.read_detail
    if read is None:
        return bundle.generator.scene(code)
    view = Views(picture, camera, (i,), (float(encoded.times[i]),))
    return bundle.generator.scene(code, read(view, code))


def _rate(times: Tensor) -> int:
    """Frames a second of the video, so that it lasts as long as the clip."""
    spans = len(times) - 1
    return max(1, round(spans / max(float(times[-1] - times[0]), 1e-3))) if spans else 1
