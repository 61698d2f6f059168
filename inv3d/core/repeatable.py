"""Runs that a GPU repeats bit by bit, which it does not by itself: it adds up sums in whatever order their parts arrive."""

from __future__ import annotations

import os

import torch

from inv3d.core.errors import UsageError

_WORKSPACE, _ALLOWED = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")
"""Where cuBLAS reads how much memory it has, and with what its sums have an order."""
_REFUSAL = " does not have a deterministic implementation"


def repeat_exactly() -> None:
    """Let PyTorch use kernels with an order alone, and refuse operations that have none (see `refused`). Must be called
    before CUDA is used for the first time. On a CPU every run repeats without it."""
    if os.environ.get(_WORKSPACE) not in _ALLOWED:
        os.environ[_WORKSPACE] = _ALLOWED[0]
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # nothing here reads what was not written
    torch.backends.cudnn.benchmark = False


def kind_of(device: torch.device) -> str:
    """What a run's record says about its device: results of different kinds differ by rounding."""
    ordered = device.type != "cpu" and torch.are_deterministic_algorithms_enabled()
    return f"{device.type}, deterministic" if ordered else device.type


def refused(error: BaseException) -> UsageError | None:
    """The error to report if PyTorch has refused an operation that cannot be repeated."""
    operation, refusal, _ = str(error).partition(_REFUSAL)
    if not refusal or not isinstance(error, RuntimeError):
        return None
    return UsageError(
        f"--deterministic: PyTorch {torch.__version__} has no deterministic kernel for {operation.split()[-1]}",
        "leave out --deterministic, or use --device cpu, where every run repeats",
    )
