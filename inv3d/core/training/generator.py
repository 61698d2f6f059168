"""Training of the embedded generator by distillation from its source, in four stages.

1. points: fresh surface points and signed distances at every step; cheap, and where sharpness comes from; the codes'
   meaning (the parameter embedding) is settled here;
2. rays: random pixels of full-resolution pictures, for silhouettes and what volume rendering makes of the field;
3. patches: small whole patches with a perceptual loss, for what no single pixel shows: lashes, strands, sharp edges;
4. mapping: z -> w by regression against the parameter embedding, without rendering.

Style mixing: some heads of a batch take their first codes from a head of the same shape that looks different, and the
rest from one that looks the same but has another shape. So the first codes come to mean shape, the others looks.

Every stage is a fixed number of steps with its own learning-rate schedule; a checkpoint holds everything, so that a
stopped training continues, even on another machine.
"""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from inv3d.core.bundle import Perceptual
from inv3d.core.camera import Rays, look_at, pixel_centers
from inv3d.core.device import half_where_fast
from inv3d.core.files import write_whole
from inv3d.core.generator import Scene, TriplaneGenerator
from inv3d.core.training import dataset
from inv3d.core.training.demo import ParameterEmbedding, demo_config
from inv3d.core.training.loop import Losses, Training, follow
from inv3d.core.training.source import source_of

EMBEDDING_FILE = "embedding.safetensors"
TRUNCATION = 0.02
"""The generator learns signed distances divided by this, cut at +-2; world units."""


@dataclass(frozen=True)
class Recipe:
    """Steps, batch sizes and learning rates of the stages; the defaults are for two CPU cores."""

    point_steps: int = 16_000
    ray_steps: int = 20_000
    patch_steps: int = 4_000
    mapping_steps: int = 16_000
    point_heads: int = 6
    points: int = 1152
    queries: int = 576
    ray_heads: int = 4
    rays: int = 512
    patch_heads: int = 2
    ray_samples: int = 12
    guide_cells: int = 20
    mixed: float = 0.3
    """Share of heads whose codes are mixed."""
    mapping_batch: int = 512
    point_lr: float = 0.004
    ray_lr: float = 0.0012
    patch_lr: float = 0.0004
    mapping_lr: float = 0.05
    perceptual: float = 0.6
    """Weight of the perceptual loss of patches, if there is a network for it."""
    checkpoint_every: int = 500
    seed: int = 0

    @property
    def steps(self) -> int:
        return sum(length for _, length in self.stages)

    @property
    def stages(self) -> tuple[tuple[str, int], ...]:
        """Names and lengths, in order."""
        return (
            ("points", self.point_steps), ("rays", self.ray_steps), ("patches", self.patch_steps),
            ("mapping", self.mapping_steps),
        )  # fmt: skip


@dataclass(frozen=True)
class PointBatch:
    parameters: Tensor
    points: Tensor
    directions: Tensor
    colours: Tensor
    hit: Tensor
    queries: Tensor
    targets: Tensor


@dataclass(frozen=True)
class RayBatch:
    parameters: Tensor
    origins: Tensor
    directions: Tensor
    colours: Tensor
    alpha: Tensor
    depth: Tensor


@dataclass(frozen=True)
class PatchBatch:
    parameters: Tensor
    origins: Tensor
    directions: Tensor
    pictures: Tensor
    """[B,3,S,S] in [0,1]; the rays are those of its pixels, row by row."""


