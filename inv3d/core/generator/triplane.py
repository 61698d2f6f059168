"""The tri-plane generator (EG3D, Chan et al. 2022): mapping, backbone, volume rendering, super-resolution."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor

from inv3d.core.camera import Camera, Rays, screen_height
from inv3d.core.codespace import CodeSpace
from inv3d.core.device import computes_in_bfloat16
from inv3d.core.generator.backbone import Backbone
from inv3d.core.generator.bend import Bend
from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.detail import Detail
from inv3d.core.generator.field import (
    BACKGROUND_OUTPUTS,
    CanonicalPlanes,
    Decoder,
    Field,
    TriPlanes,
    back_of,
    background_colors,
)
from inv3d.core.generator.fused import decode_on
from inv3d.core.generator.grid import grid_points
from inv3d.core.generator.hull import Hull
from inv3d.core.generator.interface import Generator, Guide, RayColors, Render, Scene, Surface
from inv3d.core.generator.interpolated import interpolated
from inv3d.core.generator.layers import FullyConnected
from inv3d.core.generator.superresolution import SuperResolution
from inv3d.core.generator.volume import VolumeRenderer

_EG3D_LEVEL = 10.0  # raw density that the public scripts take for the surface
_REACH = 5  # input pixels of super-resolution as far as which a pixel looks, and some of the filters' tails
_SYNTHESIS, _NOISE = "backbone.synthesis.", ".noise_const"


class TriplaneScene(Scene):
    """Codes, their planes, and where to look for the surface: one `grid` [1,1,S,S,S] for all codes, or each code's own,
    made when it is first asked for."""

    def __init__(self, codes: Tensor, planes: TriPlanes, grid: Tensor | None, own_cells: int | None) -> None:
        self.codes, self.planes, self.own_cells = codes, planes, own_cells
        self.grid = grid

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice | list[int]) -> TriplaneScene:
        grid = self.grid if self.grid is None or len(self.grid) == 1 else self.grid[rows]
        return TriplaneScene(self.codes[rows], self.planes[rows], grid, self.own_cells)

    def bent(self, bend: Bend) -> TriplaneScene:
        return TriplaneScene(self.codes, dataclasses.replace(self.planes, bend=bend), self.grid, self.own_cells)

    def within(self, hull: Hull) -> TriplaneScene:
        return TriplaneScene(self.codes, dataclasses.replace(self.planes, hull=hull), self.grid, self.own_cells)

    def held(self) -> tuple[TriplaneScene, Callable[[], None]]:
        names = ("features", "film", "background", "canonical", "back", "canonical_back")
        made = {name: tensor for name in names if (tensor := getattr(self.planes, name)) is not None}
        leaves = {name: tensor.detach().requires_grad_(tensor.requires_grad) for name, tensor in made.items()}
        codes = self.codes.detach().requires_grad_(self.codes.requires_grad)
        scene = TriplaneScene(codes, dataclasses.replace(self.planes, **leaves), self.grid, self.own_cells)
        pairs = [(self.codes, codes), *((made[name], leaves[name]) for name in made)]

        def send_on() -> None:
            reached = [(whole, leaf) for whole, leaf in pairs if leaf.grad is not None]
            torch.autograd.backward([whole for whole, _ in reached], [leaf.grad for _, leaf in reached])
            for _, leaf in reached:
                leaf.grad = None

        return scene, send_on


class TriplaneGenerator(Generator):
    """EG3D's generator with parameters named as in the public checkpoints, and the options of `GeneratorConfig`."""

    architecture: ClassVar[Literal["triplane"]] = "triplane"

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        features = config.plane_channels
        self.canonical: CanonicalPlanes | None = None
        if config.canonical is not None:
            self.canonical = CanonicalPlanes(config.canonical)
            features += config.canonical.channels - 3
        self.decoder = Decoder(features, config)
        self.superresolution: SuperResolution | None = None
        if config.superresolution is not None:
            self.superresolution = SuperResolution(config.superresolution, config.color_channels, config.w_dim)
        self.background: FullyConnected | None = None
        if config.rendering.background:
            self.background = FullyConnected(config.w_dim, BACKGROUND_OUTPUTS)
        self.decoded_features = features
        self.field = Field(config, self.decoder, self.canonical)
        self.volume = VolumeRenderer(self.field, config)

    def compute_in_half_precision(self, backbone: bool, superresolution: bool) -> None:
        """Whether the convolutions of either part run in 16 bits where that is accurate enough (see `SynthesisNetwork` and
        `SuperResolution`)."""
        self.backbone.synthesis.half_precision = backbone
        upper = self.superresolution
        if upper is not None:  # the public models clamp where they were trained in float16
            upper.half_precision = superresolution and upper.config.clamp is not None

    def suit(self, device: torch.device) -> None:
        """Compute and keep weights as is fast on a `device`: tensor cores and some CPUs like 16 bits, renders without
        gradients in float16 only the former; some GPUs sample and decode planes in kernels of their own."""
        self.compute_in_half_precision(computes_in_bfloat16(device), device.type == "cuda")
        self.field.decode = decode_on(device, self.decoder)
        if self.canonical is not None:
            self.canonical.lay_out()

    @property
    def code_space(self) -> CodeSpace:
        count = self.backbone.synthesis.num_ws
        shape = self.config.shape_layers or count // 2
        spans = {
            "shared": slice(0, count),
            "sr": slice(count - 1, count),
            "shape": slice(0, shape),
            "looks": slice(shape, count),
        }
        return CodeSpace(count, self.config.w_dim, spans)

    @property
    def wtri_space(self) -> CodeSpace:
        """The spans `xy`, `xz` and `yz` are those of the planes, in their order (`legacy` models see no y and z together: their
        third plane is another (z,x)); `sr` is read after the planes, by a model without super-resolution for its decoder and
        background."""
        synthesis = self.backbone.synthesis
        count, own = len(synthesis.origins), synthesis.num_last
        first = count - 1 - 3 * own
        planes = {name: slice(first + i * own, first + (i + 1) * own) for i, name in enumerate(("xy", "xz", "yz"))}
        spans = {"shared": slice(0, first), **planes, "sr": slice(count - 1, count)}
        return CodeSpace(count, self.config.w_dim, spans, synthesis.origins)

    @property
    def mean_w(self) -> Tensor:
        return self.backbone.mapping.w_avg

    @property
    def z_dim(self) -> int:
        return self.config.z_dim

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def raw_resolution(self) -> int:
        return self.config.raw_resolution

    @property
    def window_margin(self) -> int | None:
        upper, size = self.config.superresolution, self.config.raw_resolution
        if upper is None or upper.noise_mode == "const":  # noise has its place in the image
            return None
        margin = _REACH * max(1, size // upper.input_resolution)
        return margin if 2 * margin < size else None

    @property
    def box(self) -> float:
        return self.config.rendering.box

    @property
    def empty(self) -> float:
        return self.config.rendering.empty

    @property
    def noise_maps(self) -> dict[str, Tensor]:
        return {name: each for name, each in self.named_buffers() if name.startswith(_SYNTHESIS) and name.endswith(_NOISE)}

    @property
    def has_backdrop(self) -> bool:
        return self.config.rendering.background

    def mapping(
        self, z: Tensor, camera: Tensor | None = None, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        return self.backbone.mapping(z, camera, truncation, truncation_cutoff)

    def scene(
        self,
        codes: Tensor,
        detail: Detail | None = None,
        guide: Guide | None = None,
        guide_cells: int | None = None,
    ) -> TriplaneScene:
        if detail is not None and detail.film.features != self.decoded_features:
            raise ValueError("the detail belongs to another generator")
        cells = self.config.rendering.proposal_grid
        own = None if cells is None else guide_cells or cells
        return TriplaneScene(codes, self.planes(codes, detail), None if guide is None else guide.density, own)

    def planes(self, codes: Tensor, detail: Detail | None = None) -> TriPlanes:
        """Tri-planes of `codes` [M,num_ws,w_dim], of W+ or W_tri."""
        config = self.config
        image = self.backbone.synthesis(codes)
        size = config.plane_resolution
        features = image.reshape(len(codes), 3, config.plane_channels, size, size).float()
        first, last = codes[:, 0], codes[:, -1]
        film = self.decoder.film(torch.cat([first, last], 1)) if self.decoder.film is not None else None
        background = self.background(last) if self.background is not None else None
        canonical = self.canonical.laid_out() if self.canonical is not None else None
        texels = config.rendering.back_texels
        if texels is None:
            return TriPlanes(features, film, background, canonical, detail)
        shared = None if canonical is None else back_of(canonical[None], texels)
        return TriPlanes(features, film, background, canonical, detail, back_of(features, texels), shared)

    @torch.no_grad()
    def guide(self, codes: Tensor, most_cells: int | None = None) -> Guide | None:
        cells = self.config.rendering.proposal_grid
        if cells is None:
            return None
        size = min(cells, most_cells or cells)
        # one code at a time: the planes of many do not fit into memory at once
        return Guide(torch.cat([self._density(self.planes(code), size) for code in codes.split(1)]).amax(0, True))

    @torch.no_grad()
    def _density(self, planes: TriPlanes, size: int, chunk: int = 8192) -> Tensor:
        """Raw density [M,1,size,size,size] (axes z, y, x) at the cell centres of the box."""
        points = grid_points(size, self.box, self.device).expand(len(planes), -1, -1)
        shape = dataclasses.replace(planes, detail=None)
        sigma = torch.cat([self.field(shape, part)[0] for part in points.split(chunk, 1)], 1)
        return sigma.reshape(-1, 1, size, size, size)

    def _grid(self, scene: TriplaneScene) -> Tensor | None:
        """The density grid of each of the scene's codes [M,1,S,S,S], for models that have one."""
        if scene.own_cells is None:
            return None
        if scene.grid is None:
            scene.grid = self._density(scene.planes, scene.own_cells)
        return scene.grid.expand(len(scene), -1, -1, -1, -1)

    def render_rays(
        self,
        scene: Scene,
        rays: Rays,
        random: torch.Generator | None = None,
        chunk: int | None = None,
        samples: int | None = None,
    ) -> RayColors:
        assert isinstance(scene, TriplaneScene)
        return self.volume.render(scene.planes, rays, self._grid(scene), random, chunk, samples)

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
        assert isinstance(scene, TriplaneScene)
        if len(cameras) % len(scene):
            raise ValueError(f"{len(cameras)} cameras cannot be divided evenly among {len(scene)} codes")
        size = resolution or self.config.raw_resolution
        views = len(cameras) // len(scene)
        grouped = Rays(*(r.reshape(len(scene), views * size * size, 3) for r in cameras.rays(size)))
        trace = functools.partial(self.render_rays, scene, random=random, chunk=chunk)
        # rays between which nothing changes; features of a super-resolution are no colours, and GPUs wait for no decisions
        few = sparse and self.superresolution is None and len(cameras) == 1 and self.device.type == "cpu"
        rays = interpolated(trace, grouped, size) if few else trace(grouped)
        features = (
            rays.features.reshape(len(cameras), size * size, -1).transpose(1, 2).reshape(len(cameras), -1, size, size)
        )
        raw = features[:, :3]
        image = raw
        if superresolution and self.superresolution is not None:
            w = self.space_of(scene.codes).take(scene.codes, "sr")
            whole = self.config.raw_resolution if window else None
            image = self.superresolution(features, w.repeat_interleave(views, 0), whole)
        maps = (rays.depth.reshape(-1, 1, size, size), rays.alpha.reshape(-1, 1, size, size))
        return Render(image, raw, *maps)

    def surface(self, scene: Scene, points: Tensor) -> Surface:
        assert isinstance(scene, TriplaneScene)
        sigma, colors = self.field(scene.planes, points)
        level = 0.0 if self.config.rendering.density == "surface" else _EG3D_LEVEL
        return Surface(sigma - level, colors[..., :3])

    def behind(self, scene: Scene, cameras: Camera, size: int) -> Tensor:
        height = screen_height(*cameras.rays(size)).reshape(len(scene), -1)
        colors = self.backdrop(scene, height).reshape(len(cameras), size, size, 3)
        return colors.permute(0, 3, 1, 2) * 2.0 - 1.0

    def backdrop(self, scene: Scene, height: Tensor) -> Tensor:
        """Colours [M,P,3] behind the head at `height` [M,P] in the picture (see `screen_height`).

        Raises ValueError for a model without a background.
        """
        assert isinstance(scene, TriplaneScene)
        if scene.planes.background is None:
            raise ValueError("this generator has no background")
        return background_colors(scene.planes.background, height)
