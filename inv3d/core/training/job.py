"""What the recipes of all encoders share: the job, its scale, the finished file, and several processes at one training."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed

from inv3d.core.bundle import Bundle
from inv3d.core.encoders.store import encoder_file
from inv3d.core.library import is_embedded
from inv3d.core.views import Views

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyRecipe = TypeVar("AnyRecipe", bound="DataclassInstance")
Align = Callable[[Sequence[Path]], Views | None]
"""Finds and crops the heads in photographs; None if there are none."""
_PATIENCE = timedelta(days=30)
"""How long processes wait for the first one: drawing pictures takes hours. If it fails, `torchrun` ends them."""
Show = Callable[[Tensor], None]
"""Is given a picture [3,H,W] of what an encoder has learned so far, now and then."""


@dataclass(frozen=True, kw_only=True)
class EncoderJob:
    """An encoder to train for `bundle`, in `folder`. `photos` are what it learns from beside the generator's own
    pictures; the embedded model learns from drawn people without."""

    bundle: Bundle
    folder: Path
    device: torch.device
    photos: Sequence[Path] = ()
    align: Align
    scale: float = 1.0
    without: frozenset[str] = frozenset()
    """Ingredients that are left out, for the papers' ablations (see `INGREDIENTS`)."""


def times(recipe: AnyRecipe, factor: float, *names: str) -> AnyRecipe:
    """The recipe with `factor` times the numbers of these `names`, each at least one."""
    return replace(recipe, **{name: max(1, math.ceil(getattr(recipe, name) * factor)) for name in names})


def finished_file(bundle: Bundle, name: str, folder: Path) -> Path:
    """Path of a trained encoder: beside an imported model's other parts, or in `folder` for the embedded model."""
    path = encoder_file(bundle.name, name)
    return folder / path.name if is_embedded(bundle.name) else path


def join_processes(device: torch.device) -> torch.device:
    """Take part in a group of processes if `torchrun` started this one; returns this process's device."""
    if "WORLD_SIZE" not in os.environ:
        return device
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device.type == "cuda" else device
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    return own


def first_alone(work: Callable[[], None]) -> None:
    """Let the first process of a group do `work` while the others wait, on the CPU: GPUs would give up after minutes."""
    if not distributed.is_initialized():
        work()
        return
    waiting = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    assert isinstance(waiting, distributed.ProcessGroup)  # every process is a member
    if distributed.get_rank() == 0:
        work()
    distributed.barrier(waiting)
    distributed.destroy_process_group(waiting)
