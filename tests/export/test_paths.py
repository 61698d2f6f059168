import math

import pytest
import torch

from inv3d.export.paths import PATHS, path

RANGE = (-0.5, 0.9)


@pytest.mark.parametrize("name", PATHS)
def test_paths_go_round_smoothly(name):
    yaws, pitches = path(name, RANGE, 120)
    assert len(yaws) == len(pitches) == 120
    steps = torch.stack([yaws.roll(-1) - yaws, pitches.roll(-1) - pitches], 1)
    steps[:, 0] = torch.remainder(steps[:, 0] + math.pi, 2 * math.pi) - math.pi
    assert 0 < steps.norm(dim=1).max() < 0.12  # also from the last to the first


@pytest.mark.parametrize("name", [name for name in PATHS if name != "around"])
def test_paths_stay_within_the_yaws_that_are_shown(name):
    yaws, pitches = path(name, RANGE, 60)
    assert yaws.min() >= RANGE[0] - 1e-5 and yaws.max() <= RANGE[1] + 1e-5 and pitches.abs().max() < 0.6


def test_some_paths_reach_both_ends_and_around_goes_all_the_way():
    for name in ("swing", "ellipse"):
        yaws, _ = path(name, RANGE, 60)
        assert yaws.min() < RANGE[0] + 0.01 and yaws.max() > RANGE[1] - 0.01
    yaws, _ = path("around", RANGE, 360)
    assert yaws.max() - yaws.min() == pytest.approx(2 * math.pi, abs=0.02)
