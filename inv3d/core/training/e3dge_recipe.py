"""The recipe of E3DGE's encoder: the generator's own pictures, then its parts one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.e3dge import E3dge, E3dgeConfig, small_config
from inv3d.core.encoders.kinds import E3DGE
from inv3d.core.encoders.local import LocalBranch, LocalConfig
from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, build_encoder
from inv3d.core.encoders.store import save_encoder
from inv3d.core.generator import Detail
from inv3d.core.training import dataset
from inv3d.core.training.e3dge import SMALL_GLOBAL, GlobalRecipe, GlobalTrainer
from inv3d.core.training.e3dge_local import SMALL_LOCAL, WHOLE_RAYS, LocalRecipe, LocalTrainer
from inv3d.core.training.job import EncoderJob, Show, finished_file, first_alone
from inv3d.core.training.needs import CHUNK, Step, compared_rays
from inv3d.core.training.outside import OUTSIDE, draw_outside
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.residuals import Residuals, draw_residuals, shards_of


def global_recipe(bundle: Bundle, scale: float, without: frozenset[str]) -> GlobalRecipe:
    """The paper's, or a smaller one for models without super-resolution, such as the embedded one; with `scale` times the
    steps and pictures, and without some ingredients."""
    recipe = GlobalRecipe() if bundle.generator.superresolution is not None else SMALL_GLOBAL
    recipe = recipe.scaled(scale)
    return replace(recipe, geometry=None) if "geometry" in without else recipe


def local_recipe(bundle: Bundle, scale: float, without: frozenset[str]) -> LocalRecipe:
    """The same for the local branch (Table 3 of the paper)."""
    recipe = LocalRecipe() if bundle.generator.superresolution is not None else SMALL_LOCAL
    recipe = recipe.scaled(scale)
    return replace(
        recipe,
        aligns="alignment" not in without,
        novel_views=0.0 if "novel-views" in without else recipe.novel_views,
        adversarial=0.0 if "adversarial" in without else recipe.adversarial,
    )


def config_for(bundle: Bundle, without: frozenset[str] = frozenset()) -> E3dgeConfig:
    """The encoder's configuration for a model: that of EG3D models or the small one."""
    generator = bundle.generator
    space, decoded = generator.code_space, generator.decoded_features
    if generator.superresolution is None:
        config = small_config(space.num_ws, space.w_dim, decoded)
    else:
        codes = EncoderConfig(num_ws=space.num_ws, w_dim=space.w_dim)
        config = E3dgeConfig(codes, LocalConfig(decoded=decoded))
    local = replace(config.local, aligns=not {"local", "alignment"} & without, projects="projection" not in without)
    return replace(config, local=local)


def make_encoder(bundle: Bundle, recipe: GlobalRecipe, without: frozenset[str] = frozenset()) -> E3dge:
    """An untrained encoder, the same every time."""
    torch.manual_seed(recipe.seed)
    return E3dge(config_for(bundle, without))


def make_global_trainer(
    bundle: Bundle, encoder: E3dge, recipe: GlobalRecipe, folder: Path, device: torch.device
) -> GlobalTrainer:
    """A trainer on the shards in `folder`."""
    pictures = Pictures.of(dataset.load_images(folder, recipe.samples.kind), torch.inf, own=True)
    return GlobalTrainer(bundle, encoder, recipe, pictures, device)


def e3dge_steps(job: EncoderJob) -> list[Step]:
    """What the steps of `train_e3dge` compute."""
    bundle, generator, config = job.bundle, job.bundle.generator, config_for(job.bundle, job.without)
    codes, local = global_recipe(bundle, job.scale, job.without), local_recipe(bundle, job.scale, job.without)
    vectors, side = config.codes.num_ws, codes.samples.resolution

    def read(encoder: Encoder) -> Tensor:
        return encoder(torch.zeros(codes.batch, 3, side, side))

    def looked(branch: LocalBranch) -> Detail:
        picture = torch.zeros(local.heads, 3, side, side)
        camera = bundle.info.camera(torch.zeros(local.heads), torch.zeros(local.heads))
        residuals = [picture, branch.align(picture, picture)] if local.aligns else [picture]
        seen, *aligned = (branch.read(each, torch.zeros(local.heads, 1, side, side), camera) for each in residuals)
        return Detail(seen, branch.film, tuple(aligned))

    rays = compared_rays(codes.fit, generator, codes.rendered, 1), compared_rays(local.fit, generator, local.heads, 1)
    patches = local.heads * local.patch**2 if local.fit.rays_per_view else 0
    sizes = codes.fit.whole_resolution or generator.resolution, local.fit.whole_resolution or side
    held = codes.samples.bytes(codes.sample_shards), 2 * (local.inside + local.outside) * 2 * 3 * side**2
    steps = [
        Step(
            make=lambda: build_encoder(config.codes), read=read, scenes=codes.rendered, vectors=vectors, rays=rays[0],
            size=sizes[0], held=held[0], halves=True,
        ),
        Step(
            make=lambda: LocalBranch(config.local), read=looked, scenes=local.heads, vectors=vectors, rays=rays[1] + patches,
            size=sizes[1], held=held[1], chunk=CHUNK if local.fit.rays_per_view else WHOLE_RAYS,
        ),
    ]  # fmt: skip
    return steps[:1] if "local" in job.without else steps


def train_e3dge(job: EncoderJob, report: Callable[[str], None], show: Show) -> Path:
    """Train E3DGE's encoder; returns where it was written. The file is complete once the codes can be read; the local
    branch, which learns after that, changes nothing before it is there, too."""
    bundle, folder, device, without = job.bundle, job.folder, job.device, job.without
    folder.mkdir(parents=True, exist_ok=True)
    path = finished_file(bundle, E3DGE, folder)

    codes = global_recipe(bundle, job.scale, without)
    first_alone(lambda: codes.samples.draw(bundle, folder, codes.sample_shards, report))
    first = make_global_trainer(bundle, make_encoder(bundle, codes, without), codes, folder, device)
    first.run_showing(folder / f"{E3DGE}-global.pt", report, show)
    encoder = first.average
    del first  # and with it what the optimizer keeps
    first_alone(lambda: save_encoder(encoder, path))
    if "local" in without:
        return path
    local = local_recipe(bundle, job.scale, without)

    def draw() -> None:
        draw_outside(job, codes.samples.resolution, report)
        inside = dataset.load_images(folder, codes.samples.kind)
        draw_residuals(
            bundle, encoder, inside, shards_of(folder, OUTSIDE), (local.inside, local.outside), folder, report
        )

    first_alone(draw)
    branch = copy.deepcopy(encoder.local).requires_grad_(True)
    second = LocalTrainer(bundle, branch, local, Residuals.load(folder), device)
    second.run_showing(folder / f"{E3DGE}-local.pt", report, show)
    encoder.local = second.average
    first_alone(lambda: save_encoder(encoder, path))
    return path
