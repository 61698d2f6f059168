"""The whole recipe of the embedded model: data, four networks, one bundle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from inv3d.core.bundle import Bundle, ModelInfo
from inv3d.core.camera import FFHQ_FOCAL, FFHQ_RADIUS
from inv3d.core.networks.aligner import Aligner
from inv3d.core.networks.identity import IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork
from inv3d.core.training import dataset
from inv3d.core.training.generator import Recipe, Trainer
from inv3d.core.training.networks import AlignerTrainer, IdentityTrainer, NetworkTrainer, PerceptualTrainer

POINT_SHARDS, IMAGE_SHARDS, WIDE_SHARDS = 130, 36, 22
ALIGNER_STEPS, IDENTITY_STEPS, PERCEPTUAL_STEPS = 4000, 2000, 2200
DESCRIPTION = "stylised heads, trained by this project on procedural heads; no data of real people"


def scaled(recipe: Recipe, factor: float) -> Recipe:
    """The recipe with `factor` times the steps."""
    steps = ("point_steps", "ray_steps", "mapping_steps")
    return replace(recipe, **{name: max(2, round(getattr(recipe, name) * factor)) for name in steps})


def train_all(folder: Path, scale: float, device: torch.device, compiled: bool, report: Callable[[str], None]) -> Path:
    """Run every part that is not finished in `folder`; returns the folder of the finished bundle."""

    def share(count: int) -> int:
        return max(1, math.ceil(count * scale))

    data = folder / "data"
    dataset.generate(data, share(POINT_SHARDS), share(IMAGE_SHARDS), share(WIDE_SHARDS), compiled, report)
    trainer = Trainer(scaled(Recipe(), scale), data, device)
    checkpoint = folder / "generator.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    for _ in trainer.run(checkpoint, report):
        pass
    plans: tuple[tuple[str, type[NetworkTrainer], int], ...] = (
        ("aligner", AlignerTrainer, ALIGNER_STEPS),
        ("identity", IdentityTrainer, IDENTITY_STEPS),
        ("perceptual", PerceptualTrainer, PERCEPTUAL_STEPS),
    )
    for name, make, steps in plans:
        helper = make(data, share(steps), device)  # type: ignore[call-arg, arg-type]
        for _ in helper.run(folder / f"{name}.pt", report):
            pass
    return assemble(folder, folder / "demo")


def assemble(folder: Path, out: Path) -> Path:
    """Build the bundle from the checkpoints of the four parts in `folder`."""
    trainer = Trainer(Recipe(), folder / "data", torch.device("cpu"))
    trainer.load(folder / "generator.pt")
    generator = trainer.result()
    outputs = len(trainer.embedding.mean) + 2
    networks: dict[str, nn.Module] = {
        "aligner": Aligner(),
        "identity": IdentityNetwork(),
        "perceptual": PerceptualNetwork(outputs),
    }
    for name, network in networks.items():
        network.load_state_dict(torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)["network"])
    info = ModelInfo(
        name="demo",
        description=DESCRIPTION,
        license="Apache-2.0",
        radius=FFHQ_RADIUS,
        focal=FFHQ_FOCAL,
        known_yaw=math.degrees(dataset.MAX_YAW),
        generator=generator.config,
        perceptual_outputs=outputs,
    )
    Bundle(info, generator, **networks, fingerprint="").save(out)  # type: ignore[arg-type]
    return out
