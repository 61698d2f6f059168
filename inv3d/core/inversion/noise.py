"""Noise maps of a generator as variables of an inversion (Karras et al. 2020, StyleGAN2, appendix D)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.generator import Generator

_COARSEST = 8  # pixels per side of the smallest scale at which correlations are looked for


def free_noise(generator: Generator) -> tuple[Generator, dict[str, Tensor]]:
    """A copy of a generator, and its noise maps by name, which take gradients. A generator without any is not copied."""
    if not generator.noise_maps:
        return generator, {}
    copied = copy.deepcopy(generator)
    return copied, {name: each.requires_grad_() for name, each in copied.noise_maps.items()}


@torch.no_grad()
def with_noise(generator: Generator, noise: Mapping[str, Tensor]) -> Generator:
    """A copy of a generator with other noise maps."""
    copied = copy.deepcopy(generator)
    for name, each in copied.noise_maps.items():
        each.copy_(noise[name])
    return copied


def noise_regularisation(noise: Iterable[Tensor]) -> Tensor:
    """L_n [] of maps [S,S]: the squared correlation of neighbouring values, across and down, at every scale to 8 pixels.

    It is 0 for noise, and keeps the picture's own content out of the maps.
    """
    terms = []
    for each in noise:
        scaled = each[None, None]
        while True:
            terms += [(scaled * scaled.roll(1, axis)).mean().square() for axis in (-2, -1)]
            if scaled.shape[-1] <= _COARSEST:
                break
            scaled = 2.0 * F.avg_pool2d(scaled, 2)  # the variance of noise stays
    return torch.stack(terms).sum()


@torch.no_grad()
def normalise(noise: Iterable[Tensor]) -> None:
    """Bring maps to mean 0 and variance 1, in place."""
    for each in noise:
        each.sub_(each.mean())
        each.mul_(each.square().mean().clamp(min=1e-8).rsqrt())
