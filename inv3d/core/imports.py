"""Importing a public checkpoint: from its file to a bundle folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from inv3d.core.bundle import WEIGHTS, ModelInfo, load_bundle, read_info
from inv3d.core.camera import FFHQ_FOCAL
from inv3d.core.checkpoints.read import read_checkpoint, to_safetensors
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.files import refuse_protected, write_whole_folder
from inv3d.core.library import DESCRIPTION, model_folder, new_folder, sha256
from inv3d.core.records import read_bounded, reason, write_record

UNKNOWN_LICENSE = "unknown; the public EG3D checkpoints are for non-commercial use only"


@dataclass(frozen=True)
class Import:
    """A file to import as the model `name`. Bare weights are of the family `like`; `focal` length of the training
    cameras in image widths, `known_yaw` in degrees; `faces` says whether it shows people."""

    file: Path
    name: str
    like: str | None = None
    license: str = UNKNOWN_LICENSE
    focal: float = FFHQ_FOCAL
    known_yaw: float = 60.0
    faces: bool = True
    force: bool = False


def import_checkpoint(job: Import, report: Callable[[str], None] = lambda line: None) -> ModelInfo:
    """Read a checkpoint without executing anything of it and write its bundle folder, whole or not at all. `report` gets
    a line for each skipped part of the file.

    Raises ModelError if the file is damaged, hostile or another model, UsageError if the name is taken.
    """
    folder = new_folder(job.name, job.force)
    if folder.exists():
        refuse_protected(folder, [job.file], "choose another --name")
    checkpoint = read_checkpoint(job.file, job.like)
    for note in checkpoint.notes:
        report(note)
    layout = checkpoint.layout
    written = to_safetensors(checkpoint)
    try:
        info = ModelInfo(
            name=job.name,
            description=f"imported from {job.file.name}",
            license=job.license,
            radius=layout.radius,
            focal=job.focal,
            known_yaw=job.known_yaw,
            generator=layout.config,
            pivot=layout.pivot,
            subject="faces" if job.faces else "things",
            source={"file": job.file.name, "sha256": sha256(job.file), WEIGHTS: hashlib.sha256(written).hexdigest()},
        )
    except ValidationError as error:
        raise UsageError(
            f"the model's description is not valid: {reason(error)}", "see: inv3d models import --help"
        ) from error
    with write_whole_folder(folder) as part:
        (part / WEIGHTS).write_bytes(written)
        write_record(part / DESCRIPTION, sealed(info))
    return read_info(job.name)


def sealed(info: ModelInfo) -> ModelInfo:
    """`info` with the SHA-256 of its own content, for `verify`."""
    source = {**(info.source or {}), DESCRIPTION: _digest(info.model_dump(mode="json"))}
    return info.changed(source=source)


def _digest(description: dict[str, Any]) -> str:
    """SHA-256 of a description without the digest that it contains itself; independent of the file's layout."""
    source = {key: text for key, text in (description.get("source") or {}).items() if key != DESCRIPTION}
    return hashlib.sha256(json.dumps({**description, "source": source}, sort_keys=True).encode()).hexdigest()


@torch.no_grad()
def verify(name: str) -> None:
    """Check that a model's weights and description are unchanged since the import, that it loads, and that it renders.

    Raises ModelError for the first check that fails.
    """
    info = read_info(name)
    hint = f"import it again: inv3d models import FILE --name {name} --force"
    weights = model_folder(name) / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"{weights} is missing or not a file", hint)
    if info.source and sha256(weights) != info.source.get(WEIGHTS):
        raise ModelError(f"the weights of '{name}' have changed since the import", hint)
    if info.source and DESCRIPTION in info.source:
        # as stored in the file: a later version of inv3d may have more fields
        description = json.loads(read_bounded(model_folder(name) / DESCRIPTION, ModelInfo))
        if _digest(description) != info.source[DESCRIPTION]:
            raise ModelError(f"the description ({DESCRIPTION}) of '{name}' has changed since the import", hint)
    generator = load_bundle(name).generator
    code = generator.code_space.repeat(generator.mean_w[None])
    if not torch.isfinite(generator(code, info.front, 32, superresolution=False).image).all():
        raise ModelError(f"'{name}' renders NaN or infinity", hint)
