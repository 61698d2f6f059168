"""The interface of all generators: codes become a scene, and a scene is rendered.

The tri-plane generator (EG3D) implements it. No module outside this folder knows what a scene consists of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.camera import Camera, Rays
from inv3d.core.codespace import CodeSpace
from inv3d.core.generator.bend import Bend
from inv3d.core.generator.detail import Detail
from inv3d.core.generator.grid import grid_points
from inv3d.core.generator.hull import Hull

_NEAR = 0.12
"""Levels of so much of a field's range are near the surface, as are those between which it passes."""


@dataclass(frozen=True)
class Render:
    """`image` [B,3,R,R] and `image_raw` [B,3,r,r] about in [-1,1], `depth` [B,1,r,r] along the ray in world units,
    `alpha` [B,1,r,r], how much of the pixel is covered; `behind` [B,3,R,R] is what would show without the head, if known."""

    image: Tensor
    image_raw: Tensor
    depth: Tensor
    alpha: Tensor
    behind: Tensor | None = None


@dataclass(frozen=True)
class RayColors:
    """Rendered rays: `features` [M,P,K] in [-1,1], `depth` [M,P], `alpha` [M,P]."""

    features: Tensor
    depth: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class Surface:
    """The field at points: `level` [M,N] is positive inside the surface and negative outside, `colors` [M,N,3] in [0,1]."""

    level: Tensor
    colors: Tensor


@dataclass(frozen=True)
class Guide:
    """Where scenes of similar codes may have a surface, so that rays are sampled there. Opaque."""

    density: Tensor

    def become(self, other: Guide) -> None:
        """Take over what another says, in the same memory: steps that were recorded look there."""
        self.density.copy_(other.density)

    def bent(self, bend: Bend, box: float) -> Guide:
        """Where scenes that are bent may have it, of a generator with this `box`."""
        size = self.density.shape[-1]
        places = 2.0 / box * bend.origin(grid_points(size, box, self.density.device))
        places = places.reshape(1, size, size, size, 3)
        return Guide(F.grid_sample(self.density, places, padding_mode="border", align_corners=False))

    def within(self, hull: Hull, box: float, empty: float) -> Guide:
        """Where scenes within a hull may have it, of a generator with this `box` and raw density where it is `empty`."""
        size = self.density.shape[-1]
        points = grid_points(size, box, self.density.device).reshape(1, 1, size, size, size, 3)
        return Guide(hull.emptied(self.density, points, empty))


