"""The discriminator that is trained along with an encoder: patches should look like those of pictures (E3DGE, Eq. 19-21)."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from inv3d.core.training.loop import average_gradients

_REGULARISED_EVERY = 16


class PatchDiscriminator(nn.Module):
    """Patches [B,3,S,S] in [-1,1] to maps of logits: positive for pictures, negative for renders."""

    def __init__(self, widths: tuple[int, ...] = (24, 48, 64)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
            channels = width
        self.net = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, patches: Tensor) -> Tensor:
        logits: Tensor = self.net(patches)
        return logits


class Adversary:
    """A discriminator `network` and its own optimizer. `penalty` weighs R1, lazily computed as in StyleGAN2."""

    def __init__(self, network: nn.Module, device: torch.device, lr: float, penalty: float) -> None:
        self.network = network.to(device)
        self.penalty = penalty
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr, betas=(0.0, 0.99))

    def encoder_loss(self, rendered: Tensor) -> Tensor:
        """The non-saturating loss of renders (Eq. 19)."""
        return F.softplus(-self.network(rendered)).mean()

    def own_loss(self, rendered: Tensor, real: Tensor, step: int) -> Tensor:
        """The discriminator's loss (Eq. 20), with R1 (Eq. 21) in every 16th step."""
        real = real.detach().requires_grad_(step % _REGULARISED_EVERY == 0)
        scores = self.network(real)
        loss = F.softplus(self.network(rendered.detach())).mean() + F.softplus(-scores).mean()
        if real.requires_grad:
            (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
            loss = loss + 0.5 * self.penalty * _REGULARISED_EVERY * slope.square().flatten(1).sum(1).mean()
        return loss

    def learn(self, rendered: Tensor, real: Tensor, step: int) -> None:
        """One step of the discriminator."""
        self.optimizer.zero_grad(set_to_none=True)
        self.own_loss(rendered, real, step).backward()
        if distributed.is_initialized():
            average_gradients(list(self.network.parameters()))
        self.optimizer.step()
