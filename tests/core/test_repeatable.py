import os

import pytest
import torch

from inv3d.cli.app import explain
from inv3d.core.device import choose_device
from inv3d.core.errors import UsageError
from inv3d.core.repeatable import refused


@pytest.fixture
def switched(monkeypatch):
    """Leaves PyTorch as it was."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    yield monkeypatch
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("before", "after"), [(None, ":4096:8"), (":0:0", ":4096:8"), (":16:8", ":16:8")])
def test_everything_is_set_before_cuda_is_asked_for_anything(switched, before, after):
    switched.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if before:
        switched.setenv("CUBLAS_WORKSPACE_CONFIG", before)
    seen = []

    def asked():
        seen.append((os.environ["CUBLAS_WORKSPACE_CONFIG"], torch.are_deterministic_algorithms_enabled()))
        return False

    switched.setattr(torch.cuda, "is_available", asked)
    assert choose_device("auto", deterministic=True).device == torch.device("cpu")
    assert seen == [(after, True)] and not torch.backends.cudnn.benchmark


def test_nothing_changes_unless_it_is_asked_for(switched):
    choose_device("cpu")
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark


def test_what_pytorch_refuses_is_told_in_one_line():
    error = RuntimeError("avg_pool3d_backward_cuda does not have a deterministic implementation, but you set\n'torch...")
    told = explain(error)
    assert isinstance(told, UsageError) and "avg_pool3d_backward_cuda" in told.message and "\n" not in told.message
    assert refused(RuntimeError("something else")) is None
