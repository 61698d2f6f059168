"""Checkpoints as EG3D's own code writes them, without that code: its module names, filled with empty stand-ins."""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor


class EasyDict(dict[str, Any]):
    __module__ = "dnnlib.util"


class Plain:
    """A module that is kept without its source."""

    __module__, __qualname__ = "training.triplane", "OSGDecoder"


class Persistent:
    """A module that is kept with its source text and rebuilt by a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        meta = EasyDict(type="class", version=6, module_src="raise SystemExit", class_name="X", state=self.__dict__)
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def _reconstruct_persistent_obj(meta: Any) -> None:
    raise AssertionError("nothing of a file may be called")


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


@pytest.fixture
def eg3d_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins under the names that EG3D's pickles use, for writing them."""
    for thing in (EasyDict, Plain, _reconstruct_persistent_obj):
        parent, _, _ = thing.__module__.partition(".")
        module = types.ModuleType(thing.__module__)
        setattr(module, thing.__qualname__, thing)
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        monkeypatch.setitem(sys.modules, thing.__module__, module)


def tree(state: dict[str, Tensor], parameters: set[str], prefix: str = "") -> Any:
    """Modules that hold `state`, as `torch.nn.Module` keeps them."""
    module = Plain() if prefix == "decoder." else Persistent()
    own = {name: value for name, value in state.items() if "." not in name}
    children = dict.fromkeys(name.partition(".")[0] for name in state if "." in name)
    module._parameters = OrderedDict(  # type: ignore[union-attr]
        (name, torch.nn.Parameter(value)) for name, value in own.items() if prefix + name in parameters
    )
    module._buffers = OrderedDict(  # type: ignore[union-attr]
        (name, value) for name, value in own.items() if prefix + name not in parameters
    )
    module._modules = OrderedDict(  # type: ignore[union-attr]
        (
            child,
            tree(
                {name.partition(".")[2]: v for name, v in state.items() if name.partition(".")[0] == child},
                parameters,
                f"{prefix}{child}.",
            ),
        )
        for child in children
    )
    return module


def write_eg3d(path: Path, root: Any, options: dict[str, Any], resolution: int) -> None:
    """The file that EG3D's training writes; needs `eg3d_names`."""
    root._init_args, root._init_kwargs = (), EasyDict(options)
    root.neural_rendering_resolution = resolution
    data = {"training_set_kwargs": {}, "G": None, "D": None, "G_ema": root, "augment_pipe": None}
    path.write_bytes(pickle.dumps(data, protocol=4))


@pytest.fixture
def options() -> dict[str, Any]:
    """Init arguments of the tiny reference network."""
    config = Path(__file__).parents[2] / "data" / "eg3d" / "config.json"
    arguments: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))["init_kwargs"]
    return arguments
