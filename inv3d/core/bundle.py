"""A bundle: a named model on disk, the generator together with the networks that serve it.

A folder with `model.json` and one safetensors file per part. The model `demo` is part of the package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from inv3d.core.camera import CONVENTION, Camera, look_at
from inv3d.core.codes import CodeStatistics, sample_codes
from inv3d.core.errors import ModelError
from inv3d.core.generator import GeneratorConfig, TriplaneGenerator
from inv3d.core.library import DESCRIPTION, model_folder, sha256
from inv3d.core.networks.aligner import Aligner
from inv3d.core.networks.identity import JUDGE_WIDTHS, IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork

PARTS = ("generator", "aligner", "identity", "perceptual", "judge")
WEIGHTS, ALIGNER, CODES = "generator.safetensors", "aligner.safetensors", "codes.safetensors"
_LENDER = "demo"
"""The model whose networks compare pictures for models that have none of their own."""


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
    perceptual_outputs: int | None = None
    """What its own perceptual network reads off pictures; None if it has none."""
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The point that cameras look at, world units."""
    subject: Literal["heads", "faces", "things"] = "heads"
    """Stylised heads, photographed faces (which face detectors find), or what has no face (and no identity)."""
    camera_convention: str = CONVENTION
    source: dict[str, str] | None = None
    """Where an imported model comes from: the file's name, its SHA-256, and that of the weights made of it."""

    def camera(self, yaw: Tensor, pitch: Tensor) -> Camera:
        """Cameras as the model knows them; angles [B] in radians."""
        return look_at(yaw, pitch, self.radius, self.pivot, self.focal)

    @property
    def front(self) -> Camera:
        """The one camera that sees the front."""
        return self.camera(torch.zeros(1), torch.zeros(1))

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "generator": self.generator.to_json()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> ModelInfo:
        x, y, z = data.get("pivot", (0.0, 0.0, 0.0))
        return ModelInfo(**{**data, "generator": GeneratorConfig.from_json(data["generator"]), "pivot": (x, y, z)})


class Perceptual(Protocol):
    """Says how different two batches of images [B,3,R,R] in [-1,1] look, [B]."""

    def distance(self, a: Tensor, b: Tensor) -> Tensor: ...


class Identity(Protocol):
    """Says how alike the people in two batches of aligned images are, [B] in [-1,1]."""

    def similarity(self, a: Tensor, b: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class NetworkNames:
    """What compares pictures, for the report."""

    perceptual: str = f"the perceptual network of {_LENDER}"
    identity: str = f"the identity network of {_LENDER}"
    judge: str = f"the judge of {_LENDER}"


@dataclass(frozen=True)
class Bundle:
    """A loaded model. All parts are in evaluation mode without gradients; `fingerprint`, the first digits of its
    file's SHA-256, identifies the generator.

    Fits optimise `identity`; `judge`, trained apart from it, measures what came out.
    """

    info: ModelInfo
    generator: TriplaneGenerator
    own_aligner: Aligner | None
    identity: Identity
    perceptual: Perceptual
    judge: Identity
    fingerprint: str
    statistics: CodeStatistics | None = None
    """What `inv3d models prepare` has measured, if it did."""
    names: NetworkNames = NetworkNames()

    @property
    def mean_code(self) -> Tensor:
        """The mean code [w_dim]: as measured, else as the generator's training kept it."""
        return self.generator.backbone.mapping.w_avg if self.statistics is None else self.statistics.mean

    @property
    def code_spread(self) -> float:
        """Root mean squared distance of codes w to their mean, per entry."""
        if self.statistics is not None:
            return float(self.statistics.spread)
        codes = sample_codes(self.generator, self.info.front, 1000)
        return float((codes - codes.mean(0)).square().mean().sqrt())

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def aligner(self) -> Aligner:
        """Raises ModelError if none was trained for this model yet."""
        if self.own_aligner is None:
            raise ModelError(
                f"the model '{self.name}' cannot find heads in pictures yet", f"run: inv3d models prepare {self.name}"
            )
        return self.own_aligner

    def save(self, folder: Path) -> None:
        """Write the bundle with weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            state: dict[str, Tensor] = getattr(self, part).state_dict()
            halves = {name: tensor.half().contiguous() for name, tensor in state.items()}
            (folder / f"{part}.safetensors").write_bytes(save(halves))
        (folder / DESCRIPTION).write_text(json.dumps(self.info.to_json(), indent=2) + "\n", encoding="utf-8")


def read_info(name: str) -> ModelInfo:
    """The description of a model without its weights. Raises ModelError."""
    path = model_folder(name) / DESCRIPTION
    try:
        return ModelInfo.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "install inv3d again, or remove the model") from error


def load_bundle(name: str, device: torch.device | str = "cpu") -> Bundle:
    """Load the model `name` in float32. Raises ModelError if it is missing or damaged.

    A model without networks that compare pictures borrows those of the embedded one.
    """
    info = read_info(name)
    folder = model_folder(name)
    generator = TriplaneGenerator(info.generator)
    _load(generator, folder / WEIGHTS, device)
    upper = generator.superresolution
    if upper is not None:
        # the public models clamp where they were trained in float16
        upper.half_precision = torch.device(device).type == "cuda" and upper.config.clamp is not None
    own = info.perceptual_outputs is not None
    outputs = info.perceptual_outputs if own else read_info(_LENDER).perceptual_outputs
    assert outputs is not None
    lender = folder if own else model_folder(_LENDER)
    networks: dict[str, nn.Module] = {
        "identity": IdentityNetwork(),
        "perceptual": PerceptualNetwork(outputs),
        "judge": IdentityNetwork(JUDGE_WIDTHS),
    }
    for part, network in networks.items():
        _load(network, lender / f"{part}.safetensors", device)
    aligner = Aligner()
    prepared = own or (folder / ALIGNER).exists()
    if prepared:
        _load(aligner, folder / ALIGNER, device)
    return Bundle(
        info,
        generator,
        aligner if prepared else None,
        **networks,  # type: ignore[arg-type]
        fingerprint=sha256(folder / WEIGHTS)[:16],
        statistics=_statistics(folder / CODES, device),
    )


def _statistics(path: Path, device: torch.device | str) -> CodeStatistics | None:
    """Raises ModelError if the file is there and damaged."""
    if not path.exists():
        return None
    try:
        return CodeStatistics(**{name: tensor.to(device) for name, tensor in load_file(path).items()})
    except (OSError, SafetensorError, TypeError) as error:
        raise ModelError(f"{path} cannot be loaded: {str(error).splitlines()[0]}", "prepare the model again") from error


def _load(module: nn.Module, path: Path, device: torch.device | str) -> None:
    """Weights of a part, in float32, ready for use. Raises ModelError."""
    try:
        state = {key: tensor.float() for key, tensor in load_file(path).items()}
        module.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"{path} cannot be loaded: {str(error).splitlines()[0]}", "install inv3d, or import the model, again"
        ) from error
    module.eval().requires_grad_(False).to(device)
