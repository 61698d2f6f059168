"""EG3D's hybrid super-resolution: rendered features to the final image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inv3d.core.generator.config import SuperResolutionConfig
from inv3d.core.generator.layers import SynthesisBlock, fir_kernel
from inv3d.core.resampling import resize


class SuperResolution(nn.Module):
    """Two skip blocks on top of features [B,C,r,r] and their first three channels as image.

    Covers the public 8XDC and 8X modules (`upsample_first`) and the 4X and 2X ones. With `half_precision` set, renders
    without gradients run in float16, for which the public models were trained, and those with gradients in bfloat16, in
    which small ones are not lost; both with the channels of a pixel side by side, as tensor cores read them.
    """

    def __init__(self, config: SuperResolutionConfig, in_channels: int, w_dim: int) -> None:
        super().__init__()
        self.config = config
        self.half_precision = False
        first, second = config.channels
        size = config.input_resolution * (2 if config.upsample_first else 1)
        self.block0 = SynthesisBlock(in_channels, first, w_dim, size, 3, up=config.upsample_first, clamp=config.clamp)
        self.block1 = SynthesisBlock(first, second, w_dim, 2 * size, 3, clamp=config.clamp)
        if config.shared_filter:
            self.register_buffer("resample_filter", fir_kernel())

    def resize(self, x: Tensor, whole: int | None = None) -> Tensor:
        """Bring [B,C,r,r] to the input resolution; windows of images [B,C,whole,whole] in proportion."""
        size = self.config.input_resolution * x.shape[-1] // (whole or x.shape[-1])
        if x.shape[-1] == size:
            return x
        return resize(x, (size, size), antialias=self.config.antialias)

    def forward(self, features: Tensor, w: Tensor, whole: int | None = None) -> Tensor:
        """`w` [B,1,w_dim] is read by every layer; returns the image [B,3,R,R], not clamped. `features` [B,C,r,r] may be
        windows of [B,C,whole,whole].

        Of several images with gradients, one is computed at a time, and again in the backward pass: the layers of many do
        not fit into memory at once.
        """
        if len(features) == 1 or not torch.is_grad_enabled():
            return self._image(features, w, whole)
        pairs = zip(features.split(1), w.split(1), strict=True)
        draws = self.config.noise_mode == "random"  # only then is there a state to keep, which a recorded step may not read
        return torch.cat([checkpoint(self._image, *pair, whole, use_reentrant=False, preserve_rng_state=draws) for pair in pairs])

    def _image(self, features: Tensor, w: Tensor, whole: int | None) -> Tensor:
        x, image = self.upsampled(features, w, whole)
        return self.block1(x, image, w.repeat(1, 3, 1), self.config.noise_mode)[1]

    def upsampled(self, features: Tensor, w: Tensor, whole: int | None = None) -> tuple[Tensor, Tensor]:
        """Features and image after the first block."""
        features = self.resize(features, whole)
        image = features[:, :3]
        if self.half_precision:
            kind = torch.bfloat16 if torch.is_grad_enabled() else torch.float16
            features = features.to(kind, memory_format=torch.channels_last)
        return self.block0(features, image, w.repeat(1, 3, 1), self.config.noise_mode)
