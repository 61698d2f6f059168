import math
import sys

import pytest
import torch

from inv3d.core.inversion.loop import optimise, ramp, silent, total


def itself(step):
    """Every step is of another kind."""
    return step


def test_the_rate_warms_up_and_fades_out():
    rates = [ramp(step / 100) for step in range(100)]
    assert rates[0] < 0.05 and max(rates) == pytest.approx(1.0) and rates[99] < 0.05
    assert all(rate == pytest.approx(1.0) for rate in rates[5:75])


def test_a_longer_decay_begins_sooner():
    late, early = ([ramp(step / 100, decay) for step in range(5, 100)] for decay in (0.25, 0.8))
    assert all(a >= b for a, b in zip(late, early, strict=True)) and sum(early) < 0.75 * sum(late)


def test_passes_add_up_to_one_step():
    x = torch.tensor([3.0], requires_grad=True)
    seen = []

    def passes(step):
        yield {"first": (x - 1).square().sum()}
        yield {"second": x.square().sum()}

    optimise([([x], 0.1)], itself, passes, 200, "test", lambda stage, step, steps, losses: seen.append((step, losses)))
    assert float(x.detach()) == pytest.approx(0.5, abs=0.02)  # the minimum of the sum
    assert [step for step, _ in seen] == list(range(1, 201))
    assert seen[0][1] == {"first": pytest.approx(4.0), "second": pytest.approx(9.0)}


def test_the_rate_at_some_steps():
    assert ramp(0.0) == pytest.approx(0.02)  # a small step at once: Adam's first would otherwise be wasted
    assert ramp(0.024) == pytest.approx(0.5)
    assert ramp(0.875) == pytest.approx(0.5, abs=1e-5)
    assert ramp(0.5, decay=0.8) == pytest.approx(0.5 - 0.5 * math.cos(math.pi * 0.625), abs=1e-5)


def test_every_group_has_its_own_rate_and_the_decay_is_that_of_the_call():
    slow, fast = (torch.zeros(1, requires_grad=True) for _ in range(2))
    optimise(
        [([slow], 0.01), ([fast], 0.1)], itself, lambda step: iter([{"away": -slow.sum() - fast.sum()}]), 50, "", silent, 0.6
    )
    expected = sum(ramp(step / 50, 0.6) for step in range(50))  # Adam steps by the rate where the gradient is constant
    assert float(slow.detach()) == pytest.approx(0.01 * expected, rel=1e-4)
    assert float(fast.detach()) == pytest.approx(0.1 * expected, rel=1e-4)


def test_losses_of_several_parts_add_up_by_name():
    parts = [{"a": torch.tensor(1.0), "b": torch.tensor(2.0)}, {"b": torch.tensor(3.0), "c": torch.tensor(4.0)}]
    assert {name: float(loss) for name, loss in total(parts).items()} == {"a": 1.0, "b": 5.0, "c": 4.0}


def test_adam_is_torchs_and_leaves_tensors_without_a_gradient(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # its import would fail: it takes seconds
    start = torch.tensor([1.0, -2.0, 3.0])
    ours, other = start.clone().requires_grad_(), start.clone().requires_grad_()

    def passes(step):
        yield {"a": (ours - step).square().sum()} | ({"b": other.square().sum()} if step > 2 else {})

    optimise([([ours], 0.1), ([other], 0.2)], itself, passes, 6, "", silent)
    monkeypatch.undo()
    theirs, rest = start.clone().requires_grad_(), start.clone().requires_grad_()
    adam = torch.optim.Adam([{"params": [theirs]}, {"params": [rest]}], fused=True)
    for step in range(6):
        for group, rate in zip(adam.param_groups, (0.1, 0.2), strict=True):
            group["lr"] = rate * ramp(step / 6)
        adam.zero_grad()
        loss = (theirs - step).square().sum()
        if step > 2:
            loss = loss + rest.square().sum()
        loss.backward()
        adam.step()
    assert torch.equal(ours, theirs) and torch.equal(other, rest)
