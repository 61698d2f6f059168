import pytest
import torch

from inv3d.core.inversion.adam import Adam


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2), (3, 1, 0, 2)], ids=["plain", "channels last", "permuted"])
@pytest.mark.parametrize("alike", [True, False], ids=["gradient alike", "plain gradient"])
def test_how_a_tensor_lies_in_memory_changes_no_step(order, alike):
    rate = torch.tensor(0.1, dtype=torch.float64)
    other = torch.randn(2, 3, 4, 5).permute(order).requires_grad_()
    plain = other.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    start, strides = plain.detach().clone(), other.stride()
    optimizer = Adam([[plain, other]])
    for _ in range(3):
        plain.grad = torch.randn(plain.shape)
        other.grad = torch.empty_like(other).copy_(plain.grad) if alike else plain.grad
        optimizer.step([rate])
    assert torch.equal(plain, other) and not torch.equal(plain, start)
    assert other.stride() == strides


@pytest.mark.parametrize("tensor", [torch.zeros(4, 8)[:, :5], torch.zeros(1, 3).expand(4, 3)], ids=["slice", "expanded"])
def test_a_tensor_with_gaps_in_memory_is_refused(tensor):
    with pytest.raises(ValueError, match="gaps in memory"):
        Adam([[tensor.requires_grad_()]])


def test_tensors_without_a_gradient_stay():
    moved, kept = (torch.zeros(2, requires_grad=True) for _ in range(2))
    moved.grad = torch.ones(2)
    optimizer = Adam([[moved, kept]])
    optimizer.step([torch.tensor(0.1, dtype=torch.float64)])
    assert moved.abs().min() > 0.09 and not kept.any()
