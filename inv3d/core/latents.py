"""The latent track: W+ codes along the yaw axis, and interpolation between them."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.camera import Camera


@dataclass(frozen=True)
class LatentTrack:
    """K `codes` [K,num_ws,w_dim] with the `yaws` [K] (radians, ascending) they stand for."""

    codes: Tensor
    yaws: Tensor

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.yaws):
            raise ValueError(f"{len(self.codes)} codes for {len(self.yaws)} yaws")
        if len(self.yaws) > 1 and not bool((self.yaws.diff() >= 0).all()):
            raise ValueError("the yaws of a latent track must ascend")

    def __len__(self) -> int:
        return len(self.codes)

    def with_codes(self, codes: Tensor) -> LatentTrack:
        """Other codes [K,num_ws,w_dim] at the same yaws, which are not checked again: that would wait for a GPU."""
        track = copy.copy(self)
        object.__setattr__(track, "codes", codes)
        return track

    def at(self, camera: Camera) -> Tensor:
        """Codes [B,num_ws,w_dim] for B cameras: linear between the two codes whose yaws bracket the camera's.

        Beyond the outermost yaws the outermost code holds (Barthel et al., Eq. 4). Differentiable in the codes.
        """
        if len(self) == 1:
            return self.codes.expand(len(camera), -1, -1)
        yaw = camera.yaw.contiguous()
        right = torch.searchsorted(self.yaws, yaw).clamp(1, len(self) - 1)
        left = right - 1
        span = (self.yaws[right] - self.yaws[left]).clamp(min=1e-8)
        weight = ((yaw - self.yaws[left]) / span).clamp(0.0, 1.0)[:, None, None]
        return torch.lerp(self.codes[left], self.codes[right], weight)

    def grouped(self, camera: Camera) -> Tensor:
        """Like `at`, but a single code is returned only once, so that all cameras share its planes."""
        return self.codes if len(self) == 1 else self.at(camera)

    def neighbour_distance(self) -> float:
        """Mean Euclidean distance between neighbouring codes (Barthel et al., Table 2); 0 for a single code."""
        if len(self) == 1:
            return 0.0
        return float(self.codes.diff(dim=0).flatten(1).norm(dim=1).mean())

    def to(self, device: torch.device | str) -> LatentTrack:
        return LatentTrack(self.codes.to(device), self.yaws.to(device))
