"""The ways with an order give what PyTorch's kernels give, gradients included."""

import pytest
import torch

from inv3d.core import resampling
from inv3d.core.resampling import resize, sample


def both(monkeypatch, call, *inputs):
    """What a call and the gradients of its sum, weighted at random, give without and with an order."""
    found = []
    for free in (True, False):
        monkeypatch.setattr(resampling, "_any_order_will_do", lambda *_, free=free: free)
        leaves = [each.clone().requires_grad_() for each in inputs]
        made = call(*leaves)
        weights = torch.randn(made.shape, generator=torch.Generator().manual_seed(1), dtype=made.dtype)
        found.append((made, *torch.autograd.grad((made * weights).sum(), leaves)))
    return zip(*found, strict=True)


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_sampling(monkeypatch, padding):
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 9, 7, generator=random, dtype=torch.float64)
    places = torch.rand(2, 4, 30, 2, generator=random, dtype=torch.float64) * 2.6 - 1.3
    for free, ordered in both(monkeypatch, lambda maps, places: sample(maps, places, padding), maps, places):
        assert torch.allclose(free, ordered, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 5), (20, 18)])
@pytest.mark.parametrize(
    ("mode", "antialias", "align_corners"),
    [("bilinear", False, False), ("bilinear", True, False), ("bilinear", False, True), ("bicubic", False, True), ("area", False, None)],
)  # fmt: skip
def test_resizing(monkeypatch, size, mode, antialias, align_corners):
    maps = torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    for free, ordered in both(monkeypatch, lambda each: resize(each, size, mode, antialias=antialias, align_corners=align_corners), maps):
        assert torch.allclose(free, ordered, atol=1e-5)


def test_places_that_are_no_numbers_look_nowhere_outside(monkeypatch):
    monkeypatch.setattr(resampling, "_any_order_will_do", lambda *_: False)
    places = torch.tensor([[[[torch.nan, 0.0], [torch.inf, 0.0], [0.0, 0.0]]]])
    assert sample(torch.ones(1, 1, 4, 4), places, "zeros")[..., 2].item() == 1.0
