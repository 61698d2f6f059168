import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from inv3d.core import generator
from inv3d.core.errors import Inv3dWarning
from inv3d.core.generator import Detail, TriplaneGenerator, fused
from inv3d.core.generator.config import CanonicalConfig, DecoderConfig, GeneratorConfig, eg3d_ffhq
from inv3d.core.generator.field import Decoder, plainly_decoded
from tests import tiny
from tests.pretend import DEVICE, ordered, pretended

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def unchecked():
    fused._computes_the_same.cache_clear()
    yield
    fused._computes_the_same.cache_clear()


def decoder(channels=4, **options):
    return Decoder(channels, GeneratorConfig(w_dim=8, color_channels=3, decoder=DecoderConfig(hidden_dim=5, **options)))


def test_under_the_interpreter():
    """All of `interpreted.py`."""
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--numprocesses=0", str(Path(__file__).with_name("interpreted.py"))],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        timeout=600, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


class Launcher:
    """What Triton starts compiled kernels with, on a GPU that is not there."""

    started: ClassVar[list[int]] = []

    def __init__(self, source, metadata):
        pass

    def __call__(self, programs, *rest):
        self.started.append(programs)


class Hopper:
    """A driver of Triton's for such a GPU, as far as kernels are compiled, loaded and started."""

    launcher_cls = Launcher

    def __init__(self, target):
        self.target, self.loaded = target, {}
        self.utils = self

    def load_binary(self, name, code, shared, device):
        self.loaded.setdefault(name, []).append((len(code), shared))
        return 1, 2, 128, 0, 1024

    def get_current_target(self):
        return self.target

    def get_device_properties(self, device):
        return {"max_shared_mem": 227 << 10, "multiprocessor_count": 132}

    def get_current_device(self):
        return 99  # kernels are kept by device, and this one's cannot run

    def get_current_stream(self, device):
        return 0


def test_kernels_are_compiled_once_for_gpus_and_fit_on_them(tmp_path, monkeypatch):
    """At the public models' size, into machine code, which needs no GPU; with shared memory that any GPU has."""
    pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    gpu, config = Hopper(GPUTarget("cuda", 90, 32)), eg3d_ffhq()
    own = Decoder(config.plane_channels, config)
    monkeypatch.setattr(driver, "_active", gpu)
    for points, side in ((40, 8), (33, 16), (1, 7)):  # divisible by 16 or not, which Triton would like to know
        planes = torch.randn(2, 3, config.plane_channels, side, side).requires_grad_()
        made = fused._by_kernels(planes, torch.rand(2, 3, points, 2), own)
        torch.autograd.grad(made, planes, list(map(torch.zeros_like, made)))
    assert set(gpu.loaded) == {"forward", "decoder_backward", "planes_backward"}
    for ((length, shared),) in gpu.loaded.values():
        assert length > 10_000 and shared <= 48 << 10
    assert Launcher.started == [3] * 6 + [1] * 3


def trusting(monkeypatch, errors):
    """A check with such errors; returns the calls of it."""
    calls = []

    def found(*sizes):
        calls.append(sizes)
        return errors

    monkeypatch.setattr(fused, "_errors", found)
    return calls


def test_a_gpu_decodes_at_once_after_one_check(monkeypatch):
    calls = trusting(monkeypatch, {"density": 1e-6, "color": 1e-7})
    with warnings.catch_warnings(action="error"):
        for _ in range(2):
            assert fused.decode_on(DEVICE, decoder()) is fused.decoded_at_once
    assert calls == [(DEVICE, 4, 5, 3)]
    assert fused.decode_on(torch.device("cuda", 1), decoder()) is fused.decoded_at_once and len(calls) == 2


@pytest.mark.parametrize("wrong", [0.01, float("nan"), float("inf")])
def test_a_gpu_that_computes_something_else_is_told_of_once(monkeypatch, wrong):
    trusting(monkeypatch, {"density": 0.0, "color": wrong, "gradient of planes": 1e-3})
    with pytest.warns(Inv3dWarning, match=f"not used on cuda:0: its color is wrong by {wrong:.1e}") as told:
        for _ in range(2):
            assert fused.decode_on(DEVICE, decoder()) is plainly_decoded
    assert len(told) == 1


def test_without_triton_fields_are_decoded_plainly(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "inv3d.core.generator.kernels", raising=False)
    monkeypatch.delattr(generator, "kernels", raising=False)
    with pretended(), pytest.warns(Inv3dWarning, match="not used on cuda:0: .*triton") as told:
        made = TriplaneGenerator(tiny.CONFIG).to(DEVICE)
        made.suit(DEVICE)
        assert made.field.decode is plainly_decoded
    assert len(told) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_kernels_that_do_not_run_are_not_used():
    pytest.importorskip("triton")
    with pretended(), pytest.warns(Inv3dWarning, match="not used on cuda:0: ") as told:
        assert fused.decode_on(DEVICE, decoder()) is plainly_decoded
    assert len(told) == 1 and "\n" not in str(told[0].message)


def test_what_kernels_are_not_made_for_is_decoded_plainly(monkeypatch):
    calls = trusting(monkeypatch, {"density": 0.0})
    assert fused.decode_on(CPU, decoder()) is plainly_decoded
    for other in (decoder(skip=True), decoder(film=True), decoder(65)):
        assert fused.decode_on(DEVICE, other) is plainly_decoded
    with ordered():
        assert fused.decode_on(DEVICE, decoder()) is plainly_decoded
    assert calls == []


def test_every_call_may_be_decoded_plainly(monkeypatch):
    """On a CPU, in another precision, and where sums must have an order."""
    by_kernels = torch.empty(0), torch.empty(0)
    monkeypatch.setattr(fused, "_by_kernels", lambda *inputs: by_kernels)
    own, planes, uv = decoder(), torch.randn(1, 3, 4, 8, 8), torch.rand(1, 3, 6, 2)
    right = plainly_decoded(planes, uv, own)[0]
    assert fused.decoded_at_once(planes, uv, own)[0].equal(right)
    with pretended():
        there, planes, uv = decoder().to(DEVICE), planes.to(DEVICE), uv.to(DEVICE)
        assert fused.decoded_at_once(planes, uv, there) is by_kernels
        assert fused.decoded_at_once(planes.double(), uv.double(), there.double()) is not by_kernels
        there = there.float()
        with ordered():
            assert fused.decoded_at_once(planes, uv, there) is not by_kernels
        monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: kind == "cuda")
        assert fused.decoded_at_once(planes, uv, there) is not by_kernels


class Brighter(Detail):
    """Local detail that adds one to all features."""

    def __init__(self) -> None:
        pass

    def added(self, features, points):
        return features + 1.0


@pytest.mark.parametrize("kind", ["plain", "canonical", "film", "detail"])
def test_only_plain_fields_are_decoded_in_another_way(kind):
    config = replace(
        tiny.CONFIG, decoder=DecoderConfig(8, film=kind == "film"), canonical=CanonicalConfig(8, 4) if kind == "canonical" else None
    )
    made, points = TriplaneGenerator(config).eval(), torch.rand(2, 5, 3) - 0.5
    planes = made.planes(made.mean_w.expand(2, made.code_space.num_ws, -1))
    planes = replace(planes, detail=Brighter() if kind == "detail" else None)
    before, ours = made.field(planes, points), (torch.zeros(2, 5), torch.zeros(2, 5, 8))
    made.field.decode = lambda *inputs: ours
    sigma, color = made.field(planes, points)
    right = ours if kind == "plain" else before
    assert sigma.equal(right[0]) and color.equal(right[1]) and before[1].any()
