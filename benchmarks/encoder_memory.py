"""The most memory of a step of encoder training, as measured, and as `inv3d train encoder` tells it before it begins:
`python benchmarks/encoder_memory.py`.

Steps in which all losses of a recipe are on, on models of several sizes with random weights and random pictures, each in a
process of its own, beside what is there once the model is loaded. `e3dge-local` is the second part of `e3dge`. Models are the
embedded one, or like the public ones with a part of their pixels a side. Continues where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import torch
from problems import bundle_with
from results import in_own_process, kept, publish, table
from torch import Tensor

from inv3d.budget import require_training
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.encoders.pyramid import build_encoder
from inv3d.core.encoders.wtri import Wtri
from inv3d.core.generator.config import eg3d_ffhq
from inv3d.core.training import e3dge_recipe, encoders, wtri
from inv3d.core.training.averaged import AveragedTraining
from inv3d.core.training.e3dge import GlobalTrainer
from inv3d.core.training.e3dge_local import LocalTrainer
from inv3d.core.training.job import EncoderJob
from inv3d.core.training.needs import step_bytes
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.preim3d import EncoderTrainer
from inv3d.core.training.residuals import Residuals
from inv3d.core.training.wtri import WtriTrainer
from inv3d.memory import peak_memory_mb

CPU = torch.device("cpu")
PARTS = {"full": 1, "half": 2, "quarter": 4, "eighth": 8}
CASES = (
    "preim3d demo", "preim3d eighth", "preim3d quarter", "preim3d half", "e3dge eighth", "e3dge-local eighth", "wtri demo",
)  # fmt: skip
_PICTURES = 24


def bundle_of(size: str) -> Bundle:
    if size == "demo":
        return load_bundle("demo")
    config, part = eg3d_ffhq(), PARTS[size]
    upper = config.superresolution
    assert upper is not None
    return bundle_with(
        dataclasses.replace(
            config, plane_resolution=config.plane_resolution // part, raw_resolution=config.raw_resolution // part,
            superresolution=dataclasses.replace(upper, input_resolution=upper.input_resolution // part),
        ), CPU,
    )  # fmt: skip


def trainer_of(recipe: str, job: EncoderJob) -> AveragedTraining[Any]:
    """A training on random pictures, before a step in which all of its losses are on."""
    bundle, random = job.bundle, torch.Generator().manual_seed(0)

    def pictures(side: int, *views: int) -> Tensor:
        return torch.randint(256, (_PICTURES, *views, 3, side, side), dtype=torch.uint8, generator=random)

    z, front = torch.randn(_PICTURES, bundle.generator.z_dim, generator=random), torch.zeros(_PICTURES)
    if recipe == "preim3d":
        schedule = encoders.recipe_for(bundle)
        known = Pictures(pictures(schedule.samples.resolution), front, front, z)
        trainer = EncoderTrainer(bundle, build_encoder(encoders.config_for(bundle)), schedule, known, known, CPU)
        trainer.step = schedule.around_start | 1
        return trainer
    if recipe == "wtri":
        passes = wtri.recipe_for(bundle, job.scale, job.without)
        known = Pictures(pictures(passes.resolution), front, front)
        return WtriTrainer(bundle, Wtri(wtri.config_for(bundle)), passes, known, CPU)
    codes = e3dge_recipe.global_recipe(bundle, job.scale, job.without)
    encoder, side = e3dge_recipe.make_encoder(bundle, codes), codes.samples.resolution
    if recipe == "e3dge":
        return GlobalTrainer(bundle, encoder, codes, Pictures(pictures(side), front, front, z), CPU)
    local = e3dge_recipe.local_recipe(bundle, job.scale, job.without)
    mean = bundle.generator.code_space.repeat(bundle.mean_code)
    pairs = Residuals(
        pictures(side, 2), pictures(side, 2), torch.full((_PICTURES, 2, 1, 64, 64), 2.7), torch.zeros(_PICTURES, 2, 2),
        mean.expand(_PICTURES, -1, -1),
    )  # fmt: skip
    return LocalTrainer(bundle, encoder.local, local, pairs, CPU)


def measure(recipe: str, size: str) -> dict[str, float]:
    job = EncoderJob(bundle=bundle_of(size), folder=Path(), device=CPU, align=lambda photos: None)
    steps = encoders.STEPS[recipe.removesuffix("-local")](job)
    step = steps[-1 if recipe.endswith("-local") else 0]
    told = require_training([(step_bytes(step, job.bundle, CPU), 0)], size, CPU)  # its pictures are not here
    before = peak_memory_mb()
    trainer = trainer_of(recipe, job)
    first = trainer.step
    for _ in range(2):  # the optimizer keeps its averages from the first step on
        trainer.step = first
        trainer.advance()
    return {"before_mb": before, "measured_mb": peak_memory_mb() - before, "told_mb": told / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("RECIPE", "SIZE"), help="Measure one case and print it as JSON.")
    parser.add_argument("--folder", type=Path, default=Path("runs/encoder-memory"), help="Where finished cases are kept.")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    results, rows = {}, []
    for case in CASES:
        path = options.folder / f"{case.replace(' ', '-')}.json"
        results[case] = found = kept(path, functools.partial(in_own_process, __file__, "--one", *case.split()))
        rows.append([*case.split(), *(each / 1024 for each in found.values()), found["told_mb"] / found["measured_mb"]])
    text = table(["recipe", "size", "GB before", "GB more, measured", "told", "told / measured"], rows)
    publish("encoder_memory", results, text)


if __name__ == "__main__":
    main()
