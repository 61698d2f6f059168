import torch
from torch.nn import functional as F

from inv3d.core.generator.layers import softplus


def test_softplus_and_its_gradient_are_torchs_also_far_out():
    x = torch.cat([torch.linspace(-30.0, 30.0, 601), torch.tensor([-200.0, 200.0])])
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    made, expected = softplus(ours), F.softplus(theirs, threshold=1e9)
    torch.testing.assert_close(made, torch.where(x > 80, x, expected))
    weights = torch.linspace(0.5, 2.0, len(x))
    (made * weights).sum().backward()
    torch.testing.assert_close(ours.grad, torch.sigmoid(x) * weights)
