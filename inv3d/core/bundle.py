"""A bundle: a named model on disk, that is a generator and the networks that belong to it.

A folder with `model.json` and one safetensors file per part. The models `demo`, `cats` and `chairs` are part of the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

import torch
from pydantic import Field, model_validator
from safetensors.torch import save
from torch import Tensor

from inv3d.core import facepoints
from inv3d.core.camera import CONVENTION, Camera, look_at
from inv3d.core.codes import CodeStatistics, sample_codes
from inv3d.core.editing import directions
from inv3d.core.editing.directions import Directions
from inv3d.core.editing.styles import Style, load_style, style_file, style_names
from inv3d.core.errors import ModelError
from inv3d.core.files import write_whole
from inv3d.core.generator import Generator, TriplaneGenerator
from inv3d.core.generator.config import Distance, SoundConfig, Width
from inv3d.core.library import DESCRIPTION, model_folder, sha256
from inv3d.core.networks.aligner import Aligner
from inv3d.core.networks.facemesh import POINTS
from inv3d.core.networks.identity import JUDGE_WIDTHS, IdentityNetwork
from inv3d.core.networks.perceptual import TYPICAL_LPIPS, Features, PerceptualNetwork
from inv3d.core.records import Record, Text, read_record, write_record
from inv3d.core.weights import Module, Refuse, Shape, has_tensor, load_module, read_tensors
from inv3d.core.world import Measured, World, measure_world

PARTS = ("generator", "aligner", "identity", "perceptual", "judge")
"""Of a model with networks of its own for comparing pictures; others have the first, and the second once prepared."""
WEIGHTS, ALIGNER, CODES = "generator.safetensors", "aligner.safetensors", "codes.safetensors"
WORLD = "world.safetensors"
LENDER = "demo"
"""The model that lends its networks for comparing pictures to models without their own, and a start to their aligners."""


Limit = Annotated[float, Field(ge=-1000.0, le=1000.0)]


class ModelInfo(Record):
    """The content of `model.json`: names, licence, the generator's configuration and its cameras."""

    fault = ModelError
    hint = "reinstall inv3d, or remove the model and import it again"
    largest = 1 << 17

    name: Text
    description: Text
    license: Text
    radius: Distance
    focal: Annotated[float, Field(gt=0.01, le=1000.0)]
    known_yaw: Annotated[float, Field(ge=0.0, le=180.0)]
    """Largest yaw of the training pictures, in degrees, to either side."""
    architecture: Literal["triplane"] = TriplaneGenerator.architecture
    """The class of the generator."""
    generator: SoundConfig
    perceptual_outputs: Width | None = None
    """Outputs of the model's own perceptual network; None if it has none."""
    pivot: tuple[Limit, Limit, Limit] = (0.0, 0.0, 0.0)
    """The point that cameras look at, world units."""
    subject: Literal["heads", "faces", "things"] = "heads"
    """Drawn heads of people, photographed faces (which face detectors find), or things without a human face (and identity)."""
    drawn_from: Literal["toons", "people", "cats", "chairs"] | None = None
    """The source whose heads an embedded model learned."""
    camera_convention: Text = CONVENTION
    source: Annotated[dict[Text, Text], Field(max_length=32)] | None = None
    """Origin of an imported model: the file's name, its SHA-256, and that of the converted weights."""

    @model_validator(mode="after")
    def _cameras(self) -> Self:
        if math.hypot(*self.pivot) >= self.radius:
            raise ValueError("radius should be greater than the distance of the pivot")
        if self.camera_convention != CONVENTION:
            raise ValueError("camera_convention is unknown")
        return self

    def camera(self, yaw: Tensor, pitch: Tensor) -> Camera:
        """Cameras as the model knows them; angles [B] in radians."""
        return look_at(yaw, pitch, self.radius, self.pivot, self.focal)

    @property
    def front(self) -> Camera:
        """The frontal camera."""
        return self.camera(torch.zeros(1), torch.zeros(1))


class Perceptual(Protocol):
    """Compares two batches of images [B,3,R,R] in [-1,1]: their perceptual distance [B], or that `between` their features,
    and the cosine similarity [B] of what they show as a whole."""

    def features(self, images: Tensor, /) -> Features: ...

    def between(self, a: Features, b: Features) -> Tensor: ...

    def distance(self, a: Tensor, b: Tensor) -> Tensor: ...

    def similarity(self, a: Tensor, b: Tensor) -> Tensor: ...


