"""Public files of directions as data: PREIM3D's and InterFaceGAN's `.pt` and `.npy`, GANSpace's `.npz`.

Nothing of a file is executed. Directions come without a scale of their own: it is measured on the model's codes.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inv3d.core.editing.directions import Direction
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.records import shown

_COMPONENTS = ("lat_comp", "act_comp")
"""Keys of GANSpace's files: components of w, or of what a layer makes of it."""
_LARGEST = 64 << 20  # bytes; a file of GANSpace has a few
_MOST = 80  # components of a file
_USUAL = 3.0  # deviations within which nearly all of the model's codes lie
_LEAST = 1e-3  # of the codes' spread that a direction should have
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def read_directions(path: Path, codes: Tensor, num_ws: int, name: str | None = None) -> list[Direction]:
    """The directions in a file, for a model with these `codes` w [N,w_dim] and `num_ws` vectors in each: one vector [w_dim]
    or one for each of W+ [num_ws,w_dim]; or GANSpace's components [K,w_dim] or [K,1,w_dim], called `name`-0 and so on. `name`
    is by default that of the file.

    Raises ModelError if the file is damaged, hostile or of another model, UsageError if the name is none.
    """
    name = name or _named(path)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{shown(name)}' cannot be the name of a direction",
            "name it with --as: up to 32 lower-case letters, digits and hyphens, such as --as smile",
        )
    found = _read(path)
    w_dim, shape = codes.shape[1], list(found.shape)
    if found.ndim > 1 and _has_components(path):
        if shape[1:] not in ([w_dim], [1, w_dim]) or not 0 < shape[0] <= _MOST:
            raise _refused(path, f"its components have shape {shape}, not [1 to {_MOST}, 1, {w_dim}]")
        return [_scaled(f"{name[:28]}-{i}", path, row.reshape(1, w_dim), codes) for i, row in enumerate(found)]
    if shape in ([w_dim], [1, w_dim], [num_ws, w_dim], [1, num_ws, w_dim]):
        return [_scaled(name, path, found.reshape(-1, w_dim), codes)]
    raise _refused(path, f"it has shape {shape}, not [{num_ws}, {w_dim}] or [{w_dim}]")


def _named(path: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:32]


def _scaled(name: str, path: Path, rows: Tensor, codes: Tensor) -> Direction:
    """The direction of `rows` [1,w_dim] or [num_ws,w_dim], a step of which moves what the model's codes differ in along it by
    one of their deviations."""
    along = codes @ rows.sum(0)
    scale, length = float(along.std()), float(rows.square().sum())
    spread = float((codes - codes.mean(0)).square().mean().sqrt())
    if scale <= _LEAST * spread * length**0.5:
        raise _refused(path, f"the model's codes hardly differ along '{name}'")
    step, normal = rows * (scale / length), rows * (len(rows) / scale)
    if len(rows) == 1:
        step, normal = step[0], normal[0]
    about = f"imported from {shown(path.name)}"
    return Direction(name, about[:200], None, step, normal, -float(along.mean()) / scale, -_USUAL, _USUAL)


def _read(path: Path) -> Tensor:
    """The only tensor of a file, in float32. Raises ModelError."""
    if not path.is_file():
        raise _refused(path, "it is not a file" if path.exists() else "it is missing")
    try:
        if path.stat().st_size > _LARGEST:
            raise _refused(path, f"it is larger than {_LARGEST >> 20} MB")
        found = (_numpy if path.suffix.lower() in (".npy", ".npz") else _torch)(path)
    except OSError as error:
        raise _refused(path, error.strerror or "it cannot be read") from error
    except ModelError:
        raise
    except Exception as error:  # a damaged pickle may make its reader fail in any way
        raise _refused(path, "it is damaged, or contains more than numbers") from error
    tensor = _only(path, found)
    if tensor.layout != torch.strided or not tensor.is_floating_point() or tensor.numel() * 4 > _LARGEST:
        raise _refused(path, "it does not contain plain floating-point numbers")
    numbers = tensor.detach().float().contiguous()
    if not bool(numbers.isfinite().all()):
        raise _refused(path, "it contains NaN or infinity")
    return numbers


def _torch(path: Path) -> object:
    with warnings.catch_warnings(action="ignore"):  # of what it may find, which is refused anyway
        return torch.load(path, map_location="cpu", weights_only=True)


def _numpy(path: Path) -> object:
    """An array; or of an archive, GANSpace's components or its only array. Raises ValueError."""
    if path.suffix.lower() == ".npz":
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST:
                raise ValueError
    else:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return torch.from_numpy(loaded)
    with loaded:
        names = [next(key for key in _COMPONENTS if key in loaded)] if set(_COMPONENTS) & {*loaded} else [*loaded]
        return {name: torch.from_numpy(loaded[name]) for name in names}


def _has_components(path: Path) -> bool:
    """Whether a file, which has been read, is one of GANSpace."""
    if path.suffix.lower() != ".npz":
        return False
    with zipfile.ZipFile(path) as archive:
        return any(f"{key}.npy" in archive.namelist() for key in _COMPONENTS)


def _only(path: Path, found: object) -> Tensor:
    """The tensor that was loaded, alone or as the only one of a list or a dictionary. Raises ModelError."""
    values: Sequence[object] = (found,)
    if isinstance(found, dict):
        values = [*found.values()]
    elif isinstance(found, (list, tuple)):
        values = found
    if len(values) != 1 or not isinstance(values[0], Tensor):
        raise _refused(path, "it does not contain one tensor of directions")
    return values[0]


def _refused(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{shown(str(path))} cannot be used: {why}",
        "give a file of directions for the codes of this model: .pt, .npy or .npz",
    )
