"""Where a head may be, since pictures show the room elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.resampling import sample


@dataclass(frozen=True)
class Hull:
    """The visual hull (Laurentini 1994) of N pictures, from 0 to 1: what each of them may show of a head, `covered` [N,1,S,S], which is 1
    where it is not known, and goes on beyond the border; and their cameras [N]."""

    covered: Tensor
    camera: Camera

    def to(self, device: torch.device | str) -> Hull:
        return Hull(self.covered.to(device), self.camera.to(device))

    def rounded(self) -> Hull:
        """As exact as a saved one."""
        return replace(self, covered=_from_bytes(_to_bytes(self.covered)))

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, on the CPU, as they are saved."""
        tensors = {"covered": _to_bytes(self.covered), **vars(self.camera)}
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}

    @staticmethod
    def from_state(state: dict[str, Tensor]) -> Hull:
        """The inverse of `state`."""
        return Hull(_from_bytes(state["covered"]), Camera(state["cam2world"], state["intrinsics"]))

    def opened(self, share: float) -> Hull:
        """With a `share` of what is outside of it."""
        return replace(self, covered=torch.lerp(self.covered, torch.ones_like(self.covered), share))

    def emptied(self, sigma: Tensor, points: Tensor, empty: float) -> Tensor:
        """Raw density at world `points` [...,3], outside at most what is `empty`."""
        return torch.minimum(sigma, torch.lerp(torch.full_like(sigma, empty), sigma, self.at(points)))

    def at(self, points: Tensor) -> Tensor:
        """How much there may be [...] at world `points` [...,3]: what the picture allows that allows least."""
        places, _ = self.camera.project(points.reshape(1, -1, 3).expand(len(self.camera), -1, -1))
        allowed = sample(self.covered, 2.0 * places[:, None] - 1.0)[:, 0, 0]
        return allowed.amin(0).reshape(points.shape[:-1])


def _to_bytes(covered: Tensor) -> Tensor:
    return covered.mul(255.0).round().byte()


def _from_bytes(covered: Tensor) -> Tensor:
    return covered.float() / 255.0
