"""The file of the frozen basis of people, created on first use."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError

from inv3d.core.errors import ModelError, UsageError
from inv3d.core.files import disk_errors
from inv3d.core.library import home
from inv3d.core.people.basis import VERSION, Basis, freeze_basis


def basis_file() -> Path:
    return home() / f"people-{VERSION}.safetensors"


def people_basis() -> Basis:
    """The basis of this machine, frozen at the first call (about a minute).

    Raises UsageError if it has to be frozen and `anny` is not installed, or if rays cannot be traced without `warp`;
    ModelError if the file is damaged.
    """
    hint = 'run: pip install "inv3d[train]"'
    try:
        import warp  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError("people cannot be drawn: the package 'warp-lang' is not installed", hint) from error
    path = basis_file()
    if not path.exists():
        try:
            basis = freeze_basis()
        except ModuleNotFoundError as error:
            raise UsageError("there is no human model here: the package 'anny' is not installed", hint) from error
        with disk_errors(path.parent, "choose another folder with INV3D_HOME"):
            basis.save(path)
    try:
        return Basis.load(path)
    except (SafetensorError, TypeError, OSError) as error:  # cut off, of other tensors, not ours to read
        raise ModelError(f"{path} cannot be read as a basis of people", "delete it: it is made again") from error
