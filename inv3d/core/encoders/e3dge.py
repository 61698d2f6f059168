"""The encoder of E3DGE (Lan et al. 2025): one picture to a code, the side it was taken from, and local detail."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.encoders.local import LocalBranch, LocalConfig, small_local
from inv3d.core.encoders.pyramid import EncoderConfig, build_encoder
from inv3d.core.generator.config import Width
from inv3d.core.records import STRICT
from inv3d.core.resampling import AveragePool

_POOLED = 4
_PUBLIC, _PUBLIC_LOCAL = EncoderConfig(), LocalConfig()


@dataclass(frozen=True)
class E3dgeConfig:
    """Sizes of the parts; the defaults are those for EG3D models."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    codes: EncoderConfig = _PUBLIC
    local: LocalConfig = _PUBLIC_LOCAL
    pose_width: Width = 128

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def small_config(num_ws: int, w_dim: int, decoded: int) -> E3dgeConfig:
    """The encoder of the embedded model."""
    codes = EncoderConfig(
        num_ws=num_ws, w_dim=w_dim, input_size=128, widths=(16, 32, 48, 64), units=(2, 2, 2, 2), style_width=40,
        code_width=80,
    )  # fmt: skip
    return E3dgeConfig(codes, small_local(decoded), pose_width=64)


class Encoded(NamedTuple):
    """Codes [B,num_ws,w_dim], and yaw and pitch [B,2] in radians."""

    codes: Tensor
    pose: Tensor


class PoseHead(nn.Module):
    """Yaw and pitch [B,2] in radians from the coarsest features [B,C,h,w] of the global encoder (section 4.4)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            AveragePool(_POOLED), nn.Flatten(),
            nn.Linear(channels * _POOLED**2, width), nn.SiLU(), nn.Linear(width, 2),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        angles: Tensor = self.net(features)
        return angles


class E3dge(nn.Module):
    """Aligned images [B,3,R,R] in [-1,1] to `Encoded`: the global encoder E_0 and the pose head on its features; beside
    them the `local` branch, which reads what the codes leave out.

    The pose head learns without moving the features that codes are read from.
    """

    def __init__(self, config: E3dgeConfig) -> None:
        super().__init__()
        self.config = config
        self.codes = build_encoder(config.codes)
        self.pose = PoseHead(config.codes.widths[-1], config.pose_width)
        self.local = LocalBranch(config.local)

    @property
    def mean_code(self) -> Tensor:
        """The code [num_ws,w_dim] that what is read is added to."""
        return self.codes.mean_code

    @mean_code.setter
    def mean_code(self, code: Tensor) -> None:
        self.codes.mean_code = code

    def forward(self, image: Tensor) -> Encoded:
        levels = self.codes.levels(image)
        codes = self.codes.mean_code + self.codes.read(levels).float()
        return Encoded(codes, self.pose(levels[-1].detach()).float())


def pose_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """The mean distance of angles [B,2] (L_pose, section 4.4)."""
    return F.pairwise_distance(predicted, true).mean()
