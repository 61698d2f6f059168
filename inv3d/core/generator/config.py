"""What a tri-plane generator is made of: sizes and options as plain frozen data, stored in `model.json`.

The defaults are those of the public EG3D FFHQ model; the options below `canonical` are off for EG3D.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

PlaneLayout = Literal["legacy", "xy-xz-yz"]
"""`legacy`: planes (x,y), (x,z), (z,x), as all public EG3D checkpoints were trained; no plane sees y and z together."""


@dataclass(frozen=True)
class MappingConfig:
    layers: int = 2
    hidden_dim: int | None = None
    """Width of the hidden layers; the width of w if None."""
    lr_multiplier: float = 0.01
    normalize: bool = True
    """Whether z is scaled to unit second moment."""
    residual: bool = False
    """SiLU layers with residual connections, a linear output and a linear path around all of them."""
    camera_scale: float = 1.0
    ignore_camera: bool = False
    """Whether the conditioning camera is replaced by zeros (EG3D's `c_gen_conditioning_zero`)."""


@dataclass(frozen=True)
class CanonicalConfig:
    """A learned tri-plane shared by all heads, looked up at deformed positions."""

    resolution: int = 192
    channels: int = 16
    max_offset: float = 0.06
    """Largest deformation per axis, world units."""


@dataclass(frozen=True)
class DecoderConfig:
    hidden_dim: int = 64
    lr_multiplier: float = 1.0
    skip: bool = False
    """Adds a linear path from features to outputs."""
    film: bool = False
    """Scales and shifts the hidden layer by the first and the last code (FiLM)."""


@dataclass(frozen=True)
class RenderingConfig:
    near: float = 2.25
    far: float = 3.3
    coarse_samples: int = 48
    fine_samples: int = 48
    box: float = 1.0
    """Side of the cube that the planes cover, world units (EG3D's `box_warp`)."""
    disparity: bool = False
    white_background: bool = False
    plane_layout: PlaneLayout = "legacy"
    coordinate_warp: float = 0.0
    """k > 0 looks planes up at asinh(k q) / asinh(k): more texels in the middle of the box."""
    density: Literal["softplus", "surface"] = "softplus"
    """`surface`: the decoder gives a truncated signed distance; density = 300 sigmoid(8 s)."""
    empty_outside: bool = False
    """Whether space outside the box is empty, rather than decoded from zero features."""
    proposal_grid: int | None = None
    """Side of a density grid that replaces the coarse network pass, if any."""
    background: bool = False
    """Whether the last code gives a background of two colours, one above the other."""


@dataclass(frozen=True)
class SuperResolutionConfig:
    channels: tuple[int, int] = (256, 128)
    input_resolution: int = 128
    upsample_first: bool = True
    """Whether the first block doubles the resolution (8X models) or keeps it (4X, 2X)."""
    shared_filter: bool = False
    """Whether the module registers one more resampling filter, as the public 2X, 4X and 8X modules do."""
    antialias: bool = True
    noise_mode: Literal["none", "const", "random"] = "none"
    clamp: float | None = 256.0


@dataclass(frozen=True)
class GeneratorConfig:
    z_dim: int = 512
    c_dim: int = 25
    w_dim: int = 512
    plane_resolution: int = 256
    plane_channels: int = 32
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = None
    noise: bool = True
    """Whether backbone layers have noise inputs."""
    color_channels: int = 32
    """Rendered feature channels; the first three are RGB."""
    raw_resolution: int = 128
    """Rays per side of a render."""
    inject_resolution: int | None = None
    """Resolution at which a projection of w is added to the backbone features, if any."""
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
    def from_json(data: dict[str, Any]) -> GeneratorConfig:
        """Inverse of `to_json`. Raises TypeError for unknown fields."""
        nested: dict[str, Any] = {
            "mapping": MappingConfig(**data["mapping"]),
            "decoder": DecoderConfig(**data["decoder"]),
            "rendering": RenderingConfig(**data["rendering"]),
            "canonical": CanonicalConfig(**data["canonical"]) if data["canonical"] else None,
        }
        if sr := data["superresolution"]:
            nested["superresolution"] = SuperResolutionConfig(**{**sr, "channels": tuple(sr["channels"])})
        else:
            nested["superresolution"] = None
        return GeneratorConfig(**{**data, **nested})


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
