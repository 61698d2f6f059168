"""Folders of models: the embedded ones in the package, imported ones in the home folder of inv3d."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

import platformdirs

from inv3d.core.errors import InputError, ModelError, UsageError
from inv3d.core.records import shown

EMBEDDED = Path(__file__).parents[1] / "models"
DESCRIPTION = "model.json"
NAME = "[a-z0-9][a-z0-9_-]{0,63}"
"""Valid model names."""


def home() -> Path:
    """The folder for everything that is kept between runs: `$INV3D_HOME`, otherwise the platform's data folder.

    Raises UsageError if neither is known.
    """
    own = os.environ.get("INV3D_HOME")
    folder = Path(os.path.expanduser(own)) if own else platformdirs.user_data_path("inv3d", appauthor=False)  # noqa: PTH111
    if str(folder).startswith("~"):  # the tilde cannot be expanded
        raise UsageError("there is no home folder to keep models in", "name a folder with INV3D_HOME")
    return folder


def installed() -> Path:
    """The folder of the imported models."""
    return home() / "models"


def is_name(text: str) -> bool:
    """Whether a name is a valid model name."""
    return re.fullmatch(NAME, text) is not None


def available() -> list[str]:
    """Names of the models on this machine."""
    return sorted({name for root in _roots() for name in _folders(root) if _describes(root / name)})


def _roots() -> list[Path]:
    """The folders of models; without a home folder, only that of the embedded ones."""
    try:
        return [EMBEDDED, installed()]
    except UsageError:
        return [EMBEDDED]


def _folders(root: Path) -> list[str]:
    """Names of possible models in a folder, which may be missing or unreadable."""
    try:
        return [path.name for path in root.iterdir() if is_name(path.name)]
    except OSError:
        return []


def _describes(folder: Path) -> bool:
    """Whether a folder contains the description of a model, readable or not."""
    try:
        return (folder / DESCRIPTION).exists()
    except OSError:
        return True  # it exists; reading it will show what is wrong


def model_folder(name: str) -> Path:
    """The folder of the model `name`. Raises ModelError if there is none."""
    if not is_name(name):
        raise ModelError(f"{shown(repr(name))} is not a valid model name", "run: inv3d models list")
    for root in _roots():
        if _describes(root / name):
            return root / name
    raise ModelError(
        f"there is no model named '{name}'", f"choose one of: {', '.join(available())} (inv3d models list)"
    )


def is_embedded(name: str) -> bool:
    """Whether a model is part of inv3d, and so cannot be changed. Raises ModelError if there is none."""
    return model_folder(name).parent == EMBEDDED


def sha256(path: Path) -> str:
    """Of a file, which may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_digest(path: Path) -> str:
    """SHA-256 of a whole picture or clip, by which it is recognised; takes about a second per gigabyte.

    Raises InputError if it is not a file that can be read.
    """
    if not path.is_file():  # a pipe would block forever
        raise InputError(f"{path} is not a file", "check the name")
    try:
        return sha256(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions and the drive") from error


def new_folder(name: str, force: bool) -> Path:
    """The folder for a new model `name`. Raises UsageError if the name is not valid, or is taken and not `force`."""
    if not is_name(name):
        raise UsageError(
            f"{shown(repr(name))} is not a valid model name",
            "use up to 64 lowercase letters, digits, - and _, such as --name ffhq",
        )
    if (EMBEDDED / name).exists():
        raise UsageError(f"'{name}' is the name of an embedded model", "choose another --name")
    folder = installed() / name
    if os.path.lexists(folder) and not force:
        raise UsageError(f"the model '{name}' exists already", "use --force to replace it, or another --name")
    return folder


def remove(name: str) -> Path:
    """Delete an imported model; returns its folder. Raises ModelError or UsageError."""
    folder = model_folder(name)
    if is_embedded(name):
        raise UsageError(f"the embedded model '{name}' cannot be removed", "remove imported models only")
    if folder.is_symlink():
        folder.unlink()  # its target is not ours
    else:
        shutil.rmtree(folder)
    return folder
