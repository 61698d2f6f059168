"""Fetching public checkpoints: a catalogue of addresses, and downloads that go on where they stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests

from inv3d.core.camera import FFHQ_FOCAL
from inv3d.core.errors import ModelError
from inv3d.core.library import home, sha256

Report = Callable[[int, int | None], None]
"""Told how many bytes are there, and of how many (None if the server does not say)."""

_LARGEST = 4 << 30  # bytes; no checkpoint has more, a server that never ends does
_CHUNK = 1 << 16
_ATTEMPTS = 4  # without a new byte
_TIMEOUT = 30.0  # seconds without a byte

_EG3D = "https://api.ngc.nvidia.com/v2/models/nvidia/research/eg3d/versions/1/files/"
_NVIDIA = "NVIDIA Source Code License for EG3D: research and evaluation only, not commercial"


@dataclass(frozen=True)
class Entry:
    """A public checkpoint; `sha256` and `size` (bytes) where known. The others as in `imports.Import`."""

    name: str
    address: str
    license: str
    sha256: str | None = None
    size: int | None = None
    like: str | None = None
    focal: float = FFHQ_FOCAL
    known_yaw: float = 60.0
    faces: bool = True


CATALOGUE = (
    Entry("ffhq", _EG3D + "ffhq512-128.pkl", _NVIDIA),
    Entry("ffhqrebalanced", _EG3D + "ffhqrebalanced512-128.pkl", _NVIDIA, known_yaw=75.0),
    Entry("afhqcats", _EG3D + "afhqcats512-128.pkl", _NVIDIA, faces=False),
    Entry("shapenetcars", _EG3D + "shapenetcars128-64.pkl", _NVIDIA, focal=1.025, known_yaw=180.0, faces=False),
)


def catalogue() -> dict[str, Entry]:
    """The entries by name; those of `catalogue.json` in the home folder, a list of objects with the fields of `Entry`,
    come on top. Raises ModelError if that file is damaged."""
    entries = {entry.name: entry for entry in CATALOGUE}
    path = home() / "catalogue.json"
    if path.is_file():
        try:
            own = [Entry(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as error:
            raise ModelError(f"{path} is damaged: {error}", "mend or remove it") from error
        entries |= {entry.name: entry for entry in own}
    return entries


def entry(name: str) -> Entry:
    """Raises ModelError for a name that the catalogue does not have."""
    entries = catalogue()
    if name not in entries:
        raise ModelError(f"the catalogue has no model '{name}'", f"choose one of: {', '.join(entries)}")
    return entries[name]


def fetch(wanted: Entry, offline: bool, report: Report) -> Path:
    """The file of an entry in the home folder's `downloads`, fetched unless it is there, and checked.

    Raises ModelError if it cannot be had; what has arrived is kept, and the next call goes on from there.
    """
    folder = home() / "downloads"
    file = folder / f"{wanted.name}{Path(wanted.address).suffix}"
    if file.exists():
        if wanted.sha256 and sha256(file) != wanted.sha256:
            raise ModelError(f"{file} is not '{wanted.name}': its SHA-256 differs", "remove it, then fetch it again")
        return file
    if offline or os.environ.get("INV3D_OFFLINE"):
        raise ModelError(f"'{wanted.name}' is not on this machine, and fetching is off", f"put its file at {file}")
    known = f"sha256:{wanted.sha256}" if wanted.sha256 else None
    download = _Resuming(file.with_name(file.name + ".part"), wanted.size, report)
    try:
        pooch.get_logger().disabled = True  # it would tell people to pin the hash
        pooch.retrieve(wanted.address, known, file.name, folder, downloader=download)
    except ValueError as error:
        raise ModelError(
            f"what {wanted.address} sends is not '{wanted.name}': its SHA-256 differs",
            "nothing was imported; try again later, or import a file you trust with `inv3d models import`",
        ) from error
    return file


class _Resuming:
    """A downloader for pooch that keeps what arrived in `part` and asks for the rest."""

    def __init__(self, part: Path, size: int | None, report: Report) -> None:
        self.part, self.size, self.report = part, size, report
        self.version = part.with_name(part.name + ".version")  # which state of the file the part is of

    def __call__(self, url: str, output_file: str, caller: Any) -> None:
        failures = 0
        while failures < _ATTEMPTS:
            had = self._have()
            try:
                if self._continue(url, had):
                    self.part.replace(output_file)
                    self.version.unlink(missing_ok=True)
                    return
            except requests.RequestException as error:
                reason = type(error).__name__
            else:
                reason = "the server sends less than it announced"
            failures = 0 if self._have() > had else failures + 1
        raise ModelError(
            f"{url} cannot be fetched: {reason} after {self._have() / 1e6:.1f} MB",
            "check the connection; the same command goes on from there",
        )

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url: str, have: int) -> bool:
        """Ask for what is missing; whether all is there now."""
        headers = {"Accept-Encoding": "identity"}
        if have and self.version.exists():
            headers |= {"Range": f"bytes={have}-", "If-Range": self.version.read_text(encoding="utf-8")}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code == 416:  # nothing beyond what is there: it was of another length
                self.part.unlink()
                return False
            if response.status_code not in (200, 206):
                raise ModelError(
                    f"{url} cannot be fetched: the server answers {response.status_code}",
                    "see whether the address opens in a browser, then import the file with `inv3d models import`",
                )
            resumed = response.status_code == 206
            length = response.headers.get("Content-Length")
            total = None if length is None else int(length) + (have if resumed else 0)
            if self.size is not None and total is not None and total != self.size:
                raise ModelError(
                    f"{url} has {total} bytes, not {self.size}", "the file was replaced; import one you trust instead"
                )
            version = response.headers.get("ETag") or response.headers.get("Last-Modified")
            if version:
                self.version.write_text(version, encoding="utf-8")
            with self.part.open("ab" if resumed else "wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    if file.tell() > (total or self.size or _LARGEST):
                        raise ModelError(f"{url} sends more than a checkpoint has", "import a file you trust instead")
                    self.report(file.tell(), total)
        return total is None or self._have() == total
