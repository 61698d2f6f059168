"""Generators as EG3D's code keeps them (Chan et al. 2022): options, modules, names and shapes of all weights."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from inv3d.core.checkpoints.symbols import Symbol, refused
from inv3d.core.checkpoints.tensors import TensorReader
from inv3d.core.generator import GeneratorConfig, TriplaneGenerator
from inv3d.core.generator.config import DecoderConfig, MappingConfig, RenderingConfig, SuperResolutionConfig

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_DICTIONARIES = ("collections.OrderedDict", "dnnlib.util.EasyDict")
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_MAX_DEPTH, _MAX_LENGTH = 3, 100
"""Of options in options; a file whose parts hold each other would have no end."""
_LIMITS = {
    "z_dim": (1, 4096), "c_dim": (0, 1024), "w_dim": (1, 4096), "channel_base": (256, 1 << 20),
    "channel_max": (1, 4096), "raw_resolution": (16, 1024), "plane_resolution": (8, 512),
}  # fmt: skip

_SUPERRESOLUTION = {
    "SuperresolutionHybrid8XDC": SuperResolutionConfig((256, 128), 128),
    "SuperresolutionHybrid8X": SuperResolutionConfig((128, 64), 128, shared_filter=True),
    "SuperresolutionHybrid4X": SuperResolutionConfig((128, 64), 128, upsample_first=False, shared_filter=True),
    "SuperresolutionHybrid2X": SuperResolutionConfig((128, 64), 64, upsample_first=False, shared_filter=True),
}


@dataclass(frozen=True)
class Layout:
    """What a generator is apart from its weights: its `config`, and the cameras that see what it was trained on:
    their distance from the origin and the point they look at, world units."""

    config: GeneratorConfig
    radius: float = 2.7
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Checkpoint:
    """A generator as it lies in a file: its layout, and all parameters and buffers by name, bit by bit."""

    layout: Layout
    state: dict[str, Tensor]


def of_module(generator: Symbol, reader: TensorReader) -> Checkpoint:
    """The generator that was saved as a module, with its options. Raises ModelError if it is another model."""
    attributes = _attributes(generator)
    layout = layout_of(attributes.get("_init_kwargs"), attributes.get("neural_rendering_resolution"))
    return Checkpoint(layout, fitting(shapes_of(layout.config), _tensors(generator), reader.read))


def layout_of(options: Any, raw_resolution: Any = None) -> Layout:
    """The layout for the init arguments of EG3D's generator; rays per side are those of its super-resolution if not
    told. Raises ModelError if they are no such arguments."""
    try:
        arguments = _plain(options)
        config = config_of(arguments, None if raw_resolution is None else _plain(raw_resolution))
        rendering = arguments["rendering_kwargs"]
        x, y, z = (float(v) for v in rendering.get("avg_camera_pivot", (0.0, 0.0, 0.0)))
        return Layout(config, float(rendering.get("avg_camera_radius", 2.7)), (x, y, z))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise refused(f"its options are not those of an EG3D generator ({error})") from error


def fitting(
    shapes: dict[str, tuple[int, ...]], found: dict[str, Any], read: Callable[[Any, str, tuple[int, ...]], Tensor]
) -> dict[str, Tensor]:
    """The weights of a model of these `shapes` out of those that were `found`, each as `read` gives it for its name and
    shape. Raises ModelError, with the name, for what is missing, too much or of another shape."""
    if extra := sorted(str(name) for name in found.keys() - shapes.keys()):
        raise refused(f"{extra[0][:80]!r} belongs to no part of the model")
    state = {}
    for name, shape in shapes.items():
        if name not in found:
            raise refused(f"{name} is missing")
        state[name] = read(found[name], name, shape)
    return state


def config_of(options: dict[str, Any], raw_resolution: int | None) -> GeneratorConfig:
    """The configuration for the init arguments of EG3D's generator. Raises ModelError for what is not supported."""
    rendering = options["rendering_kwargs"]
    layers = int(options["mapping_kwargs"]["num_layers"])
    name = str(rendering["superresolution_module"]).rpartition(".")[2]
    if name not in _SUPERRESOLUTION:
        raise refused(f"its super-resolution {name[:60]!r} is not known")
    if rendering["clamp_mode"] != "softplus" or "auto" in (rendering["ray_start"], rendering["ray_end"]):
        raise refused("its ray options (clamp_mode, ray_start, ray_end) are not supported")
    superresolution = replace(
        _SUPERRESOLUTION[name],
        antialias=bool(rendering["sr_antialias"]),
        noise_mode=rendering["superresolution_noise_mode"],
        clamp=256.0 if options.get("sr_num_fp16_res", 0) > 0 else None,
    )
    config = GeneratorConfig(
        z_dim=int(options["z_dim"]),
        c_dim=int(options["c_dim"]),
        w_dim=int(options["w_dim"]),
        channel_base=int(options.get("channel_base", 32768)),
        channel_max=int(options.get("channel_max", 512)),
        conv_clamp=options.get("conv_clamp"),
        raw_resolution=int(superresolution.input_resolution if raw_resolution is None else raw_resolution),
        mapping=MappingConfig(
            layers=layers,
            camera_scale=float(rendering.get("c_scale", 0.0)),
            ignore_camera=bool(rendering["c_gen_conditioning_zero"]),
        ),
        decoder=DecoderConfig(lr_multiplier=float(rendering["decoder_lr_mul"])),
        rendering=RenderingConfig(
            near=float(rendering["ray_start"]),
            far=float(rendering["ray_end"]),
            coarse_samples=int(rendering["depth_resolution"]),
            fine_samples=int(rendering["depth_resolution_importance"]),
            box=float(rendering["box_warp"]),
            disparity=bool(rendering["disparity_space_sampling"]),
            white_background=bool(rendering.get("white_back", False)),
        ),
        superresolution=superresolution,
    )
    bounded(config)
    if config.resolution != int(options["img_resolution"]):
        raise refused(f"its super-resolution gives {config.resolution} px, not {options['img_resolution']}")
    return config


