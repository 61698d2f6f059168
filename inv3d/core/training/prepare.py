"""Making an imported generator ready for pictures: statistics of its codes, and an aligner trained on its own renders."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.bundle import ALIGNER, CODES, Bundle, load_bundle
from inv3d.core.codes import code_statistics
from inv3d.core.library import model_folder
from inv3d.core.training import dataset
from inv3d.core.training.networks import AlignerTrainer

Report = Callable[[str], None]

_SEED = 60_000
_TRUNCATION = 0.8
"""Of the heads to learn from: fewer oddities than without, more kinds than near the mean."""


@dataclass(frozen=True)
class Plan:
    """How much is drawn and trained: `shards` of `heads` objects, each in `dataset.VIEWS_PER_HEAD` pictures of
    `resolution` pixels, and the aligner's training `steps`."""

    shards: int = 40
    heads: int = 50
    resolution: int = 128
    steps: int = 5000

    def scaled(self, factor: float) -> Plan:
        return dataclasses.replace(
            self, shards=max(1, math.ceil(self.shards * factor)), steps=max(1, math.ceil(self.steps * factor))
        )


def prepare(name: str, plan: Plan, device: torch.device, report: Report) -> None:
    """Add `codes.safetensors` and `aligner.safetensors` to the model `name`; goes on where it was stopped.

    Raises ModelError if there is no such model.
    """
    bundle, folder = load_bundle(name, device), model_folder(name)
    work = folder / "prepare"
    work.mkdir(exist_ok=True)
    statistics = code_statistics(bundle.generator, bundle.info.front)
    dataset.write_shard(folder / CODES, statistics.state())
    share = float(statistics.scales.square().sum() / (len(statistics.mean) * statistics.spread.square()))
    report(f"codes: spread {float(statistics.spread):.3f}; {len(statistics.scales)} directions hold {share:.0%} of it")
    _draw(bundle, work, plan, report)
    yaw = math.radians(bundle.info.known_yaw)
    trainer = AlignerTrainer(work, plan.steps, device, known_yaw=yaw)
    for _ in trainer.run(work / "aligner.pt", report):
        pass
    weights = trainer.network.state_dict()
    dataset.write_shard(folder / ALIGNER, {name: tensor.half() for name, tensor in weights.items()})
    shutil.rmtree(work)


def _draw(bundle: Bundle, folder: Path, plan: Plan, report: Report) -> None:
    """The shards that `folder` lacks, with how long the rest will take."""
    for index in range(plan.shards):
        path = folder / f"wide-{index:04d}.safetensors"
        if path.exists():
            continue
        start = time.perf_counter()
        dataset.write_shard(path, wide_shard(bundle, index, plan))
        seconds = time.perf_counter() - start
        report(f"pictures {index + 1}/{plan.shards}, about {seconds * (plan.shards - index - 1) / 60:.0f} min to go")


@torch.no_grad()
def wide_shard(bundle: Bundle, index: int, plan: Plan) -> dict[str, Tensor]:
    """Pictures of random objects of a generator with space around them, as `dataset.wide_shard` makes them of heads."""
    generator, info = bundle.generator, bundle.info
    random = torch.Generator().manual_seed(_SEED + index)
    heads, views, size = plan.heads, dataset.VIEWS_PER_HEAD, plan.resolution
    z = torch.randn(heads, generator.config.z_dim, generator=random)
    limit = math.radians(info.known_yaw)
    yaw = (torch.rand(heads, views, generator=random) * 2.0 - 1.0) * limit
    pitch = (torch.rand(heads, views, generator=random) * 2.0 - 1.0) * dataset.MAX_PITCH
    front = info.front.vector().to(generator.device)
    wider = dataclasses.replace(info, focal=info.focal / dataset.WIDE_FACTOR)
    images, alphas = [], []
    for head in range(heads):
        code = generator.mapping(z[[head]].to(generator.device), front, _TRUNCATION)
        cameras = wider.camera(yaw[head], pitch[head]).to(generator.device)
        render = generator(code, cameras, size, random, superresolution=False)
        images.append(dataset.to_bytes((render.image.cpu() + 1.0) / 2.0))
        alphas.append(dataset.to_bytes(render.alpha.cpu()))
    return {"z": z, "yaw": yaw, "pitch": pitch, "image": torch.stack(images), "alpha": torch.stack(alphas)}
