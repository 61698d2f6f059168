"""Preparing an imported generator: statistics of its codes, and an aligner trained on its own renders."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from inv3d.core.bundle import ALIGNER, CODES, LENDER, Bundle, load_bundle, load_folder
from inv3d.core.codes import code_statistics
from inv3d.core.errors import UsageError
from inv3d.core.facepoints import mean_face, save_points
from inv3d.core.library import model_folder
from inv3d.core.lock import held
from inv3d.core.training import dataset
from inv3d.core.training.networks import AlignerTrainer
from inv3d.core.training.renders import Renders
from inv3d.core.training.sometimes import Sometimes

Report = Callable[[str], None]

_SEED = 60_000
_FEWEST = 4
"""Heads in a shard."""
_FACES = 40
"""Heads that tell where a face is."""


@dataclass(frozen=True)
class Plan:
    """How much is drawn and trained: `shards` of `heads` objects, each in `dataset.VIEWS_PER_HEAD` pictures of
    `resolution` pixels, and the aligner's training `steps`. From beyond `most_yaw` (radians) nothing can be aligned to. With a
    `truncation` of 0.8 there are fewer oddities than without, and more kinds than near the mean."""

    shards: int = 40
    heads: int = 50
    resolution: int = 128
    steps: int = 5000
    most_yaw: float = math.pi
    truncation: float = 0.8

    def scaled(self, factor: float) -> Plan:
        """With `factor` times the pictures and steps. Raises UsageError for a factor that is not positive and finite."""
        if not 0.0 < factor < math.inf:
            raise UsageError(
                f"--scale {factor} is not a positive number", "use a positive factor, such as 0.02 for a trial"
            )
        shards = self.shards * factor
        return dataclasses.replace(
            self,
            shards=max(1, math.ceil(shards)),
            heads=max(_FEWEST, math.ceil(self.heads * min(1.0, shards))),
            steps=max(1, math.ceil(self.steps * factor)),
        )


def prepare(name: str, plan: Plan, device: torch.device, report: Report) -> None:
    """Add `codes.safetensors` and `aligner.safetensors` to the model `name`; a stopped run is continued.

    Raises ModelError if there is no such model, UsageError if another process prepares it.
    """
    prepare_folder(model_folder(name), plan, device, report)


def prepare_folder(folder: Path, plan: Plan, device: torch.device, report: Report) -> None:
    """Prepare the model in `folder`, as `prepare`."""
    report(f"reading {folder.name}")
    bundle, work = load_folder(folder, device), folder / "prepare"
    work.mkdir(exist_ok=True)
    with held(work / "lock", work):
        _prepare(bundle, folder, work, plan, device, report)
    shutil.rmtree(work)


def _prepare(bundle: Bundle, folder: Path, work: Path, plan: Plan, device: torch.device, report: Report) -> None:
    report("measuring its codes")
    statistics = code_statistics(bundle.generator, bundle.info.front)
    dataset.write_shard(folder / CODES, statistics.state())
    share = float(statistics.scales.square().sum() / (len(statistics.mean) * statistics.spread.square()))
    report(
        f"codes: spread {float(statistics.spread):.3f}; {len(statistics.scales)} directions explain {share:.0%} of it"
    )
    yaw = min(math.radians(bundle.info.known_yaw), plan.most_yaw)
    wide_renders(yaw, plan).draw(bundle, work, plan.shards, report)
    trainer = AlignerTrainer(work, plan.steps, device, known_yaw=yaw)
    # what finds people's heads is nearer to finding other things than random weights
    trainer.network.load_state_dict(load_bundle(LENDER).aligner.state_dict())
    at_times, start = Sometimes(report), time.monotonic()
    for done, step in enumerate(trainer.run(work / "aligner.pt", report), 1):
        left = (time.monotonic() - start) * (plan.steps - step) / done / 60
        at_times(f"aligner {step}/{plan.steps}, about {left:.0f} min to go")
    face = None if bundle.shows_things else mean_face(bundle.generator, bundle.info.camera, min(_FACES, plan.shards * plan.heads))
    if face is not None:
        report("its faces tell what the aligner cannot")
        save_points(folder, face)
    weights = trainer.network.state_dict()
    dataset.write_shard(folder / ALIGNER, {name: tensor.half() for name, tensor in weights.items()})


def wide_renders(yaw: float, plan: Plan) -> Renders:
    """Pictures of random objects up to `yaw` with space around them, as `dataset.wide_shard` makes them of heads."""
    return Renders(
        "wide", _SEED, plan.heads, dataset.VIEWS_PER_HEAD, plan.resolution, yaw, dataset.MAX_PITCH, plan.truncation,
        dataset.WIDE_FACTOR,
    )  # fmt: skip
