"""LPIPS (Zhang et al. 2018), with the weights of the `lpips` package, and those of a backbone that the caller has read.

The package itself is not imported: with torchvision it takes seconds, and it knows no features of one picture.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.networks.perceptual import TYPICAL_LPIPS, Features
from inv3d.core.resampling import resize

TYPICAL = {"alex": TYPICAL_LPIPS, "vgg": TYPICAL_LPIPS}
"""The `typical_distance` of each network for a photograph, measured by `benchmarks/photographs.py`; that of VGG is assumed,
as its weights have not been at hand."""
_LARGEST = 256
"""Larger images are compared at this size, as the public inversion codes do."""
_MEAN, _SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of ImageNet's colours, in [-1,1]."""
_TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
"""The layers whose outputs are compared."""


def _calibration(net: str) -> list[Tensor]:
    """What each channel of a backbone counts, by the file of the `lpips` package. Raises ModuleNotFoundError."""
    found = find_spec("lpips")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'lpips'", name="lpips")
    path = Path(found.origin).parent / "weights" / "v0.1" / f"{net}.pth"
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return [weights[f"lin{i}.model.1.weight"].detach().flatten() for i in range(len(_TAPS[net]))]


def _layers(net: str) -> nn.Sequential:
    """torchvision's `features` of AlexNet (Krizhevsky 2014) or VGG-16 (Simonyan and Zisserman 2015), as far as needed."""
    if net == "alex":
        parts: list[nn.Module] = []
        for i, (before, after, size, stride, padding) in enumerate(
            ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
        ):
            parts += [nn.MaxPool2d(3, 2)] if i in (1, 2) else []
            parts += [nn.Conv2d(before, after, size, stride, padding), nn.ReLU()]
        return nn.Sequential(*parts)
    parts, before = [], 3
    for i, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        parts += [nn.MaxPool2d(2, 2)] if i else []
        for _ in range(count):
            parts += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
    return nn.Sequential(*parts)


class Lpips(nn.Module):
    """`net` is "alex" or "vgg"; `backbone` the state dict of torchvision's classifier of that name. `typical` is the scale of
    its distances. Raises KeyError, RuntimeError for other weights, ModuleNotFoundError without the package."""

    mean: Tensor
    spread: Tensor

    def __init__(self, net: str, backbone: dict[str, Tensor]) -> None:
        super().__init__()
        self.typical, self.taps = TYPICAL[net], _TAPS[net]
        self.layers = _layers(net)
        self.layers.load_state_dict({name: backbone[f"features.{name}"] for name in self.layers.state_dict()})
        self.weights = nn.ParameterList(_calibration(net))
        for name, colours in (("mean", _MEAN), ("spread", _SPREAD)):
            self.register_buffer(name, torch.tensor(colours)[:, None, None])

    def _outputs(self, images: Tensor) -> list[Tensor]:
        if images.shape[-1] > _LARGEST:
            images = resize(images, (_LARGEST, _LARGEST), "area")
        x = (images - self.mean) / self.spread
        found = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.taps:
                found.append(x)
        return found

    def features(self, images: Tensor) -> Features:
        """What `between` compares, of images [B,3,R,R] in [-1,1]."""
        return tuple(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in self._outputs(images))

    def between(self, a: Features, b: Features) -> Tensor:
        """Perceptual distance [B] of the features of two batches (Eq. 1)."""
        stages = [
            torch.einsum("bchw,c->bhw", (x - y).square(), weight).mean((1, 2))
            for x, y, weight in zip(a, b, self.weights, strict=True)
        ]
        return torch.stack(stages).sum(0)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Perceptual distance [B] of two batches of images [B,3,R,R] in [-1,1]."""
        return self.between(self.features(a), self.features(b))

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarity [B] of the means of the coarsest features."""
        x, y = (self._outputs(each)[-1].mean((2, 3)) for each in (a, b))
        return F.cosine_similarity(x, y)
