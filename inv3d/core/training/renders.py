"""Pictures of a generator's own random objects, from which its other networks learn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.training import dataset
from inv3d.core.training.sometimes import Sometimes


@dataclass(frozen=True)
class Renders:
    """Shards of a `kind`: `heads` objects each, every one in `views` pictures of `resolution` pixels from yaws and
    pitches up to the given ones (radians); `widening` times the model's own field of view."""

    kind: str
    seed: int
    heads: int
    views: int
    resolution: int
    yaw: float
    pitch: float
    truncation: float
    widening: float = 1.0

    @torch.no_grad()
    def shard(self, bundle: Bundle, index: int, drawn: Callable[[int], None] = lambda heads: None) -> dict[str, Tensor]:
        """`z` [H,z_dim], `yaw` and `pitch` [H,V], `image` [H,V,3,R,R] and `alpha` [H,V,1,R,R] as bytes.
        `drawn` is called with the number of finished heads."""
        generator, info = bundle.generator, bundle.info
        random = torch.Generator().manual_seed(self.seed + index)
        z = torch.randn(self.heads, generator.z_dim, generator=random)
        yaw, pitch = (
            (torch.rand(self.heads, self.views, generator=random) * 2.0 - 1.0) * limit
            for limit in (self.yaw, self.pitch)
        )
        cameras = info.changed(focal=info.focal / self.widening).camera
        images, alphas = [], []
        for head in range(self.heads):
            code = self.codes(bundle, z[[head]])
            seen = cameras(yaw[head], pitch[head]).to(generator.device)
            render = generator(code, seen, self.resolution, random, superresolution=False)
            images.append(dataset.to_bytes((render.image.cpu() + 1.0) / 2.0))
            alphas.append(dataset.to_bytes(render.alpha.cpu()))
            drawn(head + 1)
        return {"z": z, "yaw": yaw, "pitch": pitch, "image": torch.stack(images), "alpha": torch.stack(alphas)}

    def bytes(self, shards: int) -> int:
        """Of the pictures of so many shards, with their coverage."""
        return shards * self.heads * self.views * 4 * self.resolution**2

    def codes(self, bundle: Bundle, z: Tensor) -> Tensor:
        """Codes [B,num_ws,w_dim] of the objects `z` [B,z_dim]."""
        device = bundle.generator.device
        front = bundle.info.front.vector().to(device).expand(len(z), -1)
        return bundle.generator.mapping(z.to(device), front, self.truncation)

    def draw(self, bundle: Bundle, folder: Path, shards: int, report: Callable[[str], None]) -> None:
        """Write the shards that `folder` lacks, and report the progress and the time left."""
        at_times = Sometimes(report)
        for index in range(shards):
            path = folder / f"{self.kind}-{index:04d}.safetensors"
            if path.exists():
                continue
            start = time.perf_counter()

            def drawn(heads: int, index: int = index, start: float = start) -> None:
                left = (time.perf_counter() - start) * ((shards - index) * self.heads / heads - 1) / 60
                at_times(f"{self.kind} {index + 1}/{shards}: {heads} of {self.heads}, about {left:.0f} min to go")

            dataset.write_shard(path, self.shard(bundle, index, drawn))
            minutes = (time.perf_counter() - start) * (shards - index - 1) / 60
            report(f"{self.kind} {index + 1}/{shards}, about {minutes:.0f} min to go")


SAMPLES = Renders("samples", 80_000, 100, 1, 256, math.radians(30), math.radians(20), 0.7)
"""The generator's own pictures that encoders learn from. Recipes share them: they find each other's in a folder."""
SMALL_SAMPLES = Renders("samples", 80_000, 100, 2, 128, math.radians(45), math.radians(20), 1.0)
"""The same for models like the embedded one."""
GUIDE_CELLS = 20
"""Cells per side of the guide to occupied space in the renders that encoders are compared by."""
