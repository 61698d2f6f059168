"""An encoder like e4e (Tov et al. 2021), to compare others with: one code for all vectors and what each adds to it, which is kept
small, begins late, and makes codes that a discriminator cannot tell from the generator's own.

Pictures, steps and the losses of renders are those of PREIM3D's recipe without the ingredients that are its own. Weights are e4e's,
as is the schedule in shares of the steps; rates of learning have the same ratio. Its pool of earlier codes is left out.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.pyramid import Encoder, build_encoder
from inv3d.core.inversion.loop import total
from inv3d.core.training import encoders
from inv3d.core.training.adversary import Adversary
from inv3d.core.training.loop import Losses
from inv3d.core.training.outside import OUTSIDE
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.preim3d import EncoderRecipe, EncoderTrainer

DELTA, ADVERSARIAL, PENALTY = 2e-4, 0.1, 10.0
"""Weights of what the vectors add, of the discriminator's opinion, and of R1."""
JUDGE_RATE = 0.2
"""Of the discriminator, in rates of the encoder."""
FIRST, EVERY = 0.1, 0.01
"""Shares of the steps: before the second vector adds anything, and from one vector to the next."""
_WIDTH, _LAYERS, _SLOPE = 256, 3, 0.2


def code_discriminator(w_dim: int) -> nn.Sequential:
    """Vectors [...,w_dim] to logits [...,1]: positive for the generator's own."""
    layers = [(nn.Linear(a, b), nn.LeakyReLU(_SLOPE)) for a, b in pairwise([w_dim, *[_WIDTH] * _LAYERS])]
    return nn.Sequential(*(part for layer in layers for part in layer), nn.Linear(_WIDTH, 1))


class E4eTrainer(EncoderTrainer):
    """Trains an encoder of `offsets`."""

    name = "e4e"

    def __init__(
        self, bundle: Bundle, encoder: Encoder, recipe: EncoderRecipe, inside: Pictures, outside: Pictures, device: torch.device
    ) -> None:
        super().__init__(bundle, encoder, recipe, inside, outside, device)
        judge = code_discriminator(encoder.config.w_dim)
        self.adversary = Adversary(judge, device, JUDGE_RATE * recipe.lr, PENALTY)
        self.parts |= {"judge": judge, "judge_optimizer": self.adversary.optimizer}
        self._judged: tuple[Tensor, Tensor] | None = None

    @property
    def adding(self) -> int:
        """How many vectors after the first add something by now."""
        return max(0, math.floor((self.step - FIRST * self.steps) / (EVERY * self.steps)) + 1)

    def _seen_again(
        self, codes: Tensor, images: Tensor, yaw: Tensor, pitch: Tensor, step: int, random: torch.Generator
    ) -> Losses:
        """The losses of the renders; beside them, those of the codes themselves."""
        first, added = codes[:, :1], codes[:, 1:] - codes[:, :1]
        added = added * (torch.arange(added.shape[1], device=added.device) < self.adding)[:, None]
        codes = torch.cat([first, first + added], 1)
        seen = super()._seen_again(codes, images, yaw, pitch, step, random)
        z = torch.randn(len(codes), self.bundle.generator.z_dim, generator=random)
        self._judged = codes, self.recipe.samples.codes(self.bundle, z)
        own = {
            "added": DELTA * added.norm(dim=-1).sum(1).mean(),
            "adversarial": ADVERSARIAL * self.adversary.encoder_loss(codes),
        }
        return total([seen, own])

    def after_step(self) -> None:
        super().after_step()
        assert self._judged is not None
        self.adversary.learn(*self._judged, self.step)


def e4e_trainer(bundle: Bundle, recipe: EncoderRecipe, folder: Path, device: torch.device) -> E4eTrainer:
    """A trainer on the shards in `folder`, with a `recipe` that does not alternate."""
    inside, outside = (Pictures.read(folder, kind, own) for kind, own in ((recipe.samples.kind, True), (OUTSIDE, False)))
    torch.manual_seed(recipe.seed)
    encoder = build_encoder(replace(encoders.config_for(bundle), kind="offsets"))
    return E4eTrainer(bundle, encoder, recipe, inside, outside, device)
