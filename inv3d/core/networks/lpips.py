"""LPIPS (Zhang et al. 2018) through the `lpips` package, with backbone weights that the caller has read."""

from __future__ import annotations

import warnings

import lpips
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.networks.perceptual import TYPICAL_LPIPS

TYPICAL = {"alex": TYPICAL_LPIPS, "vgg": TYPICAL_LPIPS}
"""The `typical_distance` of each network for a photograph, measured by `benchmarks/photographs.py`; that of VGG is assumed,
as its weights have not been at hand."""
_LARGEST = 256
"""Larger images are compared at this size, as the public inversion codes do."""


class Lpips(nn.Module):
    """`net` is "alex" or "vgg"; `backbone` the state dict of torchvision's classifier of that name. `typical` is the scale
    of its distances."""

    def __init__(self, net: str, backbone: dict[str, Tensor]) -> None:
        super().__init__()
        self.typical = TYPICAL[net]
        with warnings.catch_warnings(action="ignore"):  # torchvision's, about the package's way to call it
            # a random trunk: the package would load the file with code execution
            self.network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        features = {
            name.removeprefix("features."): value for name, value in backbone.items() if name.startswith("features.")
        }
        for part in self.network.net.children():
            wanted = part.state_dict()
            part.load_state_dict({name: features[name] for name in wanted})

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Perceptual distance [B] of two batches of images [B,3,R,R] in [-1,1]."""
        distance: Tensor = self.network(_reduced(a), _reduced(b))
        return distance.flatten()

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarity [B] of the means of the coarsest features."""
        x, y = (self.network.net(self.network.scaling_layer(_reduced(each)))[-1].mean((2, 3)) for each in (a, b))
        return F.cosine_similarity(x, y)


def _reduced(images: Tensor) -> Tensor:
    if images.shape[-1] <= _LARGEST:
        return images
    return F.interpolate(images, (_LARGEST, _LARGEST), mode="area")