def bounded(config: GeneratorConfig) -> GeneratorConfig:
    """`config` if its sizes are those that generators have. Raises ModelError: a small file could ask for a huge one."""
    within = all(low <= getattr(config, name) <= high for name, (low, high) in _LIMITS.items())
    if not (within and 1 <= config.mapping.layers <= 16):
        raise refused("its sizes are not those of any generator")
    return config


def shapes_of(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all parameters and buffers of a generator of `config`, without making it."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in TriplaneGenerator(config).state_dict().items()}


def _attributes(module: Any) -> dict[str, Any]:
    """The attributes of a module, kept with its source (persistent objects) or without."""
    if isinstance(module, Symbol) and module.name == _PERSISTENT and len(module.arguments) == 1:
        return dictionary(dictionary(module.arguments[0]).get("state"))
    if isinstance(module, Symbol):
        return dictionary(module.state)
    raise refused("it holds no generator (G_ema)")


def _tensors(root: Any) -> dict[str, Any]:
    """All parameters and buffers below a module, by their full names, not rebuilt yet."""
    found: dict[str, Any] = {}
    todo, seen = [("", root)], set()
    while todo:
        prefix, module = todo.pop()
        if id(module) in seen:
            raise refused("its modules hold each other")
        seen.add(id(module))
        attributes = _attributes(module)
        passing = attributes.get("_non_persistent_buffers_set")
        for kind in ("_parameters", "_buffers"):
            for name, value in dictionary(attributes.get(kind)).items():
                if value is not None and not (isinstance(passing, set) and name in passing):
                    found[f"{prefix}{name}"] = value
        children = dictionary(attributes.get("_modules")).items()
        todo += [(f"{prefix}{name}.", child) for name, child in children if child is not None]
    return found


def dictionary(value: Any) -> dict[Any, Any]:
    """A dictionary, or one of those that a file has as a call; empty for anything else."""
    if isinstance(value, dict):
        return value
    return value.items if isinstance(value, Symbol) and value.name in _DICTIONARIES else {}


def _plain(value: Any, depth: int = 0) -> Any:
    """Options without symbols: dictionaries, sequences, numbers, text."""
    if depth > _MAX_DEPTH:
        raise refused("its options hold each other")
    if isinstance(value, Symbol) and value.name in _SCALARS:
        kind, raw = value.arguments
        code = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}[kind.arguments[0]]
        return struct.unpack(code, raw)[0]
    if isinstance(value, list | tuple | dict) and len(value) > _MAX_LENGTH:
        raise refused("its options are too many")
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict) or (isinstance(value, Symbol) and value.name in _DICTIONARIES):
        return {key: _plain(item, depth + 1) for key, item in dictionary(value).items()}
    return value
