"""Blocks of depthwise convolutions for small networks that were trained on photographs: MediaPipe's (Bazarevsky et al. 2019,
"BlazeFace"; Kartynnik et al. 2019, "Real-time facial surface geometry from monocular video on mobile GPUs")."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Same(nn.Conv2d):
    """A convolution whose output is its input's size over the stride, rounded up: where the border is uneven, there is more of it
    on the right and at the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(bordered(x, self.kernel_size[0], self.stride[0]))


def bordered(x: Tensor, kernel: int, stride: int) -> Tensor:
    """With the border [B,C,H,W] that a `Same` convolution needs."""
    down, right = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[-2:])
    return F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))


class Block(nn.Module):
    """A residual block, [B,in,H,W] -> [B,out,H/stride,W/stride]: the shortcut is pooled, and new channels begin with nothing."""

    def __init__(self, inputs: int, outputs: int, activation: nn.Module, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Same(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.activation = activation
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        short = x if self.stride == 1 else F.max_pool2d(x, self.stride)
        short = F.pad(short, (0, 0, 0, 0, 0, self.more))
        return self.activation(short + self.pointwise(self.depthwise(x)))
