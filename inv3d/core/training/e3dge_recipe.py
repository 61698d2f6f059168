"""The recipe of E3DGE's encoder: the generator's own pictures, then its parts one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.e3dge import E3dge, E3dgeConfig, small_config
from inv3d.core.encoders.kinds import E3DGE
from inv3d.core.encoders.local import LocalConfig
from inv3d.core.encoders.pyramid import EncoderConfig
from inv3d.core.encoders.store import save_encoder
from inv3d.core.training import dataset
from inv3d.core.training.e3dge import SMALL_GLOBAL, GlobalRecipe, GlobalTrainer
from inv3d.core.training.job import EncoderJob, Show, finished_file, first_alone
from inv3d.core.training.pictures import Pictures


def global_recipe(bundle: Bundle, scale: float, without: frozenset[str]) -> GlobalRecipe:
    """The paper's, or a smaller one for models without super-resolution, such as the embedded one; with `scale` times the
    steps and pictures, and without some ingredients."""
    recipe = GlobalRecipe() if bundle.generator.superresolution is not None else SMALL_GLOBAL
    recipe = recipe.scaled(scale)
    return replace(recipe, geometry=None) if "geometry" in without else recipe


def config_for(bundle: Bundle) -> E3dgeConfig:
    """The encoder's configuration for a model: that of EG3D models or the small one."""
    generator = bundle.generator
    space, decoded = generator.code_space, generator.decoded_features
    if generator.superresolution is None:
        return small_config(space.num_ws, space.w_dim, decoded)
    return E3dgeConfig(EncoderConfig(num_ws=space.num_ws, w_dim=space.w_dim), LocalConfig(decoded=decoded))


def make_global_trainer(bundle: Bundle, recipe: GlobalRecipe, folder: Path, device: torch.device) -> GlobalTrainer:
    """A trainer on the shards in `folder`."""
    shards = dataset.load_images(folder, recipe.samples.kind)
    torch.manual_seed(recipe.seed)
    pictures = Pictures.of(shards, torch.inf, own=True)
    return GlobalTrainer(bundle, E3dge(config_for(bundle)), recipe, pictures, device)


def train_e3dge(job: EncoderJob, report: Callable[[str], None], show: Show) -> Path:
    """Train E3DGE's encoder; returns where it was written."""
    job.folder.mkdir(parents=True, exist_ok=True)
    recipe = global_recipe(job.bundle, job.scale, job.without)
    first_alone(lambda: recipe.samples.draw(job.bundle, job.folder, recipe.sample_shards, report))
    path = finished_file(job.bundle, E3DGE, job.folder)
    trainer = make_global_trainer(job.bundle, recipe, job.folder, job.device)
    for step in trainer.run(job.folder / f"{E3DGE}-global.pt", report):
        if trainer.rank == 0 and (step % trainer.save_every == 0 or step == recipe.steps):
            show(trainer.grid())
    first_alone(lambda: save_encoder(trainer.average, path))
    return path
