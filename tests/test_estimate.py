import dataclasses
import itertools

import pytest

from inv3d import estimate
from inv3d.core.inversion.settings import FAST, PAPER_FAST
from tests import tiny
from tests.pretend import DEVICE, pretended

FEW = dataclasses.replace(
    PAPER_FAST, pose_steps=20, wplus_steps=100, latent_steps=30, tuning_steps=7, views_per_step=2, between_per_step=1
)


@pytest.mark.parametrize(("views", "latents", "steps"), [(3, True, 157), (3, False, 127), (1, True, 127)])
def test_a_fit_takes_as_long_as_its_steps(demo, monkeypatch, views, latents, steps):
    clock = itertools.count(step=2.0)
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock))
    assert estimate.trial_fit(tiny.with_generator(demo), FEW, views, latents) == 2.0 * steps


def test_a_cpu_makes_no_steps_to_tell_how_long_they_take_and_a_gpu_does(demo, monkeypatch):
    monkeypatch.setattr(estimate, "trial_fit", lambda *job: 77.0)
    renders = estimate.fit_renders(demo, FAST, 9, True)
    assert estimate.fit_seconds(demo, FAST, 9, True, 0.1) == renders * 0.1
    with pretended():
        there = tiny.with_generator(demo, device=DEVICE)
        assert estimate.fit_seconds(there, FAST, 9, True, 0.1) == 77.0
        assert estimate.fit_seconds(there, FAST, 9, True, float("inf")) == float("inf")
