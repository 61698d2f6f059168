"""The public families of EG3D models: the facts that a file with only weights lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inv3d.core.checkpoints.eg3d import Layout, bounded, mapping_layers, mean_camera
from inv3d.core.checkpoints.symbols import refused
from inv3d.core.errors import UsageError
from inv3d.core.generator import GeneratorConfig
from inv3d.core.generator.config import eg3d_ffhq, eg3d_shapenet_cars

_FACES = (0.0, 0.0, 0.2)


def _lpff() -> Layout:
    config = eg3d_ffhq()
    mapping = replace(config.mapping, fixed_camera=mean_camera(2.7, _FACES))
    return Layout(
        replace(config, mapping=mapping, rendering=replace(config.rendering, plane_layout="xy-xz-yz")), 2.7, _FACES
    )


FAMILIES = {
    "ffhq": Layout(eg3d_ffhq(), 2.7, _FACES),
    "lpff": _lpff(),
    "afhqcats": Layout(eg3d_ffhq(), 2.7, (0.0, 0.0, -0.06)),
    "shapenetcars": Layout(eg3d_shapenet_cars(), 1.7, (0.0, 0.0, 0.0)),
}


def family(name: str) -> Layout:
    """The family `name`. Raises UsageError if there is none."""
    if name not in FAMILIES:
        raise UsageError(f"there is no model family '{name}'", f"choose one of: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def sized(config: GeneratorConfig, shapes: dict[str, tuple[int, ...]]) -> GeneratorConfig:
    """`config` with the widths inferred from the `shapes` of its weights. Raises ModelError if that is impossible."""

    def width(name: str, axis: int) -> Any:
        shape = shapes.get(name, ())
        if len(shape) <= axis:
            raise refused(f"{name} is missing")
        return shape[axis]

    w_dim = width("backbone.mapping.w_avg", 0)
    conditioned = "backbone.mapping.embed.weight" in shapes
    finest = config.plane_resolution
    return bounded(
        replace(
            config,
            w_dim=w_dim,
            z_dim=width("backbone.mapping.fc0.weight", 1) - (w_dim if conditioned else 0),
            c_dim=width("backbone.mapping.embed.weight", 1) if conditioned else 0,
            channel_base=finest * width(f"backbone.synthesis.b{finest}.conv1.weight", 0),
            channel_max=width("backbone.synthesis.b4.conv1.weight", 0),
            mapping=replace(config.mapping, layers=mapping_layers(shapes)),
        )
    )
