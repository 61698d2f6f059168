"""Generators of EG3D's code (Chan et al. 2022): what their options mean, and names and shapes of all their weights."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from pydantic import ValidationError
from torch import Tensor

from inv3d.core.camera import FFHQ_FOCAL, look_at
from inv3d.core.checkpoints.options import Options
from inv3d.core.checkpoints.symbols import refused, shown
from inv3d.core.generator import GeneratorConfig, TriplaneGenerator
from inv3d.core.generator.config import (
    Activation,
    DecoderConfig,
    MappingConfig,
    PlaneAxes,
    RenderingConfig,
    SuperResolutionConfig,
)
from inv3d.core.generator.field import layout_of_axes
from inv3d.core.records import reason

_MOST_LAYERS = 16
"""Largest number of layers of a mapping network."""
_DEFAULT_LAYERS, _DEFAULT_LR_MULTIPLIER = 8, 0.01
"""Layers and learning-rate multiplier of the mapping network if a file does not give them (those of StyleGAN2)."""
_FAR = 1e3
"""No camera is farther away, world units."""

_SUPERRESOLUTION = {
    "SuperresolutionHybrid8XDC": SuperResolutionConfig((256, 128), 128),
    "SuperresolutionHybrid8X": SuperResolutionConfig((128, 64), 128, shared_filter=True),
    "SuperresolutionHybrid4X": SuperResolutionConfig((128, 64), 128, upsample_first=False, shared_filter=True),
    "SuperresolutionHybrid2X": SuperResolutionConfig((128, 64), 64, upsample_first=False, shared_filter=True),
}
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_COUNTER = "num_batches_tracked"
_PARAMETERS = ("weight", "bias", "const", "noise_strength")
"""Last parts of the names of trained parameters."""
_WEIGHTLESS = ("renderer.", "ray_sampler.", "ray_marcher.")
"""Modules that have no weights."""


@dataclass(frozen=True)
class Layout:
    """Everything about a generator but its weights: its `config`, and the cameras of its training data:
    their distance from the origin and the point they look at, world units."""

    config: GeneratorConfig
    radius: float = 2.7
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Checkpoint:
    """A generator as stored in a file: its layout, and all parameters and buffers by name, bit by bit. `notes` say, a
    line each, which parts of the file were skipped."""

    layout: Layout
    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def layout_of(options: Options, axes: PlaneAxes | None, shapes: dict[str, tuple[int, ...]]) -> Layout:
    """The layout for the options of EG3D's generator (init arguments, and attributes set later in their place).

    `axes` are those of its planes, if the file says so. What the options do not say the `shapes` of its weights show.
    Raises ModelError, with the name of the option, for unsupported values.
    """
    rendering = options.part("rendering_kwargs")
    flat = 3 * GeneratorConfig().plane_channels
    planes = next(iter(shapes.get("backbone.synthesis.b4.torgb.weight", ())), flat)
    if planes != flat:
        raise refused(f"its planes have {planes} channels, not {flat} (tri-grids, as in PanoHead, are not supported)")
    radius = rendering.number("avg_camera_radius", 0.0, _FAR, 2.7)
    x, y, z = rendering.numbers("avg_camera_pivot", 3, -_FAR, _FAR, (0.0, 0.0, 0.0))
    camera = _fixed_camera(rendering, radius, (x, y, z))
    config = _config(options, rendering, shapes, camera, radius)
    if axes is not None:
        config = with_axes(config, axes)
    return around(Layout(config, radius, (x, y, z)))


def around(layout: Layout) -> Layout:
    """`layout` if its cameras circle their pivot. Raises ModelError otherwise."""
    # also false for NaN
    if not math.hypot(*layout.pivot) < layout.radius <= _FAR:
        raise refused(f"its cameras do not circle their pivot: radius {layout.radius:g}, pivot {layout.pivot}")
    return layout


def _config(
    options: Options,
    rendering: Options,
    shapes: dict[str, tuple[int, ...]],
    camera: tuple[float, ...] | None,
    radius: float,
) -> GeneratorConfig:
    for part in (options, options.part("sr_kwargs")):
        if part.text("architecture", "skip") != "skip":
            raise refused("its option 'architecture' is not supported (only 'skip' is)")
    if options.part("sr_kwargs").text("activation", "lrelu") != "lrelu":
        raise refused("the activation of its super-resolution is not supported (only 'lrelu' is)")
    if options.whole("img_channels", 0, 64, 3) != 3:
        raise refused("its pictures do not have three colour channels")
    mapping = options.part("mapping_kwargs")
    superresolution = _superresolution(options, rendering)
    near, far, cut = _range(rendering, radius)
    clamp = options.number("conv_clamp", 0.0, 1e6, 0.0)
    config = GeneratorConfig(
        z_dim=options.whole("z_dim", 1, 1 << 20, _shown_size(shapes, "z_dim")),
        c_dim=options.whole("c_dim", 0, 1 << 20, _shown_size(shapes, "c_dim")),
        w_dim=options.whole("w_dim", 1, 1 << 20, _shown_size(shapes, "w_dim")),
        channel_base=options.whole("channel_base", 1, 1 << 30, 32768),
        channel_max=options.whole("channel_max", 1, 1 << 30, 512),
        conv_clamp=clamp or None,
        activation=_activation(options),
        raw_resolution=options.whole("neural_rendering_resolution", 1, 1 << 20, superresolution.input_resolution),
        mapping=MappingConfig(
            layers=mapping.whole("num_layers", 1, 1 << 20, mapping_layers(shapes) or _DEFAULT_LAYERS),
            lr_multiplier=mapping.number("lr_multiplier", 1e-6, 1e6, _DEFAULT_LR_MULTIPLIER),
            activation=_activation(mapping),
            camera_scale=rendering.number("c_scale", -1e6, 1e6, 0.0),
            ignore_camera=rendering.flag("c_gen_conditioning_zero"),
            fixed_camera=camera,
        ),
        decoder=DecoderConfig(lr_multiplier=rendering.number("decoder_lr_mul", 1e-6, 1e6, 1.0)),
        rendering=RenderingConfig(
            near=near,
            far=far,
            cut_by_box=cut,
            coarse_samples=rendering.whole("depth_resolution", 4, 4096),
            fine_samples=rendering.whole("depth_resolution_importance", 0, 4096),
            box=rendering.number("box_warp", 1e-3, _FAR),
            disparity=rendering.flag("disparity_space_sampling"),
            white_background=rendering.flag("white_back"),
        ),
        superresolution=superresolution,
    )
    config = bounded(config)
    size = options.whole("img_resolution", 1, 1 << 20, config.resolution)
    if config.resolution != size:
        raise refused(f"its super-resolution gives {config.resolution} px, not {size}")
    return config


def _superresolution(options: Options, rendering: Options) -> SuperResolutionConfig:
    name = rendering.text("superresolution_module").rpartition(".")[2]
    if name not in _SUPERRESOLUTION:
        raise refused(f"its super-resolution {shown(name)} is unknown")
    noise = rendering.text("superresolution_noise_mode", "none")
    if noise not in ("none", "const", "random"):
        raise refused(f"its option 'superresolution_noise_mode' is {shown(noise)}, which is unknown")
    return replace(
        _SUPERRESOLUTION[name],
        antialias=rendering.flag("sr_antialias", True),
        noise_mode=noise,  # type: ignore[arg-type]
        clamp=256.0 if options.whole("sr_num_fp16_res", 0, 64, 0) > 0 else None,
    )


def _range(rendering: Options, radius: float) -> tuple[float, float, bool]:
    """The nearest and the farthest place on a ray, and whether the box cuts the rays instead."""
    if rendering.text("clamp_mode", "softplus") != "softplus":
        raise refused("its option 'clamp_mode' is not supported (only 'softplus' is)")
    if "auto" in (rendering.values.get("ray_start"), rendering.values.get("ray_end")):
        half = rendering.number("box_warp", 1e-3, _FAR) * math.sqrt(3.0) / 2.0
        return max(1e-3, radius - half), radius + half, True
    near, far = rendering.number("ray_start", 0.0, _FAR), rendering.number("ray_end", 0.0, _FAR)
    if near >= far:
        raise refused(f"its rays end ('ray_end': {far:g}) before they start ('ray_start': {near:g})")
    return near, far, False


def _activation(options: Options) -> Activation:
    name = options.text("activation", "lrelu")
    for known in get_args(Activation):
        if name == known:
            return known
    raise refused(f"its activation {shown(name)} is not supported")


def _fixed_camera(rendering: Options, radius: float, pivot: tuple[float, float, float]) -> tuple[float, ...] | None:
    """LPFF's models are conditioned on the mean camera, which the option itself may contain."""
    name = "c_gen_conditioning_avg"
    if name not in rendering:
        return None
    if len(rendering.array(name)[1]) > 1:
        return rendering.numbers(name, 25, -1e6, 1e6)
    return mean_camera(radius, pivot) if rendering.flag(name) else None


