"""People for training sets."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.camera import Camera
from inv3d.core.people.backdrop import backdrop, clutter
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.samples import sample_patches, sample_people, sample_pixels
from inv3d.core.procedural.samples import HeadSamples, Patches, PixelSamples


class PeopleArtist:
    """Draws people for training sets (see `training.source.Artist`); half of the pictures show cluttered rooms."""

    def __init__(self, renderer: PeopleRenderer) -> None:
        self.renderer = renderer

    def pictures(
        self, parameters: Tensor, camera: Camera, resolution: int, supersample: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        count, size = len(parameters), (resolution, resolution)
        rooms = clutter(count, size, generator)
        rows = torch.linspace(1.0, -1.0, resolution).expand(count, -1)
        plain = backdrop(rows, parameters).transpose(1, 2)[..., None].expand(-1, -1, -1, resolution)
        cluttered = Parameters(parameters).clutter[:, :, None, None] > 0.5
        render = self.renderer.render(parameters, camera, resolution, supersample, torch.where(cluttered, rooms, plain))
        return render.image, render.alpha

    def points(self, parameters: Tensor, count: int, generator: torch.Generator) -> HeadSamples:
        return sample_people(self.renderer, parameters, count, generator)

    def pixels(
        self, parameters: Tensor, camera: Camera, count: int, size: int, generator: torch.Generator
    ) -> PixelSamples:
        return sample_pixels(self.renderer, parameters, camera, count, size, generator)

    def patches(
        self, parameters: Tensor, camera: Camera, count: int, side: int, size: int, generator: torch.Generator
    ) -> Patches:
        return sample_patches(self.renderer, parameters, camera, count, side, size, generator)
