import pytest
import torch

from inv3d.core.device import choose_device, computes_in_bfloat16, half_where_fast, peak_device_memory_mb
from inv3d.core.errors import UsageError


def test_auto_gives_a_device_and_a_reason():
    choice = choose_device()
    assert choice.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choice.reason


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps", ""])
def test_devices_that_are_not_there_are_refused(name):
    with pytest.raises(UsageError, match="device"):
        choose_device(name)


@pytest.mark.parametrize("supported", [True, False])
def test_generators_are_fitted_in_bfloat16_on_gpus_and_on_cpus_that_have_it(monkeypatch, supported):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported, raising=False)
    assert computes_in_bfloat16(torch.device("cpu")) == supported
    assert computes_in_bfloat16(torch.device("cuda"))


@pytest.mark.parametrize("supported", [True, False])
def test_cpus_compute_in_bfloat16_only_if_they_have_it(monkeypatch, supported):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    with half_where_fast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if supported else torch.float32)


def test_the_peak_of_a_gpu_is_what_pytorch_held_of_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: (7 if device.index == 1 else 3) << 20)
    assert [peak_device_memory_mb(torch.device(name)) for name in ("cpu", "cuda:0", "cuda:1")] == [0, 3, 7]
