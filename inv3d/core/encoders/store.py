"""Encoders of a model on disk: one file each beside the model's other parts, with its configuration inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.e3dge import E3dge, E3dgeConfig
from inv3d.core.encoders.kinds import E3DGE, WTRI
from inv3d.core.encoders.local import LocalBranch, LocalConfig
from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, build_encoder
from inv3d.core.encoders.wtri import Wtri, WtriConfig
from inv3d.core.errors import ModelError
from inv3d.core.files import write_whole
from inv3d.core.generator.detail import DetailFilm
from inv3d.core.library import model_folder
from inv3d.core.records import reason
from inv3d.core.weights import Refuse, outline, read_metadata, read_tensors, shapes_of

Stored = TypeVar("Stored", Encoder, E3dge, Wtri)
Config = TypeVar("Config")

_CODES: TypeAdapter[EncoderConfig] = TypeAdapter(EncoderConfig)
_PARTS: TypeAdapter[E3dgeConfig] = TypeAdapter(E3dgeConfig)
_PASSES: TypeAdapter[WtriConfig] = TypeAdapter(WtriConfig)
_KEY, _MEAN = "encoder", "mean_code"


def encoder_file(model: str, name: str) -> Path:
    """Path of the encoder `name` of a model, existing or not. Raises ModelError if there is no such model."""
    return model_folder(model) / f"{name}.safetensors"


def has_encoder(model: str, name: str) -> bool:
    """Whether a model has the encoder `name`. Raises ModelError if there is no such model."""
    return encoder_file(model, name).is_file()


def save_encoder(encoder: Encoder | E3dge | Wtri, path: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write an encoder with its configuration and mean code, whole or not at all."""
    state: dict[str, Tensor] = {**encoder.state_dict(), _MEAN: encoder.mean_code}
    kept = {key: (_narrowed(t, dtype) if t.is_floating_point() else t).cpu().contiguous() for key, t in state.items()}
    with write_whole(path, replace=True) as part:
        part.write_bytes(save(kept, metadata={_KEY: json.dumps(encoder.config.to_json())}))


def _narrowed(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers in fewer bits, unless some are too large for that, as variances may be."""
    narrow = numbers.to(dtype)
    return narrow if bool(narrow.isfinite().all()) else numbers


def load_encoder(model: str, name: str, device: torch.device | str = "cpu") -> Encoder:
    """The encoder `name` of a model, in float32, ready for use. Raises ModelError if it is missing or damaged."""
    return _load(model, name, _CODES, build_encoder, device)


def load_e3dge(model: str, device: torch.device | str = "cpu") -> E3dge:
    """The encoder of E3DGE of a model, as `load_encoder`."""
    return _load(model, E3DGE, _PARTS, E3dge, device)


def local_branch(bundle: Bundle, film: DetailFilm) -> LocalBranch | None:
    """The local branch that has read a detail with this `film`, if the model still has it. Raises ModelError if it is damaged."""
    if not has_encoder(bundle.name, E3DGE):
        return None
    branch, kept = load_e3dge(bundle.name, bundle.generator.device).local, film.state_dict()
    own = branch.film.state_dict()
    same = shapes_of(branch.film) == shapes_of(film) and all(torch.equal(own[name], kept[name]) for name in own)
    return branch if same else None


def load_wtri(model: str, device: torch.device | str = "cpu") -> Wtri:
    """The encoder into W_tri of a model, as `load_encoder`."""
    return _load(model, WTRI, _PASSES, Wtri, device)


def _load(
    model: str, name: str, kind: TypeAdapter[Config], build: Callable[[Config], Stored], device: torch.device | str
) -> Stored:
    path = encoder_file(model, name)
    if not path.is_file():
        raise ModelError(
            f"the model '{model}' has no encoder '{name}'",
            f"train one (inv3d train encoder --recipe {name} --model {model}), or use --encoder none",
        )
    refuse = _refuse(path)
    config = _configuration(path, kind, refuse)
    encoder = outline(lambda: build(config))
    expected = {**shapes_of(encoder), _MEAN: tuple(encoder.mean_code.shape)}
    whole = {key for key, tensor in encoder.state_dict().items() if not tensor.is_floating_point()}
    state = read_tensors(path, expected, refuse, whole=whole)
    encoder.mean_code = state.pop(_MEAN)
    encoder.load_state_dict(state, assign=True)
    return encoder.eval().requires_grad_(False).to(device)


def check_encoder(config: EncoderConfig | WtriConfig, bundle: Bundle) -> None:
    """Raises ModelError if an encoder gives codes that the generator cannot take: it belongs to another model."""
    space, finer = bundle.generator.code_space, bundle.generator.wtri_space
    # that of W_tri may have been trained for W+, as the paper's baseline
    spaces = [finer, space] if isinstance(config, WtriConfig) and finer is not None else [space]
    if (config.num_ws, config.w_dim) not in [(each.num_ws, each.w_dim) for each in spaces]:
        space = spaces[0]
        raise ModelError(
            f"the encoder of '{bundle.name}' gives {config.num_ws} codes of {config.w_dim} numbers, not {space.num_ws} of "
            f"{space.w_dim}",
            "it belongs to another model: train or import it again",
        )


def check_decoded(config: LocalConfig, bundle: Bundle) -> None:
    """Raises ModelError if local features are made for another generator."""
    decoded = bundle.generator.decoded_features
    if config.decoded != decoded:
        raise ModelError(
            f"the local features of the encoder of '{bundle.name}' change {config.decoded} numbers, not {decoded}",
            "it belongs to another model: train it again",
        )


def _configuration(path: Path, kind: TypeAdapter[Config], refuse: Refuse) -> Config:
    """The configuration in the file of an encoder. Raises ModelError."""
    metadata = read_metadata(path, refuse)
    try:
        return kind.validate_json(metadata.get(_KEY, ""))
    except ValidationError as error:
        raise refuse(reason(error)) from error


def _refuse(path: Path) -> Refuse:
    return lambda why: ModelError(
        f"{path} cannot be loaded: {why}", "reinstall inv3d, or train or import the encoder again"
    )
