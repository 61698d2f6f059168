"""The configuration of a tri-plane generator: sizes and options as plain frozen data, stored in `model.json`.

The defaults are those of the public EG3D FFHQ model; the options below `canonical` are off for EG3D.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter

from inv3d.core.records import STRICT, Number, Positive

PlaneLayout = Literal["legacy", "xy-xz-yz"]
"""`legacy`: planes (x,y), (x,z), (z,x), as all public EG3D checkpoints were trained; no plane sees y and z together.
`xy-xz-yz`: planes (x,y), (x,z), (z,y), as LPFF and networks with repaired axes have them."""
_Entry = Annotated[float, Field(ge=-100.0, le=100.0)]
_Basis = tuple[tuple[_Entry, _Entry, _Entry], tuple[_Entry, _Entry, _Entry], tuple[_Entry, _Entry, _Entry]]
PlaneAxes = tuple[_Basis, _Basis, _Basis]
"""[3,3,3]: for each of three planes its basis, that is the directions of u, of v, and of what the plane does not see."""
Activation = Literal["lrelu", "relu", "linear"]

Width = Annotated[int, Field(ge=1, le=4096)]
"""Width of a layer, bounded because a small file could ask for a huge network."""
Samples = Annotated[int, Field(ge=0, le=1024)]


def _power_of_two(size: int) -> int:
    if size & (size - 1):
        raise ValueError("should be a power of two")
    return size


Distance = Annotated[float, Field(gt=0.0, le=1000.0)]
"""A length in world units."""
Side = Annotated[int, Field(ge=4, le=1024), AfterValidator(_power_of_two)]
"""Pixels or texels per side."""


@dataclass(frozen=True)
class MappingConfig:
    layers: Annotated[int, Field(ge=1, le=16)] = 2
    hidden_dim: Width | None = None
    """Width of the hidden layers; the width of w if None."""
    lr_multiplier: Positive = 0.01
    activation: Activation = "lrelu"
    """Of every layer, unless `residual`."""
    normalize: bool = True
    """Whether z is scaled to unit second moment."""
    residual: bool = False
    """SiLU layers with residual connections, a linear output and a linear path around all of them."""
    camera_scale: Annotated[float, Field(ge=-1000.0, le=1000.0)] = 1.0
    ignore_camera: bool = False
    """Whether the conditioning camera is replaced by zeros (EG3D's `c_gen_conditioning_zero`)."""
    fixed_camera: Annotated[tuple[Number, ...], Field(min_length=25, max_length=25)] | None = None
    """Camera vector [c_dim] that replaces the conditioning camera (LPFF's `c_gen_conditioning_avg`), if any."""


@dataclass(frozen=True)
class CanonicalConfig:
    """A learned tri-plane shared by all heads, looked up at deformed positions."""

    resolution: Annotated[int, Field(ge=1, le=2048)] = 192
    channels: Width = 16
    max_offset: Annotated[float, Field(ge=0.0, le=100.0)] = 0.06
    """Largest deformation per axis, world units."""


@dataclass(frozen=True)
class DecoderConfig:
    hidden_dim: Width = 64
    lr_multiplier: Positive = 1.0
    skip: bool = False
    """Adds a linear path from features to outputs."""
    film: bool = False
    """Scales and shifts the hidden layer by the first and the last code (FiLM)."""


@dataclass(frozen=True)
class RenderingConfig:
    near: Distance = 2.25
    far: Distance = 3.3
    cut_by_box: bool = False
    """Whether every ray is sampled from where it enters the box to where it leaves it, instead of from `near` to `far`
    (EG3D's ray range `auto`)."""
    coarse_samples: Samples = 48
    fine_samples: Samples = 48
    box: Distance = 1.0
    """Side of the cube that the planes cover, world units (EG3D's `box_warp`)."""
    disparity: bool = False
    white_background: bool = False
    plane_layout: PlaneLayout = "legacy"
    plane_axes: PlaneAxes | None = None
    """Other axes of the planes, instead of `plane_layout`."""
    back_texels: Annotated[int, Field(ge=2, le=64)] | None = None
    """Texels per side of what replaces the (x,y) plane at the back of heads, which else share all of it with the face, if any."""
    coordinate_warp: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.0
    """k > 0 looks planes up at asinh(k q) / asinh(k): more texels in the middle of the box."""
    density: Literal["softplus", "surface"] = "softplus"
    """`surface`: the decoder gives a truncated signed distance; density = 300 sigmoid(8 s)."""
    empty_outside: bool = False
    """Whether space outside the box is empty, rather than decoded from zero features."""
    proposal_grid: Annotated[int, Field(ge=2, le=128)] | None = None
    """Side of a density grid that replaces the coarse network pass, if any."""
    background: bool = False
    """Whether the last code gives a background of two colours, one above the other."""

    @property
    def empty(self) -> float:
        """Raw density far outside of the surface."""
        return -2.0 if self.density == "surface" else -10.0


@dataclass(frozen=True)
class SuperResolutionConfig:
    channels: tuple[Width, Width] = (256, 128)
    input_resolution: Side = 128
    upsample_first: bool = True
    """Whether the first block doubles the resolution (8X models) or keeps it (4X, 2X)."""
    shared_filter: bool = False
    """Whether the module registers one more resampling filter, as the public 2X, 4X and 8X modules do."""
    antialias: bool = True
    noise_mode: Literal["none", "const", "random"] = "none"
    clamp: Positive | None = 256.0


@dataclass(frozen=True)
class GeneratorConfig:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    z_dim: Width = 512
    c_dim: Annotated[int, Field(ge=0, le=25, multiple_of=25)] = 25
    """Numbers of the camera vector that the mapping network is conditioned on, if it is."""
    w_dim: Width = 512
    plane_resolution: Side = 256
    plane_channels: Width = 32
    channel_base: Annotated[int, Field(ge=4, le=1 << 20)] = 32768
    channel_max: Width = 512
    conv_clamp: Positive | None = None
    activation: Activation = "lrelu"
    """Of the backbone's convolutions."""
    noise: bool = True
    """Whether backbone layers have noise inputs."""
    color_channels: Annotated[int, Field(ge=3, le=4096)] = 32
    """Rendered feature channels; the first three are RGB."""
    raw_resolution: Annotated[int, Field(ge=4, le=1024)] = 128
    """Rays per side of a render."""
    inject_resolution: Side | None = None
    """Resolution at which a projection of w is added to the backbone features, if any."""
    shape_layers: Annotated[int, Field(ge=1, le=64)] | None = None
    """Codes of the layers before this one say how a head is shaped, the others how it looks; None: half of them each."""
    mapping: MappingConfig = MappingConfig()
    decoder: DecoderConfig = DecoderConfig()
    rendering: RenderingConfig = RenderingConfig()
    canonical: CanonicalConfig | None = None
    superresolution: SuperResolutionConfig | None = SuperResolutionConfig()

    @property
    def resolution(self) -> int:
        """Width and height of the final image."""
        if self.superresolution is None:
            return self.raw_resolution
        return self.superresolution.input_resolution * (4 if self.superresolution.upsample_first else 2)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(data: Any) -> GeneratorConfig:
        """Inverse of `to_json`. Raises ValueError or TypeError if `data` is not a valid configuration."""
        return _SOUND.validate_json(json.dumps(data))


def sound(config: GeneratorConfig) -> GeneratorConfig:
    """`config` if its options go together. Raises ValueError."""
    mapping, rendering, canonical = config.mapping, config.rendering, config.canonical
    wrong = {
        "a residual mapping network needs 2 layers": mapping.residual and mapping.layers < 2,
        "channel_base should not be less than plane_resolution": config.channel_base < config.plane_resolution,
        "inject_resolution should not exceed plane_resolution": (config.inject_resolution or 0)
        > config.plane_resolution,
        "far should be greater than near": rendering.far <= rendering.near,
        "a background needs 3 color_channels": rendering.background and config.color_channels != 3,
        "canonical planes need 3 plane_channels": canonical is not None and config.plane_channels < 3,
        "coarse_samples should be at least 2": rendering.proposal_grid is None and rendering.coarse_samples < 2,
        "coarse_samples should be at least 4, for fine ones among them": rendering.proposal_grid is None
        and rendering.fine_samples > 0
        and rendering.coarse_samples < 4,
        "plane_axes should be bases of space": rendering.plane_axes is not None
        and min(abs(_determinant(basis)) for basis in rendering.plane_axes) < 1e-6,
        "back_texels need a plane_layout": rendering.back_texels is not None and rendering.plane_axes is not None,
        "a proposal_grid needs space that is empty_outside": rendering.proposal_grid is not None
        and not rendering.empty_outside,
        "fine_samples should be at least 2": rendering.proposal_grid is not None and rendering.fine_samples < 2,
    }
    for complaint, found in wrong.items():
        if found:
            raise ValueError(complaint)
    return config


def _determinant(basis: _Basis) -> float:
    (a, b, c), (d, e, f), (g, h, i) = basis
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _without_retired(data: Any) -> Any:
    """Without an option of earlier versions, which was always off: local features come with an encoder.

    What a validator has seen counts as Python's, where strict tuples are no lists, as JSON has them.
    """
    if isinstance(data, dict):
        retired = "detail_channels" if data.get("detail_channels", 0) is None else None
        return {name: _without_retired(value) for name, value in data.items() if name != retired}
    return tuple(map(_without_retired, data)) if isinstance(data, list) else data


SoundConfig = Annotated[GeneratorConfig, BeforeValidator(_without_retired), AfterValidator(sound)]
_SOUND: TypeAdapter[GeneratorConfig] = TypeAdapter(SoundConfig)


def eg3d_ffhq() -> GeneratorConfig:
    """The public ffhq512-128 model (also ffhqrebalanced512-128 and afhqcats512-128, which differ in cameras alone)."""
    return GeneratorConfig()


def eg3d_shapenet_cars() -> GeneratorConfig:
    """The public shapenetcars128-64 model."""
    return GeneratorConfig(
        raw_resolution=64,
        mapping=MappingConfig(ignore_camera=True),
        rendering=RenderingConfig(
            near=0.1, far=2.6, coarse_samples=64, fine_samples=64, box=1.6, white_background=True
        ),
        superresolution=SuperResolutionConfig(
            channels=(128, 64), input_resolution=64, upsample_first=False, shared_filter=True
        ),
    )
