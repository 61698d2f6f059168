"""Training of a style: changes of the embedded model's weights that make stylised heads of its people (the toonification of
E3DGE, Lan et al. 2025, section 7.5, after Pinkney and Adler 2020).

Codes keep their meaning, because pairs teach them: who a code stands for is drawn as a stylised head with the same face,
hair, wear, expression and light (`stylised`). Mapping network and parameter embedding stay as they are. The stages are the
generator's first three (see `generator`). In some steps of points a part of the changes is to make a head half-way between
both, whose distances and colours lie between theirs, so that a style can be used at any strength.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from inv3d.core.bundle import Perceptual, load_bundle
from inv3d.core.editing.styles import save_style, style_file
from inv3d.core.library import model_folder
from inv3d.core.resampling import resize
from inv3d.core.training import dataset
from inv3d.core.training.generator import PatchBatch, PointBatch, RayBatch, Recipe, Trainer
from inv3d.core.training.loop import Losses
from inv3d.core.training.recipe import Report, scaled
from inv3d.core.training.stylised import STYLISED

STYLE_RECIPE = Recipe(
    point_steps=1000, ray_steps=450, patch_steps=160, mapping_steps=0, point_lr=0.002, ray_lr=0.001, patch_lr=0.0004,
    point_heads=4, ray_heads=3, checkpoint_every=100,
)  # fmt: skip
"""For one CPU core in about half an hour."""
STYLE_PLAN = dataset.DataPlan(points=5, rays=2, images=0, wide=0, twins=0, patches=2)
_MODEL, TOON, _ABOUT = "demo", "toon", "a stylised head of the same person"
COARSE = 256
"""Texels per side of the change of the canonical planes, which are finer."""
_HALFWAY = 0.25
"""Share of the steps of points that learn what lies between."""


class Strength:
    """How much of the changes counts."""

    value = 1.0


class Changed(nn.Module):
    """A weight as the one it was and a change of it; that of planes may be coarser than they are."""

    base: Tensor

    def __init__(self, base: Tensor, strength: Strength, coarse: int | None = None) -> None:
        super().__init__()
        self.register_buffer("base", base)
        self.strength, self.coarse = strength, coarse

    def right_inverse(self, weight: Tensor) -> Tensor:
        shape = (*weight.shape[:-2], self.coarse, self.coarse) if self.coarse else weight.shape
        return torch.zeros(shape, device=weight.device)

    def forward(self, change: Tensor) -> Tensor:
        if self.coarse:
            change = resize(change, (self.base.shape[-2], self.base.shape[-1]))
        return self.base + self.strength.value * change


class StyleTrainer(Trainer):
    """Learns how the weights of the model in the folder `start` change."""

    name = "style"

    def __init__(
        self, recipe: Recipe, data: Path, device: torch.device, perceptual: Perceptual | None, start: Path
    ) -> None:
        super().__init__(recipe, data, device, perceptual)
        self.start_from(start)
        self.strength = Strength()
        for model in (self.model, self.average):
            self._parametrise(model["generator"])
        for part in (self.generator.backbone.mapping, self.embedding):
            part.requires_grad_(False)
        learning = [weight for weight in self.generator.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(learning, lr=0.0, betas=(0.9, 0.99), fused=True)

    def _parametrise(self, generator: nn.Module) -> None:
        for path, module in list(generator.named_modules()):
            if path.startswith("backbone.mapping"):
                continue
            for name, weight in list(module.named_parameters(recurse=False)):
                coarse = COARSE if path == "canonical" and weight.shape[-1] > COARSE else None
                changed = Changed(weight.detach().clone(), self.strength, coarse)
                parametrize.register_parametrization(module, name, changed, unsafe=True)

    @contextmanager
    def _styled(self, strength: float) -> Iterator[None]:
        self.strength.value = strength
        try:
            with parametrize.cached():
                yield
        finally:
            self.strength.value = 1.0

    def rates(self) -> list[float]:
        return super().rates()[:1]

    def point_losses(self, batch: PointBatch, generator: torch.Generator) -> Losses:
        strength = 1.0
        if float(torch.rand((), generator=generator)) < _HALFWAY:
            strength = float(torch.rand((), generator=generator))
            batch = self._halfway(batch, strength, generator)
        with self._styled(strength):
            return super().point_losses(batch, generator)

    @torch.no_grad()
    def _halfway(self, batch: PointBatch, strength: float, generator: torch.Generator) -> PointBatch:
        """The batch of heads between those of the unchanged model and the stylised ones."""
        same = torch.Generator()
        same.set_state(generator.get_state())  # mixes the same heads
        count = batch.points.shape[1]
        with self._styled(0.0):
            scene = self._scene(self._codes(batch.parameters, same))
            field = self.generator.surface(scene, torch.cat([batch.points, batch.queries], 1))
        levels, colours = field.level[:, count:].clamp(-2.0, 2.0), field.colors[:, :count]
        return replace(
            batch, targets=torch.lerp(levels, batch.targets, strength), colours=torch.lerp(colours, batch.colours, strength)
        )

    def ray_losses(self, batch: RayBatch, generator: torch.Generator) -> Losses:
        with self._styled(1.0):
            return super().ray_losses(batch, generator)

    def patch_losses(self, batch: PatchBatch, generator: torch.Generator) -> Losses:
        with self._styled(1.0):
            return super().patch_losses(batch, generator)

    def changes(self) -> dict[str, Tensor]:
        """The averaged changes by the names of the weights; that of the canonical planes is coarse."""
        mark = ".parametrizations."
        found = {}
        for name, weight in self.average["generator"].named_parameters():
            if name.endswith(".original"):
                path = name.removesuffix(".original").replace(mark, ".").removeprefix(mark[1:])
                found[path] = weight.detach()
        return found


def train_style(folder: Path, scale: float, device: torch.device, report: Report) -> Path:
    """Draw the people of the embedded model as stylised heads in `folder`/toons, learn from them how its weights change, and
    write the style; returns its file. Raises UsageError without the extra `train`."""
    bundle, data = load_bundle(_MODEL, device), folder / "toons"
    dataset.generate(data, STYLE_PLAN.scaled(scale), False, report, STYLISED)
    trainer = StyleTrainer(scaled(STYLE_RECIPE, scale), data, device, bundle.perceptual, model_folder(_MODEL))
    for _ in trainer.run(folder / "style.pt", report):
        pass
    path = style_file(folder, TOON)
    save_style(path, _ABOUT, trainer.changes(), bundle.fingerprint)
    return path