class Shards:
    """The shards of a kind; those that appear while training runs are picked up."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind, self.source = folder, kind, source_of(folder)
        self.loaded: dict[Path, dict[str, Tensor]] = {}
        self.refresh()

    def refresh(self) -> None:
        for path in dataset.shards(self.folder, self.kind):
            if path not in self.loaded:
                self.loaded[path] = load_file(path)

    def draw(self, heads: int, generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """A random shard, `heads` of its rows [heads,1], and their parameters. Raises FileNotFoundError."""
        if not self.loaded:
            raise FileNotFoundError(f"no {self.kind} shards in {self.folder}")
        shards = list(self.loaded.values())
        shard = shards[int(torch.randint(len(shards), (), generator=generator))]
        rows = torch.randperm(len(shard["z"]), generator=generator)[:heads]
        return shard, rows[:, None], self.source.parameters(shard["z"][rows], shard["expression"][rows])


def point_batch(
    shards: Shards, recipe: Recipe, heads: int, generator: torch.Generator, device: torch.device
) -> PointBatch:
    shard, rows, parameters = shards.draw(heads, generator)
    j = torch.randperm(shard["points"].shape[1], generator=generator)[: recipe.points]
    q = torch.randperm(shard["queries"].shape[1], generator=generator)[: recipe.queries]

    def pick(name: str, columns: Tensor) -> Tensor:
        return shard[name][rows, columns].float().to(device)

    targets = (pick("distances", q) / -TRUNCATION).clamp(-2.0, 2.0)
    return PointBatch(
        parameters.to(device), pick("points", j), pick("directions", j) / 127.0, pick("colours", j) / 255.0,
        pick("hit", j), pick("queries", q), targets,
    )  # fmt: skip


def ray_batch(shards: Shards, recipe: Recipe, generator: torch.Generator, device: torch.device) -> RayBatch:
    shard, rows, parameters = shards.draw(recipe.ray_heads, generator)
    j = torch.randperm(shard["pixels"].shape[1], generator=generator)[: recipe.rays]
    camera = look_at(shard["yaw"][rows[:, 0]], shard["pitch"][rows[:, 0]])
    origins, directions = camera.rays_through(pixel_centers(shard["pixels"][rows, j], dataset.RAY_RESOLUTION))
    return RayBatch(
        parameters.to(device), origins.to(device), directions.to(device),
        (shard["colours"][rows, j].float() / 255.0).to(device), (shard["alpha"][rows, j].float() / 255.0).to(device),
        shard["depth"][rows, j].to(device),
    )  # fmt: skip


def patch_batch(shards: Shards, recipe: Recipe, generator: torch.Generator, device: torch.device) -> PatchBatch:
    """One random patch of each of some heads."""
    shard, rows, parameters = shards.draw(recipe.patch_heads, generator)
    chosen = torch.randint(shard["patches"].shape[1], rows.shape, generator=generator)
    pictures, corners = shard["patches"][rows, chosen][:, 0], shard["corners"][rows, chosen][:, 0]
    side, size = pictures.shape[-1], dataset.RAY_RESOLUTION
    v, u = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    cells = corners[:, None] + torch.stack([u, v], -1).reshape(1, -1, 2)
    camera = look_at(shard["yaw"][rows[:, 0]], shard["pitch"][rows[:, 0]])
    origins, directions = camera.rays_through((cells + 0.5) / size)
    return PatchBatch(
        parameters.to(device), origins.to(device), directions.to(device), pictures.float().to(device) / 255.0
    )


class Trainer(Training):
    """Generator, its moving average, and the parameter embedding. `perceptual` compares patches; without it their pixels
    alone are compared."""

    name, clip = "generator", 5.0

    def __init__(self, recipe: Recipe, data: Path, device: torch.device, perceptual: Perceptual | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.perceptual = perceptual
        self.recipe, self.data, self.device, self.source = recipe, data, device, source_of(data)
        self.steps, self.seed, self.save_every = recipe.steps, recipe.seed, recipe.checkpoint_every
        self.generator = TriplaneGenerator(demo_config(self.source)).to(device)
        self.embedding = ParameterEmbedding(self.generator.config.w_dim, self.source).to(device)
        self.model = nn.ModuleDict({"generator": self.generator, "embedding": self.embedding})
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.parts = {"model": self.model, "average": self.average}
        self.optimizer = self._optimizer()

    @functools.cached_property
    def shards(self) -> dict[str, Shards]:
        """The data, which the last stage no longer needs."""
        return {kind: Shards(self.data, kind) for kind in ("points", "rays", "patches")}

    def _stage(self) -> tuple[str, int, int]:
        """Name of the stage, and the step within it, and its length."""
        step = self.step
        for name, length in self.recipe.stages[:-1]:
            if step < length:
                return name, step, length
            step -= length
        return "mapping", step, self.recipe.mapping_steps

    def _optimizer(self) -> torch.optim.Adam:
        mapping = list(self.generator.backbone.mapping.parameters())
        known = {id(p) for p in mapping}
        rest = [p for p in self.generator.parameters() if id(p) not in known]
        groups = [{"params": parameters} for parameters in (rest, mapping, list(self.embedding.parameters()))]
        return torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.99), fused=True)

    def save_embedding(self, bundle: Path) -> None:
        """Add the averaged parameter embedding to a bundle, so that training can continue from it."""
        state = {name: tensor.half().contiguous() for name, tensor in self.average["embedding"].state_dict().items()}
        with write_whole(bundle / EMBEDDING_FILE, replace=True) as part:
            part.write_bytes(save(state))

    def start_from(self, bundle: Path) -> None:
        """Take generator and embedding of a finished bundle of the same architecture as start values.

        Raises FileNotFoundError if the bundle has no embedding, RuntimeError if the shapes differ.
        """
        for name, file in (("generator", "generator.safetensors"), ("embedding", EMBEDDING_FILE)):
            state = {key: tensor.float() for key, tensor in load_file(bundle / file).items()}
            for model in (self.model, self.average):
                model[name].load_state_dict(state)

    def _codes(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        """Codes [B,num_ws,w_dim] of heads [B,K], some of them mixed from two heads (see the module's text)."""
        mixed = (torch.rand(len(parameters), 1, generator=generator) < self.recipe.mixed).to(self.device)
        others = parameters.roll(1, 0)
        shape = self.embedding(torch.where(mixed, self.source.exchange_looks(parameters, others), parameters))
        looks = self.embedding(torch.where(mixed, self.source.exchange_looks(others, parameters), parameters))
        space = self.generator.code_space
        return space.mix(space.repeat(shape), space.repeat(looks), "looks")

    def _scene(self, codes: Tensor) -> Scene:
        with half_where_fast(self.device):
            return self.generator.scene(codes, guide_cells=self.recipe.guide_cells)

    def point_losses(self, batch: PointBatch, generator: torch.Generator) -> Losses:
        """Signed distance (more weight near the surface), colour around the surface, colours of the background."""
        scene = self._scene(self._codes(batch.parameters, generator))
        count = batch.points.shape[1]
        jitter = (torch.rand(*batch.points.shape[:2], 1, generator=generator).to(self.device) * 2.0 - 1.0) * 0.004
        field = self.generator.surface(scene, torch.cat([batch.points + batch.directions * jitter, batch.queries], 1))
        predicted = field.level[:, count:]
        inside = (batch.queries.abs().amax(-1) < 0.37).float()
        weight = inside * (1.0 + 2.0 * (batch.targets.abs() < 0.5))
        distance = ((predicted.clamp(-2.5, 2.5) - batch.targets).abs() * weight).sum() / weight.sum()
        distance = distance + 0.1 * torch.relu(predicted.abs() - 2.5).mean()
        error = (field.colors[:, :count] - batch.colours) * batch.hit[..., None]
        colour = (error.abs().sum() + 2.0 * error.square().sum()) / (3.0 * batch.hit.sum())
        height = torch.linspace(-1.1, 1.1, 12, device=self.device).expand(len(batch.parameters), -1)
        background = (
            (self.generator.backdrop(scene, height) - self.source.backdrop(height, batch.parameters)).abs().mean()
        )
        return {"distance": distance, "colour": 4.0 * colour, "background": background}

    def ray_losses(self, batch: RayBatch, generator: torch.Generator) -> Losses:
        """Colours, coverage and depth of random pixels, most of them on the head."""
        scene = self._scene(self._codes(batch.parameters, generator))
        through = Rays(batch.origins, batch.directions)
        rays = self.generator.render_rays(scene, through, generator, 1 << 20, self.recipe.ray_samples)
        error = (rays.features + 1.0) / 2.0 - batch.colours
        covered = batch.depth > 0.0
        depth = (rays.depth - batch.depth).abs().clamp(max=0.05)[covered].mean()
        return {
            "ray": 4.0 * (error.abs().mean() + 5.0 * error.square().mean()),
            "alpha": 0.3 * (rays.alpha - batch.alpha).abs().mean(),
            "depth": 3.0 * depth,
        }

    def patch_losses(self, batch: PatchBatch, generator: torch.Generator) -> Losses:
        """Pixels and, with a network for it, perceptual distance of whole patches."""
        scene = self._scene(self._codes(batch.parameters, generator))
        through = Rays(batch.origins, batch.directions)
        rays = self.generator.render_rays(scene, through, generator, 1 << 20, self.recipe.ray_samples)
        image = rays.features.transpose(1, 2).reshape(batch.pictures.shape)
        target = 2.0 * batch.pictures - 1.0
        losses = {"patch": 2.0 * (image - target).abs().mean()}
        if self.perceptual is not None:
            losses["perceptual"] = self.recipe.perceptual * self.perceptual.distance(image, target).mean()
        return losses

    def mapping_losses(self, generator: torch.Generator) -> Losses:
        """Squared error of z -> w against the averaged embedding."""
        count = self.source.identity_dim
        z = torch.randn(self.recipe.mapping_batch, self.generator.config.z_dim, generator=generator).to(self.device)
        with torch.no_grad():
            target = self.average["embedding"](self.source.parameters(z[:, :count], z[:, count:]))
        codes = self.generator.mapping(z)[:, 0]
        return {"mapping": (codes - target).square().mean()}

    def rates(self) -> list[float]:
        """Of generator, mapping network and embedding: cosine decay with a warm-up within each stage."""
        recipe, (stage, step, length) = self.recipe, self._stage()
        peak, floor = {
            "points": (recipe.point_lr, 0.1 * recipe.point_lr),
            "rays": (recipe.ray_lr, 0.08 * recipe.ray_lr),
            "patches": (recipe.patch_lr, 0.1 * recipe.patch_lr),
            "mapping": (recipe.mapping_lr, 0.0),
        }[stage]
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / length))
        rate = (floor + (peak - floor) * cosine) * min(1.0, (step + 1) / 60)
        learning = ({"points", "rays", "patches"}, {"mapping"}, {"points"})
        return [rate if stage in stages else 0.0 for stages in learning]

    def losses(self, random: torch.Generator) -> Losses:
        recipe, (stage, step, _) = self.recipe, self._stage()
        if stage == "mapping":
            return self.mapping_losses(random)
        if self.step % self.report_every == 0:
            for shards in self.shards.values():
                shards.refresh()
        losses: Losses = {}
        if stage == "patches":
            losses |= self.patch_losses(patch_batch(self.shards["patches"], recipe, random, self.device), random)
        if stage == "rays" or (stage == "patches" and step % 2 == 1):
            losses |= self.ray_losses(ray_batch(self.shards["rays"], recipe, random, self.device), random)
        if stage == "points" or step % 2 == 0:
            heads = recipe.point_heads if stage == "points" else recipe.ray_heads
            losses |= self.point_losses(point_batch(self.shards["points"], recipe, heads, random, self.device), random)
        return losses

    def after_step(self) -> None:
        decay = {"points": 0.9975, "rays": 0.995, "patches": 0.995, "mapping": 0.99}[self._stage()[0]]
        follow(self.average, self.model, decay, self.step, slow=20)

    @torch.no_grad()
    def result(self) -> TriplaneGenerator:
        """The averaged generator with its mean code set."""
        generator = copy.deepcopy(self.average["generator"])
        assert isinstance(generator, TriplaneGenerator)
        z = torch.randn(10_000, generator.z_dim, generator=torch.Generator().manual_seed(123)).to(self.device)
        generator.mean_w.copy_(generator.mapping(z)[:, 0].mean(0))
        return generator
