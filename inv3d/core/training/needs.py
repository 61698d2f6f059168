"""How much memory a step of an encoder's training takes, before it is begun.

What a step keeps for its gradients is counted on tensors without content, PyTorch's `meta`: a full-size step takes seconds
there, and no memory. What it takes beyond that follows from measurements (`benchmarks/encoder_memory.py`).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inv3d.core.bundle import Bundle
from inv3d.core.device import computes_in_bfloat16, multiplies_in_bfloat16
from inv3d.core.generator import Detail, Generator, TriplaneGenerator
from inv3d.core.generator.field import TriPlanes
from inv3d.core.generator.volume import rays_at_once
from inv3d.core.inversion.settings import FitSettings

CHUNK = 1 << 16
"""Rays that recipes render at a time, if the device takes as many."""
_WEIGHT = 20
"""Bytes of a weight that is trained: its value, gradient, two averages of the optimizer, and its own moving average."""
_HALF = 0.57
"""What a network keeps in bfloat16, of what it keeps in float32: its norms stay as they are. Weights are kept beside it."""
_MARCHED = 0.8
"""What a sample keeps on the way from its own colour to that of its ray, of what it keeps before without local detail."""
_PASSING = 1.5
"""What is there at most while gradients pass, of what was kept for them."""
_POINTS = (1000, 5000)


@dataclass(frozen=True)
class Step:
    """What a step computes with gradients: the network that `make` gives reads pictures by `read`, which may give local
    detail; of so many `scenes`, with codes of so many `vectors`, `rays` are rendered together, and as many pictures of `size`
    pixels a side are looked at by the networks of the losses. At most `chunk` rays are rendered at a time; with `halves` the
    network computes in bfloat16 where that is fast. `held` are the bytes of the pictures that it draws from, in the host's
    memory."""

    make: Callable[[], nn.Module]
    read: Callable[[Any], object]
    scenes: int
    vectors: int
    rays: int
    size: int
    held: int
    chunk: int = CHUNK
    halves: bool = False


def compared_rays(fit: FitSettings, generator: Generator, scenes: int, few: int) -> int:
    """Rays that a step renders of so many `scenes` to compare them with pictures: whole ones, or random pixels and the first
    `few` pictures whole but small."""
    if fit.rays_per_view is None:
        return scenes * generator.raw_resolution**2
    return min(few, scenes) * (fit.whole_resolution or 0) ** 2 + scenes * fit.rays_per_view


def step_bytes(step: Step, bundle: Bundle, device: torch.device) -> float:
    """Bytes that a step takes on a `device` at most, beside what is there before it."""
    config = bundle.info.generator
    with torch.device("meta"):
        network = step.make().train()
        generator = TriplaneGenerator(config).requires_grad_(False)
        learning = sum(weight.numel() for weight in network.parameters())
        halves = step.halves and multiplies_in_bfloat16(device)
        found: list[object] = []
        kept = kept_bytes(lambda: found.append(step.read(network)), network) * (_HALF if halves else 1.0)
        kept += 2.0 * learning * halves
        codes = torch.zeros(step.scenes, step.vectors, config.w_dim, requires_grad=True)
        half = _HALF if computes_in_bfloat16(device) else 1.0
        kept += half * kept_bytes(lambda: generator.planes(codes))
        samples = config.rendering.fine_samples + (0 if config.rendering.proposal_grid else config.rendering.coarse_samples)
        rays = min(step.rays, rays_at_once(device, step.chunk, samples))
        seen = _sample_bytes(generator, generator.planes(codes, found[0] if isinstance(found[0], Detail) else None), network)
        kept += rays * samples * (seen + _MARCHED * _sample_bytes(generator, generator.planes(codes), network))
        if generator.superresolution is not None:  # of one picture at a time
            upper, w = generator.superresolution, codes[:1, :1]
            raw = torch.zeros(1, config.color_channels, *(config.raw_resolution,) * 2, requires_grad=True)
            kept += (_HALF if device.type == "cuda" else 1.0) * kept_bytes(lambda: upper(raw, w))
        pictures = torch.zeros(step.scenes, 3, step.size, step.size, requires_grad=True)
        judges = [copy.deepcopy(each).to("meta") for each in (bundle.perceptual, bundle.identity) if isinstance(each, nn.Module)]
        kept += kept_bytes(lambda: [_looked(each, pictures) for each in judges])
    return _WEIGHT * learning + _PASSING * kept


def _sample_bytes(generator: TriplaneGenerator, planes: TriPlanes, network: nn.Module) -> float:
    """Bytes that a sample keeps until it has a density and a colour."""
    few, many = (
        kept_bytes(functools.partial(generator.field, planes, torch.zeros(len(planes), count, 3)), network)
        for count in _POINTS
    )
    return (many - few) / (len(planes) * (_POINTS[1] - _POINTS[0]))


def kept_bytes(work: Callable[[], object], owner: nn.Module | None = None) -> float:
    """Bytes that `work` keeps for its gradients, beside the weights of their `owner`."""
    storages: dict[int, Any] = {}  # held, so that none gets the address of another

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = work()
    for weight in () if owner is None else owner.parameters():
        storages.pop(weight.untyped_storage()._cdata, None)
    total = float(sum(storage.nbytes() for storage in storages.values()))
    del held
    return total


def _looked(judge: Any, pictures: Tensor) -> object:
    return judge.features(pictures) if hasattr(judge, "features") else judge(pictures)
