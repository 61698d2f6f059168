"""A bundle: a named model on disk, the generator together with the networks that serve it.

A folder with `model.json` and one safetensors file per part. The model `demo` is part of the package.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from inv3d.core.camera import Camera, look_at
from inv3d.core.errors import ModelError
from inv3d.core.generator import GeneratorConfig, TriplaneGenerator
from inv3d.core.networks.aligner import Aligner
from inv3d.core.networks.identity import JUDGE_WIDTHS, IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork

EMBEDDED = Path(__file__).parents[1] / "models"
PARTS = ("generator", "aligner", "identity", "perceptual", "judge")


@dataclass(frozen=True)
class ModelInfo:
    """What `model.json` says: names, licence, the generator's configuration and its cameras."""

    name: str
    description: str
    license: str
    radius: float
    focal: float
    known_yaw: float
    """Cameras up to this yaw (degrees, either side) were seen in training."""
    generator: GeneratorConfig
    perceptual_outputs: int

    def camera(self, yaw: Tensor, pitch: Tensor) -> Camera:
        """Cameras of the model's own distance and focal length; angles [B] in radians."""
        return look_at(yaw, pitch, self.radius, focal=self.focal)

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "generator": self.generator.to_json()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> ModelInfo:
        return ModelInfo(**{**data, "generator": GeneratorConfig.from_json(data["generator"])})


@dataclass(frozen=True)
class Bundle:
    """A loaded model. All parts are in evaluation mode without gradients; `fingerprint` identifies the generator.

    Fits optimise `identity`; `judge`, trained apart from it, measures what came out.
    """

    info: ModelInfo
    generator: TriplaneGenerator
    aligner: Aligner
    identity: IdentityNetwork
    perceptual: PerceptualNetwork
    judge: IdentityNetwork
    fingerprint: str

    @property
    def name(self) -> str:
        return self.info.name

    def save(self, folder: Path) -> None:
        """Write the bundle with weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            state: dict[str, Tensor] = getattr(self, part).state_dict()
            halves = {name: tensor.half().contiguous() for name, tensor in state.items()}
            (folder / f"{part}.safetensors").write_bytes(save(halves))
        (folder / "model.json").write_text(json.dumps(self.info.to_json(), indent=2) + "\n", encoding="utf-8")


def available() -> list[str]:
    """Names of the models on this machine."""
    return sorted(path.parent.name for path in EMBEDDED.glob("*/model.json"))


def model_folder(name: str) -> Path:
    """Where the model `name` lies. Raises ModelError if there is none."""
    folder = EMBEDDED / name
    if name not in available():
        raise ModelError(
            f"there is no model named '{name}'", f"choose one of: {', '.join(available())} (inv3d models list)"
        )
    return folder


def read_info(name: str) -> ModelInfo:
    """The description of a model without its weights. Raises ModelError."""
    path = model_folder(name) / "model.json"
    try:
        return ModelInfo.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "install inv3d again, or remove the model") from error


def load_bundle(name: str, device: torch.device | str = "cpu") -> Bundle:
    """Load the model `name` in float32. Raises ModelError if it is missing or damaged."""
    info = read_info(name)
    folder = model_folder(name)
    generator = TriplaneGenerator(info.generator)
    parts: dict[str, nn.Module] = {
        "generator": generator,
        "aligner": Aligner(),
        "identity": IdentityNetwork(),
        "perceptual": PerceptualNetwork(info.perceptual_outputs),
        "judge": IdentityNetwork(JUDGE_WIDTHS),
    }
    for part, module in parts.items():
        path = folder / f"{part}.safetensors"
        try:
            module.load_state_dict({key: tensor.float() for key, tensor in load_file(path).items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelError(f"{path} cannot be loaded: {str(error).splitlines()[0]}", "install inv3d again") from error
        module.eval().requires_grad_(False).to(device)
    fingerprint = hashlib.sha256((folder / "generator.safetensors").read_bytes()).hexdigest()[:16]
    return Bundle(info, **parts, fingerprint=fingerprint)  # type: ignore[arg-type]
