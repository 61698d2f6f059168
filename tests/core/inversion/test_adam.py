import torch

from inv3d.core.inversion.adam import Adam


def test_how_a_tensor_lies_in_memory_changes_no_step():
    rate = torch.tensor(0.1, dtype=torch.float64)
    start = torch.randn(2, 3, 4, 5)
    plain, last = start.clone().requires_grad_(), start.clone().contiguous(memory_format=torch.channels_last).requires_grad_()
    optimizer = Adam([[plain, last]])
    for _ in range(3):
        gradient = torch.randn(2, 3, 4, 5)
        plain.grad, last.grad = gradient, gradient.contiguous(memory_format=torch.channels_last)
        optimizer.step([rate])
    assert torch.equal(plain, last) and not torch.equal(plain, start)
    assert last.is_contiguous(memory_format=torch.channels_last)


def test_tensors_without_a_gradient_stay():
    moved, kept = (torch.zeros(2, requires_grad=True) for _ in range(2))
    moved.grad = torch.ones(2)
    optimizer = Adam([[moved, kept]])
    optimizer.step([torch.tensor(0.1, dtype=torch.float64)])
    assert moved.abs().min() > 0.09 and not kept.any()