class Scene(ABC):
    """What a generator makes of M codes. Opaque: it can be counted, indexed and rendered."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, rows: slice | list[int]) -> Scene:
        """The scene of some of the codes."""

    @abstractmethod
    def bent(self, bend: Bend) -> Scene:
        """The scene in space that is bent; a guide that it was made with should be, too."""

    @abstractmethod
    def within(self, hull: Hull) -> Scene:
        """The scene without what lies outside of a hull; a guide that it was made with should be, too."""

    @abstractmethod
    def held(self) -> tuple[Scene, Callable[[], None]]:
        """The scene apart from how it was made, for several backward passes, and a function that sends the gradients that
        they left in it on to the codes and to the weights of the generator, once."""


class Generator(nn.Module, ABC):
    """G(codes, cameras) -> Render. Cameras are grouped by code: with M codes and N cameras, camera i shows code
    i // (N / M), so that one code seen by many cameras is worked out once."""

    architecture: ClassVar[str]
    """The name of the class in `model.json`."""

    @property
    @abstractmethod
    def code_space(self) -> CodeSpace:
        """The structure of the codes."""

    @property
    def wtri_space(self) -> CodeSpace | None:
        """W_tri, whose codes a generator with planes takes in the place of those of its `code_space`, if it has planes."""
        return None

    def space_of(self, codes: Tensor) -> CodeSpace:
        """The space of `codes` [...,num_ws,w_dim]. Raises ValueError if they are of none."""
        for space in (self.code_space, self.wtri_space):
            if space is not None and codes.shape[-2:] == (space.num_ws, space.w_dim):
                return space
        raise ValueError(f"codes of shape {tuple(codes.shape)} are not this generator's")

    @property
    @abstractmethod
    def mean_w(self) -> Tensor:
        """The mean code [w_dim] as tracked during training."""

    @property
    @abstractmethod
    def z_dim(self) -> int: ...

    @property
    @abstractmethod
    def resolution(self) -> int:
        """Width and height of an image."""

    @property
    @abstractmethod
    def raw_resolution(self) -> int:
        """Rays per side of an image, before super-resolution."""

    @property
    @abstractmethod
    def box(self) -> float:
        """Side of the cube around the origin that holds the surface, world units."""

    @property
    @abstractmethod
    def empty(self) -> float:
        """Raw density far outside of the surface."""

    @property
    def window_margin(self) -> int | None:
        """Rays along the edges of a window of an image (see `render`) whose pixels super-resolution shows otherwise than in
        the image; None where images need no super-resolution, or where it has no windows."""
        return None

    decoded_features: int
    """Numbers that the colour of a point is decoded from, which a `Detail` scales and shifts."""
    superresolution: nn.Module | None
    """What makes images larger than their rays, if anything."""

    @property
    @abstractmethod
    def has_backdrop(self) -> bool:
        """Whether heads stand before a backdrop that is not part of them, so that their coverage is known."""

    @abstractmethod
    def behind(self, scene: Scene, cameras: Camera, size: int) -> Tensor:
        """The backdrop alone, [B,3,S,S] in [-1,1]. Raises ValueError for a model without one."""

    @property
    def noise_maps(self) -> dict[str, Tensor]:
        """The fixed noise [S,S] of the layers that shape a scene, by its names in the state dictionary; empty for models
        without noise."""
        return {}

    @property
    def device(self) -> torch.device:
        return self.mean_w.device

    @abstractmethod
    def mapping(
        self, z: Tensor, camera: Tensor | None = None, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Codes [B,num_ws,w_dim] of `z` [B,z_dim], conditioned on camera vectors [B,25] where the model needs them."""

    @abstractmethod
    def scene(
        self,
        codes: Tensor,
        detail: Detail | None = None,
        guide: Guide | None = None,
        guide_cells: int | None = None,
    ) -> Scene:
        """The scene of `codes` [M,num_ws,w_dim], of W+ or of `wtri_space`, with the local `detail` of a picture if given.

        `guide` says where to look for the surface; by default the scene finds out itself, with `guide_cells` cells a
        side (default: the model's own). Raises ValueError for a detail that the model cannot read.
        """

    @abstractmethod
    def guide(self, codes: Tensor, most_cells: int | None = None) -> Guide | None:
        """Where any of `codes` [M,num_ws,w_dim] has something, with at most `most_cells` cells a side; None for models
        that need no guide."""

    @abstractmethod
    def render_rays(
        self,
        scene: Scene,
        rays: Rays,
        random: torch.Generator | None = None,
        chunk: int | None = None,
        samples: int | None = None,
    ) -> RayColors:
        """Render rays [M,P,3], P of them for each of the scene's M codes.

        Without `random` sampling is deterministic, with it reproducible. `samples` replaces the model's number of fine
        samples. At most `chunk` rays (default: what suits the device) are in memory at a time; with gradients and
        several chunks, each chunk is computed again in the backward pass.
        """

    @abstractmethod
    def render(
        self,
        scene: Scene,
        cameras: Camera,
        resolution: int | None = None,
        random: torch.Generator | None = None,
        chunk: int | None = None,
        superresolution: bool = True,
        sparse: bool = False,
        window: bool = False,
    ) -> Render:
        """Render a scene of M codes from N `cameras`, N a multiple of M; ValueError otherwise.

        `resolution` is that of the rays (default: the model's own). Without `superresolution` `image` is `image_raw`,
        which is what a depth map needs. With `sparse` a CPU renders some rays of a picture alone (see `interpolated`), which
        nobody sees; not for gradients. With `window` the cameras see a part of an image, whose rays are as close as in an
        image of the model's own size, and so are the pixels that super-resolution makes. The other arguments are those of
        `render_rays`.
        """

    @abstractmethod
    def surface(self, scene: Scene, points: Tensor) -> Surface:
        """The field at world `points` [M,N,3]."""

    def forward(
        self,
        codes: Tensor,
        cameras: Camera,
        resolution: int | None = None,
        random: torch.Generator | None = None,
        chunk: int | None = None,
        superresolution: bool = True,
    ) -> Render:
        """Render `codes` [M,num_ws,w_dim]; see `render`."""
        return self.render(self.scene(codes), cameras, resolution, random, chunk, superresolution)

    @torch.no_grad()
    def levels(self, scene: Scene, size: int, chunk: int = 8192) -> Tensor:
        """`Surface.level` [M,size,size,size] (axes z, y, x) at the cell centres of the box: exactly near the surface, and where
        it is far, interpolated from half as many cells a side, in a third of the time."""

        def at(points: Tensor) -> Tensor:
            parts = points.expand(len(scene), -1, -1).split(chunk, 1)
            return torch.cat([self.surface(scene, part).level for part in parts], 1)

        half, whole = (size + 1) // 2, (size, size, size)
        coarse = at(grid_points(half, self.box, self.device)).reshape(-1, 1, half, half, half)
        least = _NEAR * (coarse.amax() - coarse.amin())
        highest, lowest = F.max_pool3d(coarse, 3, 1, 1), -F.max_pool3d(-coarse, 3, 1, 1)
        near = ((highest > -least) & (lowest < least)).any(0, keepdim=True).float()
        level = F.interpolate(coarse, whole, mode="trilinear", align_corners=False).flatten(1)
        places = F.interpolate(near, whole).flatten().nonzero()[:, 0]
        level[:, places] = at(grid_points(size, self.box, self.device)[:, places])
        return level.reshape(-1, *whole)
