"""Making an imported generator ready for pictures: statistics of its codes, and an aligner trained on its own renders."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import torch

from inv3d.core.bundle import ALIGNER, CODES, load_bundle
from inv3d.core.codes import code_statistics
from inv3d.core.library import model_folder
from inv3d.core.training import dataset
from inv3d.core.training.networks import AlignerTrainer
from inv3d.core.training.renders import Renders

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
    yaw = math.radians(bundle.info.known_yaw)
    wide_renders(yaw, plan).draw(bundle, work, plan.shards, report)
    trainer = AlignerTrainer(work, plan.steps, device, known_yaw=yaw)
    for _ in trainer.run(work / "aligner.pt", report):
        pass
    weights = trainer.network.state_dict()
    dataset.write_shard(folder / ALIGNER, {name: tensor.half() for name, tensor in weights.items()})
    shutil.rmtree(work)


def wide_renders(yaw: float, plan: Plan) -> Renders:
    """Pictures of random objects up to `yaw` with space around them, as `dataset.wide_shard` makes them of heads."""
    return Renders(
        "wide", _SEED, plan.heads, dataset.VIEWS_PER_HEAD, plan.resolution, yaw, dataset.MAX_PITCH, _TRUNCATION,
        dataset.WIDE_FACTOR,
    )  # fmt: skip
