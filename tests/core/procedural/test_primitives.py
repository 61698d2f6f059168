"""Laws of signed distances: nowhere steeper than space itself, zero on the surface, joined without a step."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inv3d.core.procedural.primitives import (
    capsule,
    ellipsoid,
    rounded_rectangle,
    slab,
    smooth_max,
    smooth_min,
    smooth_step,
)

seeds = st.integers(0, 10_000)
widths = st.floats(0.01, 0.5)
SOLIDS: dict[str, Callable[..., Tensor]] = {
    "capsule": lambda x, y, z: capsule(x, y, z, (-0.3, 0.1, 0.0), (0.4, -0.2, 0.3), 0.2, 0.2),
    "rectangle": lambda x, y, z: rounded_rectangle(x, y, 0.5, 0.3, 0.1),
    "slab": lambda x, y, z: slab(rounded_rectangle(x, y, 0.5, 0.3, 0.1), z, 0.1, 0.04),
    "join": lambda x, y, z: smooth_min(SOLIDS["capsule"](x, y, z), SOLIDS["slab"](x, y, z), 0.15),
}


def places(seed: int, count: int = 200) -> Tensor:
    """Places [3,count] around the origin."""
    return 1.5 * torch.randn(3, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("solid", SOLIDS.values(), ids=SOLIDS)
@settings(max_examples=25, deadline=None)
@given(seed=seeds, near=st.booleans())
def test_no_distance_grows_faster_than_the_way(solid, seed, near):
    start, end = places(seed), places(seed + 1)
    end = torch.lerp(start, end, 0.01) if near else end
    assert ((solid(*start) - solid(*end)).abs() <= (start - end).norm(dim=0) + 1e-5).all()


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_a_capsule_is_as_far_as_the_nearest_of_its_balls(seed):
    place, (start, end) = places(seed), places(seed + 1, 2).T
    x, y, z = place
    balls = torch.lerp(start, end, torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None])
    nearest = torch.cdist(place.T, balls).amin(1) - 0.2
    assert torch.allclose(capsule(x, y, z, (start[0], start[1], start[2]), (end[0], end[1], end[2]), 0.2, 0.2), nearest, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, a=widths, b=widths, c=widths)
def test_an_ellipsoid_ends_at_its_semi_axes_and_a_ball_is_exact(seed, a, b, c):
    x, y, z = place = places(seed)
    away = place.norm(dim=0)
    u, v, w = place / away * torch.tensor([[a], [b], [c]])
    assert ellipsoid(u, v, w, a, b, c).abs().max() < 1e-5
    assert (ellipsoid(0.9 * u, 0.9 * v, 0.9 * w, a, b, c) < 0).all()
    assert (ellipsoid(1.1 * u, 1.1 * v, 1.1 * w, a, b, c) > 0).all()
    assert torch.allclose(ellipsoid(x, y, z, a, a, a), away - a, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, half=widths, edge=st.floats(0.0, 1.0))
def test_a_plate_is_as_thick_as_it_says(seed, half, edge):
    across, inside = places(seed)[0], torch.full((200,), -10.0, dtype=torch.float64)
    assert torch.allclose(slab(inside, across, half, edge * half), across.abs() - half, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, k=widths)
def test_a_fillet_adds_at_most_a_quarter_of_its_width_and_only_where_solids_meet(seed, k):
    a, b, _ = places(seed)
    joined, least = smooth_min(a, b, k), torch.minimum(a, b)
    assert torch.allclose(joined, smooth_min(b, a, k)) and torch.allclose(smooth_max(-a, -b, k), -joined)
    assert (joined <= least + 1e-9).all() and (joined >= least - k / 4 - 1e-9).all()
    apart = (a - b).abs() >= k
    assert torch.allclose(joined[apart], least[apart])
    assert torch.allclose(smooth_min(a, a, k), a - k / 4)


@settings(max_examples=25, deadline=None)
@given(low=st.floats(-1, 1), width=widths)
def test_a_step_rises_from_zero_to_one_alike_from_both_ends(low, width):
    x = torch.linspace(low - width, low + 2 * width, 301, dtype=torch.float64)
    step = smooth_step(x, low, low + width)
    assert (step.diff() >= 0).all() and step[0] == 0 and step[-1] == 1
    assert torch.allclose(step + step.flip(0), torch.ones_like(step))
