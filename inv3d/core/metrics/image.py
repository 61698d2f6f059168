"""Image metrics between renders and targets, [B,3,H,W] in [-1,1]; every metric gives one number per image, [B]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_MS_SSIM_SIZE = 256


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error for images in [-1,1]."""
    return (a - b).square().mean((1, 2, 3))


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB; the range of [-1,1] is 2."""
    return 10.0 * torch.log10(4.0 / mse(a, b).clamp(min=1e-12))


def _gaussian_window(size: int = 11, sigma: float = 1.5) -> Tensor:
    x = torch.arange(size) - (size - 1) / 2
    window = torch.exp(-0.5 * (x / sigma) ** 2)
    return window / window.sum()


def _blur(x: Tensor) -> Tensor:
    window = _gaussian_window().to(x)
    channels = x.shape[1]
    x = F.conv2d(x, window.reshape(1, 1, -1, 1).expand(channels, -1, -1, -1), groups=channels)
    return F.conv2d(x, window.reshape(1, 1, 1, -1).expand(channels, -1, -1, -1), groups=channels)


def _ssim_parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure factor for images in [0,1], mean over places and channels."""
    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    structure = (2.0 * covariance + c2) / (var_a + var_b + c2)
    ssim_map = structure * (2.0 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return ssim_map.mean((1, 2, 3)), structure.mean((1, 2, 3))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) with an 11 px Gaussian window."""
    return _ssim_parts((a + 1.0) / 2.0, (b + 1.0) / 2.0)[0]


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Multi-scale SSIM (Wang et al. 2003) over five scales, after resizing to 256 px as the public code does."""
    a, b = (
        F.interpolate(
            (x + 1.0) / 2.0, (_MS_SSIM_SIZE, _MS_SSIM_SIZE), mode="bilinear", antialias=True, align_corners=False
        )
        for x in (a, b)
    )
    product = torch.ones(len(a), device=a.device)
    for scale, weight in enumerate(_MS_SSIM_WEIGHTS):
        full, structure = _ssim_parts(a, b)
        last = scale == len(_MS_SSIM_WEIGHTS) - 1
        product = product * (full if last else structure).clamp(min=0.0) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return product
