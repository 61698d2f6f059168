"""ArcFace's residual networks (Deng et al. 2019) under the names of their public weights: IR-SE50 and IR-101.

`ArcFace` compares aligned images with them; the public weights are `model_ir_se50.pth` (ArcFace) and
`CurricularFace_Backbone.pth` (Huang et al. 2020, IR-101).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.resampling import resize

INPUT_SIZE = 112
_CANVAS = 256
_FACE = (slice(35, 223), slice(32, 220))
"""Rows and columns of the face in an FFHQ-aligned picture of `_CANVAS` pixels."""
Widths = tuple[int, int, int, int]
WIDTHS: Widths = (64, 128, 256, 512)
SE50_UNITS: Widths = (3, 4, 14, 3)


class SqueezeExcitation(nn.Module):
    """Weighs channels by what the whole picture shows; [B,C,H,W]."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Thinned(nn.Conv2d):
    """A convolution of single pixels, of which it takes every `stride`th: [B,in,H,W] -> [B,out,H/stride,W/stride].

    As `nn.Conv2d` with that stride, whose gradient oneDNN writes beyond its end on CPUs with AVX512 (8 channels, stored last).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 1, bias=False)
        self.every = stride

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input[..., :: self.every, :: self.every])


class Unit(nn.Module):
    """An improved residual unit: batch norm first, no activation after the sum."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channels == out_channels:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(Thinned(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))
        layers: list[nn.Module] = [
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        if squeeze:
            layers.append(SqueezeExcitation(out_channels))
        self.res_layer = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


def stem(width: int, channels: int = 3) -> nn.Sequential:
    """The layers before the units, at full resolution."""
    return nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width))


def residual_body(widths: Widths, units: Widths, squeeze: bool) -> nn.Sequential:
    """Four groups of so many `units` of these `widths`; each group halves the resolution."""
    body: list[Unit] = []
    channels = widths[0]
    for width, count in zip(widths, units, strict=True):
        body += [Unit(channels if i == 0 else width, width, 2 if i == 0 else 1, squeeze) for i in range(count)]
        channels = width
    return nn.Sequential(*body)


class FaceBackbone(nn.Module):
    """Faces [B,3,112,112] in [-1,1] to unit embeddings [B,512]; `units` per group, each group halves the resolution."""

    def __init__(self, units: Widths, squeeze: bool, affine: bool) -> None:
        super().__init__()
        self.input_layer = stem(WIDTHS[0])
        self.body = residual_body(WIDTHS, units, squeeze)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(WIDTHS[-1]),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(WIDTHS[-1] * 7 * 7, 512),
            nn.BatchNorm1d(512, affine=affine),
        )

    def forward(self, face: Tensor) -> Tensor:
        return F.normalize(self.output_layer(self.body(self.input_layer(face))), dim=1)


def ir_se50() -> FaceBackbone:
    """The network of `model_ir_se50.pth`."""
    return FaceBackbone(SE50_UNITS, squeeze=True, affine=True)


def ir_101() -> FaceBackbone:
    """The network of `CurricularFace_Backbone.pth`."""
    return FaceBackbone((3, 13, 30, 3), squeeze=False, affine=False)


def face_of(image: Tensor) -> Tensor:
    """The face [B,3,112,112] in FFHQ-aligned images [B,3,R,R]."""
    size = image.shape[-1]
    if size > _CANVAS:
        image = resize(image, (_CANVAS, _CANVAS), "area")
    elif size < _CANVAS:
        image = resize(image, (_CANVAS, _CANVAS))
    return resize(image[..., _FACE[0], _FACE[1]], (INPUT_SIZE, INPUT_SIZE), "area")


class ArcFace(nn.Module):
    """Compares the identity of two aligned images."""

    def __init__(self, backbone: FaceBackbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> Tensor:
        """Unit embeddings [B,512] of aligned images [B,3,R,R] in [-1,1]."""
        embedding: Tensor = self.backbone(face_of(image))
        return embedding

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarity [B] of the people in two batches of images."""
        return (self(a) * self(b)).sum(-1)
