"""StyleGAN2 layers (Karras et al. 2020) as EG3D uses them, in plain PyTorch.

Weights are stored with unit variance and scaled at run time ("equalised learning rate"). Modulation scales the
input and demodulation the output of one shared convolution, which equals modulating the weights per sample.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.generator.config import Activation

NoiseMode = Literal["none", "const", "random"]

_SQRT2 = math.sqrt(2.0)


def activated(x: Tensor, kind: Activation = "lrelu", clamp: float | None = None) -> Tensor:
    """An activation with the gain that keeps the variance, optionally clamped to [-clamp, clamp]: `lrelu` of slope 0.2 and
    `relu`, both times sqrt(2), or `linear`, as it is."""
    if kind != "linear":
        x = (F.leaky_relu(x, 0.2) if kind == "lrelu" else F.relu(x)) * _SQRT2
    return x if clamp is None else x.clamp(-clamp, clamp)


class _Softplus(torch.autograd.Function):
    """log(1 + exp(x)), for CPUs: torch's own, by log1p, takes seven times as long. Also where it is almost nothing it is right
    to the rounding of 1, not of itself: a next layer sees no difference."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        y = x.neg().clamp_(min=-30.0).sigmoid_().log_().neg_()
        return torch.maximum(y, x, out=y)  # above 30 they are equal in float32

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * torch.sigmoid(x)


class Softplus(nn.Module):
    """log(1 + exp(x)), for any x, as a layer; once differentiable."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu":
            return cast(Tensor, _Softplus.apply(x))
        return F.softplus(x)


def fir_kernel() -> Tensor:
    """The 4x4 binomial low-pass filter outer([1,3,3,1]) / 64."""
    taps = (1.0, 3.0, 3.0, 1.0)
    return torch.tensor([[a * b / 64.0 for b in taps] for a in taps])


def fir_filter(x: Tensor, kernel: Tensor, gain: float, padding: int) -> Tensor:
    """Padding on both axes, depthwise filtering, and `gain`; x is [B,C,H,W]."""
    channels = x.shape[1]
    weight = (kernel.flip(0, 1) * gain).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(x, weight, padding=padding, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double the resolution of [B,C,H,W] by inserting zeros, with the FIR filter."""
    channels = x.shape[1]
    weight = (kernel * 4.0).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=channels)


class FullyConnected(nn.Module):
    """Linear layer [...,in] -> [...,out] with an activation; `scale` is that of the initial weights."""

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        lr_multiplier: float = 1.0,
        bias: float = 0.0,
        activation: Activation = "linear",
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_dim, in_dim) * (scale / lr_multiplier))
        self.bias = nn.Parameter(torch.full((out_dim,), bias / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_dim)
        self.bias_gain = lr_multiplier
        self.activation = activation

    def scaled(self) -> tuple[Tensor, Tensor]:
        """The weights [out,in] and biases [out] that are applied."""
        return self.weight * self.weight_gain, self.bias * self.bias_gain

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() < self.weight.numel():  # a few codes are sooner scaled than all weights
            linear = F.linear(x * self.weight_gain, self.weight, self.bias * self.bias_gain)
        else:
            linear = F.linear(x, *self.scaled())
        return activated(linear, self.activation)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution with demodulation, noise, bias and activation; optionally doubles the resolution."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        up: bool,
        clamp: float | None,
        noise: bool,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.up, self.clamp, self.noise, self.activation = up, clamp, noise, activation
        self.affine = FullyConnected(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", fir_kernel())
        if noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, w: Tensor, noise_mode: NoiseMode) -> Tensor:
        style = self.affine(w)
        weight: Tensor = self.weight
        if x.dtype == torch.float16:
            # demodulation takes every scale out again; with these no sum leaves the range of float16
            style = style / style.abs().amax(1, keepdim=True)
            weight = weight / (math.sqrt(weight[0].numel()) * weight.abs().amax((1, 2, 3), keepdim=True))
        scale = torch.rsqrt((style * style) @ (weight * weight).sum((2, 3)).t() + 1e-8)
        x, weight = x * style[:, :, None, None].to(x.dtype), weight.to(x.dtype)
        if self.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x = fir_filter(x, self.resample_filter, gain=4.0, padding=1)
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x * scale[:, :, None, None].to(x.dtype)
        if self.noise and noise_mode == "const":
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        elif self.noise and noise_mode == "random":
            x = x + torch.randn_like(x[:, :1]) * self.noise_strength
        return activated(x + self.bias[:, None, None].to(x.dtype), self.activation, self.clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation or activation."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.gain = 1.0 / math.sqrt(in_channels)
        self.affine = FullyConnected(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = (self.affine(w) * self.gain).to(x.dtype)
        x = F.conv2d(x * style[:, :, None, None], self.weight.to(x.dtype)) + self.bias[:, None, None].to(x.dtype)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """One resolution of the skip architecture: (const or conv0), conv1, torgb."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        image_channels: int,
        up: bool = True,
        clamp: float | None = None,
        noise: bool = True,
        activation: Activation = "lrelu",
    ) -> None:
        super().__init__()
        self.up = up
        self.register_buffer("resample_filter", fir_kernel())
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up, clamp, noise, activation)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, False, clamp, noise, activation)
        self.torgb = ToRGB(out_channels, image_channels, w_dim, clamp)
        self.num_convs = 1 if in_channels == 0 else 2

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        codes: Tensor,
        noise_mode: NoiseMode,
        kind: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Tensor]:
        """`codes` [B, num_convs + 1, w_dim]; returns features and image at this block's resolution. The first block begins
        with numbers of a `kind`, others have that of `x`."""
        if x is None:
            x = self.const.expand(len(codes), -1, -1, -1).to(kind)
        else:
            x = self.conv0(x, codes[:, 0], noise_mode)
        x = self.conv1(x, codes[:, self.num_convs - 1], noise_mode)
        rgb = self.torgb(x, codes[:, self.num_convs]).float()
        if image is not None:
            rgb = rgb + (upsample(image, self.resample_filter) if self.up else image)
        return x, rgb
