"""The world of a model's own judge: what it has seen, measured on the model's own renders.

A network cannot judge what is unlike all it has seen: what it says of that means nothing. Whether pictures lie outside of
its world is told by its own features: how improbable they are under Gaussians fitted to the features of the
model's renders. Each Gaussian has a few directions of its own and one variance for all others (probabilistic PCA,
Tipping and Bishop 1999).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera
from inv3d.core.files import write_whole
from inv3d.core.generator import Generator
from inv3d.core.networks.identity import INPUT_SIZE, IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork, typical_distance
from inv3d.core.weights import Refuse, Shape, read_metadata, read_tensors

OUTSIDE = 1.05
"""Strangeness above which pictures count as unknown to the judge. Drawn people and photographs of people reach 1.0 in single
pictures, objects and patterns 0.9 to 3 (`benchmarks/photographs.py`)."""
_STAGES = (1, 2, 3, 4)
"""Of the judge's trunk; the first knows edges only."""
_DIRECTIONS = 40
_RENDERS = 160
_YAW, _PITCH = 1.2, 0.3
"""Largest angles (radians) of the renders."""
_BORDER = 0.95
"""The quantile of renders that lie inside."""
_LEAST = 0.02
"""The least variance of standardised features."""
_WEIGHTS = "weights"


@dataclass(frozen=True)
class Gaussian:
    """Features of one stage: their `mean` and `deviation` [D], the main `directions` [D,K] of the standardised features
    with their `variances` [K], and the variance of the `rest`."""

    mean: Tensor
    deviation: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor

    @staticmethod
    def fitted(features: Tensor) -> Gaussian:
        """To features [B,D]."""
        mean, deviation = features.mean(0), features.std(0) + 1e-3
        values, vectors = torch.linalg.eigh(torch.cov(((features - mean) / deviation).T))
        rest, main = values[:-_DIRECTIONS], values[-_DIRECTIONS:]
        return Gaussian(
            mean, deviation, vectors[:, -_DIRECTIONS:], main.clamp(min=_LEAST), rest.mean().clamp(min=_LEAST)
        )

    def distance(self, features: Tensor) -> Tensor:
        """Mahalanobis distance [B] of features [B,D] per square root of their number."""
        standard = (features - self.mean) / self.deviation
        main = standard @ self.directions
        others = (standard.square().sum(1) - main.square().sum(1)).clamp(min=0.0)
        return (((main.square() / self.variances).sum(1) + others / self.rest) / len(self.mean)).sqrt()


@dataclass(frozen=True)
class Measured:
    """What is measured on a model's renders: a Gaussian for each stage, the distance at the `border` of the world, and the
    `typical` distance between pictures for the perceptual network (see `typical_distance`)."""

    stages: tuple[Gaussian, ...]
    border: float
    typical: float

    def strangeness(self, features: Sequence[Tensor]) -> Tensor:
        """The geometric mean [B] of the distances of each stage's features [B,D]: 1 at the border, more outside."""
        distances = [stage.distance(each) for stage, each in zip(self.stages, features, strict=True)]
        return torch.stack(distances).log().mean(0).exp() / self.border

    def save(self, path: Path, weights: str) -> None:
        """Write a safetensors file; `weights` identifies the weights that were measured."""
        tensors = {"border": torch.tensor(self.border), "typical": torch.tensor(self.typical)}
        for i, stage in enumerate(self.stages):
            tensors |= {f"{name}{i}": value.half().contiguous() for name, value in vars(stage).items()}
        with write_whole(path, replace=True) as part:
            part.write_bytes(save(tensors, metadata={_WEIGHTS: weights}))

    @staticmethod
    def load(path: Path, weights: str, judge: IdentityNetwork, refuse: Refuse) -> Measured | None:
        """What `save` wrote; None if the file is missing, or was measured with other `weights`."""
        if not path.exists() or read_metadata(path, refuse).get(_WEIGHTS) != weights:
            return None
        shapes: dict[str, Shape] = {"border": (), "typical": ()}
        for i, stage in enumerate(_STAGES):
            size, few = 2 * judge.trunk.width(stage), _DIRECTIONS
            shapes |= {f"mean{i}": (size,), f"deviation{i}": (size,), f"directions{i}": (size, few)}
            shapes |= {f"variances{i}": (few,), f"rest{i}": ()}
        found = read_tensors(path, shapes, refuse)
        names = ("mean", "deviation", "directions", "variances", "rest")
        stages = tuple(Gaussian(*(found[f"{name}{i}"] for name in names)) for i in range(len(_STAGES)))
        return Measured(stages, float(found["border"]), float(found["typical"]))


@dataclass(frozen=True)
class World:
    """The world of a `judge`; `measure` is called when what is measured on it is first needed."""

    judge: IdentityNetwork
    measure: Callable[[], Measured]

    @functools.cached_property
    def measured(self) -> Measured:
        return self.measure()

    def strangeness(self, images: Tensor) -> float:
        """How far images [B,3,R,R] of one head lie from the model's renders: 1 at the border of the world, more outside."""
        return float(self.measured.strangeness(_features(self.judge, images)).median())


@torch.no_grad()
def _features(judge: IdentityNetwork, images: Tensor) -> list[Tensor]:
    """Means and deviations [B,D] over all places of every channel, stage by stage, of images [B,3,R,R]; on the CPU."""
    device = next(judge.parameters()).device
    small = F.interpolate(images.to(device), (INPUT_SIZE,) * 2, mode="bilinear", antialias=True, align_corners=False)
    seen = judge.trunk.features(small)
    return [torch.cat([seen[i].mean((2, 3)), seen[i].std((2, 3))], 1).float().cpu() for i in _STAGES]


@torch.no_grad()
def measure_world(
    generator: Generator,
    camera: Callable[[Tensor, Tensor], Camera],
    judge: IdentityNetwork,
    perceptual: PerceptualNetwork,
) -> Measured:
    """Measure on random renders of a generator. Takes about half a minute on a CPU."""
    images = _renders(generator, camera)
    # four fifths fit the Gaussians; the others, which those have not seen, set the border
    fitted, others = (torch.cat([part, part.flip(3)]) for part in images.split(4 * len(images) // 5))
    stages = tuple(Gaussian.fitted(features) for features in _features(judge, fitted))
    typical = typical_distance(perceptual.distance, others[::2].to(generator.device))
    border = Measured(stages, 1.0, typical).strangeness(_features(judge, others)).quantile(_BORDER)
    return Measured(stages, float(border), typical)


def _renders(generator: Generator, camera: Callable[[Tensor, Tensor], Camera]) -> Tensor:
    """Random heads from random sides [N,3,R,R], on the CPU."""
    random = torch.Generator().manual_seed(0)
    z = torch.randn(_RENDERS, generator.z_dim, generator=random).to(generator.device)
    yaw, pitch = ((torch.rand(_RENDERS, generator=random) * 2 - 1) * limit for limit in (_YAW, _PITCH))
    front = camera(torch.zeros(1), torch.zeros(1)).vector().to(generator.device)
    codes = generator.mapping(z, front.expand(_RENDERS, -1))
    cameras = camera(yaw, pitch).to(generator.device)
    size = min(INPUT_SIZE, generator.raw_resolution)
    renders = (generator(codes[[i]], cameras[i], size, superresolution=False) for i in range(_RENDERS))
    return torch.cat([render.image.clamp(-1, 1).cpu() for render in renders])