def mean_camera(radius: float, pivot: tuple[float, float, float]) -> tuple[float, ...]:
    """Vector [25] of the camera that sees the front."""
    front = look_at(torch.zeros(1), torch.zeros(1), radius, pivot, FFHQ_FOCAL)
    return tuple(front.vector()[0].tolist())


def plane_axes(options: Options, name: str) -> PlaneAxes:
    """The axes of three planes in an option. Raises ModelError for any other number of planes."""
    shape, numbers = options.array(name)
    if shape != (3, 3, 3):
        raise refused(f"its plane axes have the shape {shape}; only three planes [3,3,3] are supported")
    rows = [(numbers[i], numbers[i + 1], numbers[i + 2]) for i in range(0, 27, 3)]
    first, second, third = ((rows[i], rows[i + 1], rows[i + 2]) for i in range(0, 9, 3))
    return first, second, third


def with_axes(config: GeneratorConfig, axes: PlaneAxes) -> GeneratorConfig:
    """`config` with planes along `axes`."""
    layout = layout_of_axes(axes)
    planes = {"plane_axes": axes} if layout is None else {"plane_layout": layout, "plane_axes": None}
    return bounded(replace(config, rendering=replace(config.rendering, **planes)))


def _shown_size(shapes: dict[str, tuple[int, ...]], name: str) -> int | None:
    """One of the sizes of the mapping network, inferred from its weights."""
    first = shapes.get("backbone.mapping.fc0.weight", ())
    embed = shapes.get("backbone.mapping.embed.weight", ())
    w_dim = next(iter(shapes.get("backbone.mapping.w_avg", ())), None)
    if name == "w_dim":
        return w_dim
    if name == "c_dim":
        return embed[1] if len(embed) == 2 else 0
    return first[1] - (w_dim if embed else 0) if len(first) == 2 and w_dim is not None else None


