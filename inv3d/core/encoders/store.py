"""Encoders of a model on disk: one file each beside the model's other parts, with its configuration inside."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from inv3d.core.encoders.pyramid import Encoder, EncoderConfig, build_encoder
from inv3d.core.errors import ModelError
from inv3d.core.files import write_whole
from inv3d.core.library import model_folder

PREIM3D = "preim3d"
ENCODERS = (PREIM3D,)
"""The kinds of encoders that there are."""
_KEY, _MEAN = "encoder", "mean_code"


def encoder_file(model: str, name: str) -> Path:
    """Where the encoder `name` of a model lies, or belongs. Raises ModelError if there is no such model."""
    return model_folder(model) / f"{name}.safetensors"


def save_encoder(encoder: Encoder, path: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write an encoder with its configuration and mean code, whole or not at all."""
    state: dict[str, Tensor] = {**encoder.state_dict(), _MEAN: encoder.mean_code}
    kept = {key: (t.to(dtype) if t.is_floating_point() else t).cpu().contiguous() for key, t in state.items()}
    with write_whole(path, replace=True) as part:
        part.write_bytes(save(kept, metadata={_KEY: json.dumps(encoder.config.to_json())}))


def load_encoder(model: str, name: str, device: torch.device | str = "cpu") -> Encoder:
    """The encoder `name` of a model, in float32, ready for use. Raises ModelError if it is missing or damaged."""
    path = encoder_file(model, name)
    if not path.is_file():
        raise ModelError(
            f"the model '{model}' has no encoder '{name}'",
            f"train one (inv3d train encoder --recipe {name} --model {model}), or use --encoder none",
        )
    try:
        with safe_open(path, "pt") as file:
            config = EncoderConfig.from_json(json.loads(file.metadata()[_KEY]))
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dictionary
        encoder = build_encoder(config)
        encoder.mean_code.copy_(state.pop(_MEAN))
        encoder.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        message = f"{path} cannot be loaded: {str(error).splitlines()[0]}"
        raise ModelError(message, "install inv3d again, or train or import the encoder again") from error
    return encoder.eval().requires_grad_(False).to(device)
