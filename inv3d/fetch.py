"""Fetching public checkpoints: a catalogue of addresses, and resumable downloads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import pooch
from pydantic import AfterValidator, ConfigDict, FailFast, Field, RootModel

from inv3d.core.camera import FFHQ_FOCAL
from inv3d.core.errors import ModelError
from inv3d.core.library import NAME, home, sha256
from inv3d.core.lock import held
from inv3d.core.records import STRICT, Checked, Digest, Text, read_record, shown
from inv3d.download import LARGEST, Report, Resuming

_SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors")
_EG3D = "https://api.ngc.nvidia.com/v2/models/nvidia/research/eg3d/versions/1/files/"
_NVIDIA = "NVIDIA Source Code License for EG3D: research and evaluation only, not commercial"


def _address(text: str) -> str:
    """Raises ValueError for text that is not an address."""
    if not urlsplit(text).hostname or urlsplit(text).port == 0:
        raise ValueError("should be an HTTP address")
    return text


@dataclass(frozen=True)
class Entry:
    """A public checkpoint; `sha256` and `size` (bytes) where known. The others as in `imports.Import`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(**STRICT, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    address: Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=2000), AfterValidator(_address)]
    license: Text
    sha256: Digest | None = None
    size: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    like: Annotated[str, Field(max_length=64)] | None = None
    focal: Annotated[float, Field(gt=0.01, le=1000.0)] = FFHQ_FOCAL
    known_yaw: Annotated[float, Field(ge=0.0, le=180.0)] = 60.0
    faces: bool = True


class Catalogue(Checked, RootModel[tuple[Entry, ...]]):
    """The content of `catalogue.json` in the home folder: a list of objects with the fields of `Entry`."""

    root: Annotated[tuple[Entry, ...], FailFast()]
    model_config = STRICT
    fault: ClassVar = ModelError
    hint: ClassVar = "correct or remove it"


CATALOGUE = (
    Entry("ffhq", _EG3D + "ffhq512-128.pkl", _NVIDIA),
    Entry("ffhqrebalanced", _EG3D + "ffhqrebalanced512-128.pkl", _NVIDIA, known_yaw=75.0),
    Entry("afhqcats", _EG3D + "afhqcats512-128.pkl", _NVIDIA, faces=False),
    Entry("shapenetcars", _EG3D + "shapenetcars128-64.pkl", _NVIDIA, focal=1.025, known_yaw=180.0, faces=False),
)


def catalogue() -> dict[str, Entry]:
    """The entries by name, with those of `catalogue.json` in the home folder. Raises ModelError if it is damaged."""
    entries = {entry.name: entry for entry in CATALOGUE}
    path = home() / "catalogue.json"
    if os.path.lexists(path):
        entries |= {entry.name: entry for entry in read_record(path, Catalogue).root}
    return entries


def entry(name: str) -> Entry:
    """The entry `name`. Raises ModelError if the catalogue has none."""
    entries = catalogue()
    if name not in entries:
        raise ModelError(f"the catalogue has no model {shown(repr(name))}", f"choose one of: {', '.join(entries)}")
    return entries[name]


def place(wanted: Entry) -> Path:
    """The path of the downloaded file of an entry."""
    suffix = Path(urlsplit(wanted.address).path).suffix.lower()
    return home() / "downloads" / f"{wanted.name}{suffix if suffix in _SUFFIXES else ''}"


def fetch(wanted: Entry, offline: bool, report: Report) -> Path:
    """The file of an entry in the home folder's `downloads`, downloaded if missing, and checked.

    Raises ModelError if it cannot be had, UsageError if another process fetches it; what has arrived is kept, and the
    next call continues from there.
    """
    file = place(wanted)
    if file.exists():
        if not file.is_file():
            raise ModelError(f"{file} is not a file", "move it, then fetch the model again")
        if wanted.sha256 and sha256(file) != wanted.sha256:
            raise ModelError(f"{file} is not '{wanted.name}': its SHA-256 differs", "remove it, then fetch it again")
        return file
    if offline or os.environ.get("INV3D_OFFLINE"):
        raise ModelError(
            f"'{wanted.name}' is not on this machine, and downloads are disabled", f"put its file at {file}"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    known = f"sha256:{wanted.sha256}" if wanted.sha256 else None
    download = Resuming(file.with_name(file.name + ".part"), wanted.size, report)
    try:
        pooch.get_logger().disabled = True  # it would advise users to pin the hash
        with held(file.with_name(file.name + ".lock"), file):
            pooch.retrieve(wanted.address, known, file.name, file.parent, downloader=download)
    except ValueError as error:
        raise ModelError(
            f"what {wanted.address} sends is not '{wanted.name}': its SHA-256 differs",
            "nothing was imported; try again later, or import a file you trust with `inv3d models import`",
        ) from error
    return file
