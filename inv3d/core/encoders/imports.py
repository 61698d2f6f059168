"""Public encoders of pSp's family (e4e, PREIM3D) for an imported generator, read as data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from inv3d.core.bundle import Bundle
from inv3d.core.checkpoints.eg3d import fitting
from inv3d.core.checkpoints.read import opened, read_object
from inv3d.core.checkpoints.symbols import Symbol, dictionary, refused
from inv3d.core.codes import sample_codes
from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, Kind, build_encoder

_PUBLIC = EncoderConfig()
_KINDS: dict[str, Kind] = {
    "GradualStyleEncoder": "pyramid",
    "Encoder4Editing": "offsets",
    "WPlusEncoder": "last-layer",
    "BackboneEncoderUsingLastLayerIntoWPlus": "last-layer",
}
_FIRST = "input_layer.0.weight"
"""The first weight of every encoder."""
_E3DGE = ("styles_pigan.", "image_filter.conv1.")
"""In the names of weights of E3DGE's public encoders, whose codes are StyleSDF's."""
_TRUNCATION = 0.7
"""The key of the mean code that the public encoders add to their output."""


def read_public_encoder(path: Path, bundle: Bundle) -> Encoder:
    """The encoder in a `torch.save` file of pSp's form (`state_dict` and `opts`); nothing of the file is executed.

    Raises ModelError if the file is damaged, hostile, or of another model than `bundle`.
    """
    with opened(path) as (file, start, size):
        value, reader = read_object(file, start, size)
        root = dictionary(value)
        if _is_e3dge(root):
            raise refused(
                "it is an encoder of E3DGE for a StyleSDF generator; for EG3D models there are no public ones: train one "
                "with inv3d train encoder --recipe e3dge"
            )
        own = _own_weights(dictionary(root.get("state_dict")) or root)
        config = replace(
            _PUBLIC,
            kind=_kind(_options(root.get("opts")), own),
            num_ws=bundle.generator.code_space.num_ws,
            w_dim=bundle.info.generator.w_dim,
        )
        with torch.device("meta"):
            shapes = {name: tuple(tensor.shape) for name, tensor in build_encoder(config).state_dict().items()}
        state = fitting(shapes, own, reader.read)
    with torch.device("meta"):
        encoder = build_encoder(config)
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    encoder.load_state_dict(floats, assign=True)
    mean = torch.lerp(
        bundle.generator.mean_w, sample_codes(bundle.generator, bundle.info.front, 10_000).mean(0), _TRUNCATION
    )
    encoder.mean_code = mean.expand(config.num_ws, -1).clone()
    return encoder.eval().requires_grad_(False)


def _is_e3dge(root: dict[Any, Any]) -> bool:
    """Whether the file has weights of E3DGE's networks, by themselves or in one of its dictionaries."""
    names = [name for weights in (root, *map(dictionary, root.values())) for name in weights if isinstance(name, str)]
    return any(part in name for name in names for part in _E3DGE)


def _own_weights(weights: dict[Any, Any]) -> dict[str, Any]:
    """The weights of the encoder among those of other networks, whose names may begin with those of wrapping modules."""
    names = [name for name in weights if isinstance(name, str)]
    prefixes = [name.removesuffix(_FIRST) for name in names if name.endswith(_FIRST)]
    prefixes = [prefix for prefix in prefixes if prefix == "" or prefix.endswith(".")]
    # a file may also contain networks of losses, whose names begin alike
    prefix = min(prefixes, key=lambda prefix: ("encoder." not in prefix, len(prefix)), default=None)
    if prefix is None:
        raise refused("it contains no encoder (encoder.* in state_dict)")
    return {name.removeprefix(prefix): weights[name] for name in names if name.startswith(prefix)}


def _options(value: Any) -> dict[Any, Any]:
    """The training options, stored as a dictionary or a namespace."""
    if isinstance(value, Symbol) and isinstance(value.state, dict):
        return value.state
    return dictionary(value)


def _kind(options: dict[Any, Any], weights: dict[str, Any]) -> Kind:
    """pSp and e4e have weights of the same names, so the options decide; without them it is the e4e of the defaults."""
    named = options.get("encoder_type")
    if isinstance(named, str) and named in _KINDS:
        return _KINDS[named]
    return "last-layer" if "output_layer_2.3.weight" in weights else "offsets"