def mapping_layers(shapes: dict[str, tuple[int, ...]]) -> int:
    """The number of layers of a mapping network for which there are weights."""
    count = 0
    while count <= _MOST_LAYERS and f"backbone.mapping.fc{count}.weight" in shapes:
        count += 1
    return count


def bounded(config: GeneratorConfig) -> GeneratorConfig:
    """`config` if its sizes are plausible. Raises ModelError otherwise: a small file could ask for a huge generator."""
    try:
        return GeneratorConfig.from_json(config.to_json())
    except ValidationError as error:
        raise refused(f"its sizes are not those of a generator: {reason(error).removeprefix('it ')}") from error


@functools.lru_cache(maxsize=4)
def shapes_of(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all parameters and buffers of a generator of `config`, without creating it."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in TriplaneGenerator(config).state_dict().items()}


def fitting(
    shapes: dict[str, tuple[int, ...]], found: dict[str, Any], read: Callable[[Any, str, tuple[int, ...]], Tensor]
) -> dict[str, Tensor]:
    """The weights of a model of these `shapes` out of those that were `found`, each as `read` gives it for its name and
    shape. Raises ModelError, with the name, for what is missing, too much, of another shape, not of floating-point
    numbers (but for the counters of normalisation layers), NaN or infinite."""
    if extra := sorted(found.keys() - shapes.keys()):
        raise refused(f"{shown(extra[0])} does not belong to any part of the model")
    state = {}
    for name, shape in shapes.items():
        if name not in found:
            raise refused(f"{name} is missing")
        state[name] = tensor = read(found[name], name, shape)
        if tensor.dtype not in _FLOATS and not name.endswith(_COUNTER):
            raise refused(f"{name} does not contain floating-point numbers")
        if not torch.isfinite(tensor).all():
            raise refused(f"{name} contains NaN or infinity")
    return state


def is_weight(name: str) -> bool:
    """Whether an entry of a state dictionary, which does not tell weights from buffers, may be a weight: buffers that
    public forks add stand at the top (`dataset_label_std`) or in modules that have no weights."""
    top = "." not in name and name not in _PARAMETERS
    return not (top or name.startswith(_WEIGHTLESS))
