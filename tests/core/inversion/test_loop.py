import pytest
import torch

from inv3d.core.inversion.loop import optimise, ramp


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

    optimise([([x], 0.1)], passes, 200, "test", lambda stage, step, steps, losses: seen.append((step, losses)))
    assert float(x) == pytest.approx(0.5, abs=0.02)  # the minimum of the sum
    assert [step for step, _ in seen] == list(range(1, 201))
    assert seen[0][1] == {"first": pytest.approx(4.0), "second": pytest.approx(9.0)}
