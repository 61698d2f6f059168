"""Where models live: the embedded one in the package, those that a person brought in a folder of their own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

import platformdirs

from inv3d.core.errors import ModelError, UsageError

EMBEDDED = Path(__file__).parents[1] / "models"
DESCRIPTION = "model.json"


def home() -> Path:
    """The folder of everything that is kept between runs: `$INV3D_HOME`, else the platform's place for data."""
    own = os.environ.get("INV3D_HOME")
    return Path(own).expanduser() if own else platformdirs.user_data_path("inv3d", appauthor=False)


def installed() -> Path:
    """The folder of the models that were imported."""
    return home() / "models"


def available() -> list[str]:
    """Names of the models on this machine."""
    return sorted({path.parent.name for root in (EMBEDDED, installed()) for path in root.glob(f"*/{DESCRIPTION}")})


def model_folder(name: str) -> Path:
    """Where the model `name` lies. Raises ModelError if there is none."""
    names = available()
    if name not in names:  # a name, never a path
        raise ModelError(f"there is no model named '{name}'", f"choose one of: {', '.join(names)} (inv3d models list)")
    return next(root / name for root in (EMBEDDED, installed()) if (root / name / DESCRIPTION).is_file())


def is_embedded(name: str) -> bool:
    """Whether a model came with inv3d; such a model stays as it is. Raises ModelError if there is none."""
    return model_folder(name).parent == EMBEDDED


def sha256(path: Path) -> str:
    """Of a file, which may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def new_folder(name: str, force: bool) -> Path:
    """Where a model `name` is to be put. Raises UsageError if the name is none, or taken and not `force`."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise UsageError(f"'{name}' is no name for a model", "use small letters, digits, - and _, such as --name ffhq")
    if (EMBEDDED / name).exists():
        raise UsageError(f"'{name}' is the name of an embedded model", "choose another --name")
    folder = installed() / name
    if folder.exists() and not force:
        raise UsageError(f"there is a model '{name}' already", "use --force to replace it, or another --name")
    return folder


def remove(name: str) -> Path:
    """Delete a model that was imported; returns the folder it lay in. Raises ModelError or UsageError."""
    folder = model_folder(name)
    if is_embedded(name):
        raise UsageError(f"'{name}' is embedded and stays", "only imported models can be removed")
    shutil.rmtree(folder)
    return folder
