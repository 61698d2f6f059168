import math

import pytest
import torch
from torch.nn import functional as F

from inv3d.core.generator.layers import FullyConnected, Softplus, activated, fir_filter, upsample


def test_softplus_and_its_gradient_are_torchs_also_far_out():
    x = torch.cat([torch.linspace(-30.0, 30.0, 601), torch.tensor([-200.0, 200.0])])
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    made, expected = Softplus()(ours), F.softplus(theirs, threshold=1e9)
    torch.testing.assert_close(made, torch.where(x > 80, x, expected))
    weights = torch.linspace(0.5, 2.0, len(x))
    (made * weights).sum().backward()
    torch.testing.assert_close(ours.grad, torch.sigmoid(x) * weights)


def test_softplus_is_accurate_where_it_is_almost_nothing():
    x = torch.linspace(-20.0, 0.0, 401, requires_grad=True)
    made = Softplus()(x)
    made.sum().backward()
    assert x.grad is not None
    exact = x.detach().double()
    torch.testing.assert_close(made.detach().double(), torch.log1p(exact.exp()), rtol=0.0, atol=2e-7)
    torch.testing.assert_close(x.grad.double(), torch.sigmoid(exact), rtol=1e-6, atol=0.0)


@pytest.mark.parametrize(("kind", "expected"), [("lrelu", (-0.4, 3.0)), ("relu", (0.0, 3.0)), ("linear", (-2.0, 3.0))])
def test_activations_keep_the_variance(kind, expected):
    gain = 1.0 if kind == "linear" else math.sqrt(2.0)
    x = torch.tensor([-2.0, 3.0])
    assert activated(x, kind).tolist() == pytest.approx([value * gain for value in expected])
    assert activated(x, kind, clamp=1.0).abs().max() <= 1.0
    layer = FullyConnected(2, 2, activation=kind)
    for rows in (x, torch.randn(5, 2)):  # fewer numbers than the weights, and more
        assert torch.allclose(layer(rows), activated(F.linear(rows, *layer.scaled()), kind))


def test_upsampling_is_filtering_between_inserted_zeros():
    kernel, x = torch.randn(4, 4), torch.randn(2, 3, 5, 5)
    spread = torch.zeros(2, 3, 10, 10)
    spread[:, :, ::2, ::2] = x
    padded = torch.nn.functional.pad(spread, (2, 1, 2, 1))
    torch.testing.assert_close(upsample(x, kernel), fir_filter(padded, kernel, gain=4.0, padding=0))