class Identity(Protocol):
    """Unit embeddings [B,E] of aligned images, and the identity similarity [B] in [-1,1] of two batches: their product."""

    def __call__(self, image: Tensor, /) -> Tensor: ...

    def similarity(self, a: Tensor, b: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class NetworkNames:
    """Names of the networks that compare pictures, for the report."""

    perceptual: str = f"the perceptual network of {LENDER}"
    identity: str = f"the identity network of {LENDER}"
    judge: str = f"the judge of {LENDER}"


@dataclass(frozen=True)
class Bundle:
    """A loaded model. All parts are in evaluation mode without gradients; `fingerprint`, the first digits of its
    file's SHA-256, identifies the generator.

    Fits optimise `identity`; `judge`, trained apart from it, measures the result.
    """

    info: ModelInfo
    generator: Generator
    own_aligner: Aligner | None
    identity: Identity
    perceptual: Perceptual
    judge: Identity
    fingerprint: str
    statistics: CodeStatistics | None = None
    """The statistics that `inv3d models prepare` measured, if any."""
    names: NetworkNames = NetworkNames()
    world: World | None = None
    """What the model's own networks have seen; those of a model without its own are the lender's."""
    directions: Directions | None = None
    """The directions found for these weights of the generator, if any."""
    face: Tensor | None = None
    """The points [468,3] of the mean face in the model's world (see `facepoints`), if it shows people and they are known."""
    helper_typical: float | None = None
    """The typical distance of `perceptual` (see `typical_distance`), if it is not the model's own."""

    @property
    def styles(self) -> list[str]:
        """The names of the model's styles."""
        return style_names(model_folder(self.name))

    def style(self, name: str) -> Style:
        """A style of the model. Raises UsageError if it has none of this name, ModelError."""
        folder = model_folder(self.name)
        refuse = _refuse(style_file(folder, name), "reinstall inv3d, or train the style again")
        return load_style(folder, name, self.generator, self.fingerprint, refuse)

    @property
    def perceptual_scale(self) -> float:
        """The scale of the distances of `perceptual`, in those of LPIPS (AlexNet)."""
        typical = self.helper_typical
        if typical is None:
            typical = TYPICAL_LPIPS if self.world is None else self.world.measured.typical
        return typical / TYPICAL_LPIPS

    def strangeness(self, images: Tensor) -> float:
        """How far images [B,3,R,R] of one head lie outside of what the model's own networks have seen (see `World`); 0 for
        things, whose likeness nobody judges."""
        return 0.0 if self.world is None or self.shows_things else self.world.strangeness(images)

    @property
    def shows_things(self) -> bool:
        """Whether the model shows things without a human face, and so without an identity that any judge knows."""
        return self.info.subject == "things"

    @property
    def judge_knows_photographs(self) -> bool:
        """Whether `judge` was trained on photographs, as no network of a model is."""
        return not isinstance(self.judge, IdentityNetwork)

    @property
    def mean_code(self) -> Tensor:
        """The mean code [w_dim]: as measured, otherwise as tracked during the generator's training."""
        return self.generator.mean_w if self.statistics is None else self.statistics.mean

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
        """The aligner. Raises ModelError if none has been trained for this model yet."""
        if self.own_aligner is None:
            raise _unprepared(self.name)
        return self.own_aligner

    @property
    def has_mattes(self) -> bool:
        """Whether the aligner tells heads from what lies behind them, and so does the generator: otherwise mattes do nothing."""
        return self.generator.has_backdrop and self.own_aligner is not None and self.own_aligner.has_matte

    def save(self, folder: Path) -> None:
        """Write the bundle with weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            state: dict[str, Tensor] = getattr(self, part).state_dict()
            halves = {name: tensor.half().contiguous() for name, tensor in state.items()}
            with write_whole(folder / f"{part}.safetensors", replace=True) as file:
                file.write_bytes(save(halves))
        write_record(folder / DESCRIPTION, self.info)
        if self.world is None:
            self.save_world(folder)
        else:
            self.world.measured.save(folder / WORLD, _weights_of_world(folder))
        if self.face is not None:
            facepoints.save_points(folder, self.face)
        if self.directions is not None:
            self.directions.save(folder / directions.FILE, sha256(folder / WEIGHTS)[:16])

    def save_world(self, folder: Path) -> None:
        """Measure what the model's own networks have seen, and write it beside their weights in `folder`."""
        assert isinstance(self.perceptual, PerceptualNetwork) and isinstance(self.judge, IdentityNetwork)
        measured = measure_world(self.generator, self.info.camera, self.judge, self.perceptual)
        measured.save(folder / WORLD, _weights_of_world(folder))


def _weights_of_world(folder: Path) -> str:
    """Digests of the weights that the world of the model in `folder` depends on."""
    parts = (WEIGHTS, *(f"{part}.safetensors" for part in ("judge", "perceptual")))
    return " ".join(sha256(folder / part)[:16] for part in parts)


def read_info(name: str) -> ModelInfo:
    """The description of a model without its weights. Raises ModelError."""
    return _info_in(model_folder(name))


def _info_in(folder: Path) -> ModelInfo:
    """The description of the model in `folder`, whose name is the model's, also after renaming. Raises ModelError."""
    return read_record(folder / DESCRIPTION, ModelInfo).changed(name=folder.name)


def check_prepared(name: str) -> None:
    """Raises ModelError if the model `name` is missing or has no aligner; a quick check before any work."""
    if read_info(name).perceptual_outputs is None and not (model_folder(name) / ALIGNER).exists():
        raise _unprepared(name)


def _unprepared(name: str) -> ModelError:
    return ModelError(f"the model '{name}' cannot find heads in pictures yet", f"run: inv3d models prepare {name}")


def load_bundle(name: str, device: torch.device | str = "cpu") -> Bundle:
    """Load the model `name` in float32. Raises ModelError if it is missing or damaged.

    A model without networks for comparing pictures borrows those of the embedded model.
    """
    return load_folder(model_folder(name), device)


def load_folder(folder: Path, device: torch.device | str = "cpu") -> Bundle:
    """Load the model in `folder`, which need not be where models are kept, as `load_bundle`."""
    info = _info_in(folder)
    generator = load_module(
        lambda: TriplaneGenerator(info.generator), folder / WEIGHTS, _refuse(folder / WEIGHTS), device
    )
    generator.suit(torch.device(device))
    own = info.perceptual_outputs is not None
    outputs = info.perceptual_outputs if own else read_info(LENDER).perceptual_outputs
    if outputs is None:
        raise ModelError(f"the model '{LENDER}' has no network that compares pictures", ModelInfo.hint)
    lender = folder if own else model_folder(LENDER)

    def part(name: str, make: Callable[[], Module], folder: Path = lender) -> Module:
        path = folder / f"{name}.safetensors"
        return load_module(make, path, _refuse(path), device)

    perceptual = part("perceptual", lambda: PerceptualNetwork(outputs))
    judge = part("judge", lambda: IdentityNetwork(JUDGE_WIDTHS))

    def measured() -> Measured:
        if not own:
            lent = load_bundle(LENDER, device).world
            assert lent is not None
            return lent.measured
        kept = Measured.load(folder / WORLD, _weights_of_world(folder), judge, _refuse(folder / WORLD))
        return kept or measure_world(generator, info.camera, judge, perceptual)

    fingerprint = sha256(folder / WEIGHTS)[:16]
    found = folder / directions.FILE
    return Bundle(
        info,
        generator,
        # it looks at every frame many times: this layout is a fifth faster
        part("aligner", lambda: Aligner(matte=_has_matte(folder / ALIGNER)), folder).to(memory_format=torch.channels_last)
        if own or (folder / ALIGNER).exists()
        else None,
        identity=part("identity", IdentityNetwork),
        perceptual=perceptual,
        judge=judge,
        fingerprint=fingerprint,
        statistics=_statistics(folder / CODES, info.generator.w_dim, device),
        world=World(judge, measured),
        face=_face(folder / facepoints.FILE, device),
        directions=Directions.load(found, fingerprint, info.generator.w_dim, _refuse(found), device),
    )


def _has_matte(path: Path) -> bool:
    """Whether the aligner in a file estimates mattes: those of earlier versions do not. Raises ModelError."""
    return has_tensor(path, "decoder.out.weight", _refuse(path))


def _face(path: Path, device: torch.device | str) -> Tensor | None:
    """Raises ModelError if the file exists and is damaged."""
    if not path.exists():
        return None
    return read_tensors(path, {"points": (POINTS, 3)}, _refuse(path, "reinstall inv3d, or prepare the model again"))["points"].to(device)


def _statistics(path: Path, w_dim: int, device: torch.device | str) -> CodeStatistics | None:
    """Raises ModelError if the file exists and is damaged."""
    if not path.exists():
        return None
    shapes: dict[str, Shape] = {"mean": (w_dim,), "spread": (), "directions": (None, w_dim), "scales": (None,)}
    refuse = _refuse(path, "prepare the model again")
    state = read_tensors(path, shapes, refuse)
    if len(state["directions"]) != len(state["scales"]):
        raise refuse(f"it has {len(state['directions'])} directions and {len(state['scales'])} scales")
    return CodeStatistics(**{name: tensor.to(device) for name, tensor in state.items()})


def _refuse(path: Path, hint: str = "reinstall inv3d, or import the model again") -> Refuse:
    return lambda why: ModelError(f"{path} cannot be loaded: {why}", hint)
