"""The head: what an inversion makes, kept in a folder from which it can be rendered again."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera
from inv3d.core.errors import InputError, ModelError
from inv3d.core.generator import Render, TriplaneGenerator
from inv3d.core.generator.field import TriPlanes
from inv3d.core.latents import LatentTrack

FORMAT = 1

Used = TypeVar("Used")


@dataclass(frozen=True)
class Head:
    """A generator tuned to one person, the latent track, and the yaws (radians) from which it is shown."""

    generator: TriplaneGenerator
    track: LatentTrack
    bundle: Bundle
    yaw_range: tuple[float, float]

    @functools.cached_property
    def _fixed(self) -> TriPlanes | None:
        """The planes of a head of one code: made once for all renders."""
        with torch.no_grad():
            return self.generator.planes(self.track.codes) if len(self.track) == 1 else None

    @functools.cached_property
    def grid(self) -> Tensor | None:
        """Where any of the codes has something [1,1,S,S,S]: made once, it guides the sampling of every render."""
        size = self.generator.config.rendering.proposal_grid
        if size is None:
            return None
        with torch.no_grad():
            every = (self._fixed or self.generator.planes(code[None]) for code in self.track.codes)
            return torch.cat([self.generator.density_grid(planes, size) for planes in every]).amax(0, keepdim=True)

    @torch.no_grad()
    def render(self, camera: Camera, resolution: int | None = None, superresolution: bool = True) -> Render:
        """Render with the code that the track gives for each camera, deterministically, in bounded memory."""
        camera = camera.to(self.generator.device)
        codes = self.track.grouped(camera)
        planes = self._fixed or self.generator.planes(codes)
        grid = None if self.grid is None else self.grid.expand(len(codes), -1, -1, -1, -1)
        return self.generator.render(planes, codes, camera, resolution, None, grid, superresolution=superresolution)

    def render_each(self, cameras: Camera, use: Callable[[Render], Used], resolution: int | None = None) -> list[Used]:
        """`use(render)` for every camera, in order.

        A CPU renders several at a time with one thread each: a render alone gains little from a second thread.
        """

        def one(i: int) -> Used:
            return use(self.render(cameras[i], resolution))

        if self.generator.device.type != "cpu":
            return [one(i) for i in range(len(cameras))]
        self.grid  # noqa: B018 - made before the threads ask for it
        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(one, range(len(cameras))))
        finally:
            torch.set_num_threads(threads)  # part of what the workers set holds for all threads

    def camera(self, yaw: Tensor, pitch: Tensor) -> Camera:
        """Cameras of the model's own distance and focal length; angles [B] in radians."""
        return self.bundle.info.camera(yaw, pitch)

    def save(self, folder: Path) -> None:
        """Write `head.json`, `codes.safetensors` and the weight changes in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        codes = {"codes": self.track.codes.cpu().contiguous(), "yaws": self.track.yaws.cpu().contiguous()}
        (folder / "codes.safetensors").write_bytes(save(codes))
        weights = {name: change.cpu().contiguous() for name, change in self._changes().items()}
        (folder / "weights.safetensors").write_bytes(save(weights))
        description = {
            "format": FORMAT,
            "model": self.bundle.name,
            "model_fingerprint": self.bundle.fingerprint,
            "latents": len(self.track),
            "yaw_range_degrees": [round(float(torch.rad2deg(torch.tensor(yaw))), 3) for yaw in self.yaw_range],
        }
        (folder / "head.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> Head:
        """Read a head written by `save`; `folder` may also be the output folder around it.

        Raises InputError if the folder holds no readable head, ModelError if its model is missing or another one.
        """
        if (folder / "head" / "head.json").is_file():
            folder = folder / "head"
        hint = "give the output folder of `inv3d video`"
        try:
            description: dict[str, Any] = json.loads((folder / "head.json").read_text(encoding="utf-8"))
            codes = load_file(folder / "codes.safetensors")
            changes = load_file(folder / "weights.safetensors")
            name, fingerprint = description["model"], description["model_fingerprint"]
            low, high = (float(torch.deg2rad(torch.tensor(yaw))) for yaw in description["yaw_range_degrees"])
        except FileNotFoundError as error:
            raise InputError(
                f"{folder} holds no head: {Path(error.filename or folder).name} is missing", hint
            ) from error
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"the head in {folder} is damaged: {str(error).splitlines()[0]}", hint) from error
        bundle = load_bundle(name, device)
        if bundle.fingerprint != fingerprint:
            raise ModelError(
                f"the head was made with another version of the model '{name}'", "make the head again from its clip"
            )
        generator = copy.deepcopy(bundle.generator)
        apply_changes(generator, changes)
        track = LatentTrack(codes["codes"], codes["yaws"]).to(device)
        return Head(generator, track, bundle, (low, high))

    def rounded(self) -> Head:
        """This head as it will be after saving and loading, whose weight changes are float16."""
        if self.generator is self.bundle.generator:
            return self
        generator = copy.deepcopy(self.bundle.generator)
        apply_changes(generator, self._changes())
        return Head(generator, self.track, self.bundle, self.yaw_range)

    def _changes(self) -> dict[str, Tensor]:
        """What tuning changed, by name, in float16."""
        own, base = self.generator.state_dict(), self.bundle.generator.state_dict()
        return {name: (own[name] - base[name]).half() for name in own if not torch.equal(own[name], base[name])}


@torch.no_grad()
def apply_changes(generator: TriplaneGenerator, changes: dict[str, Tensor]) -> None:
    """Add weight changes by name."""
    state = generator.state_dict()
    for name, change in changes.items():
        state[name].add_(change.to(state[name].device).float())
